import { canonicalJson, Fault, type LabelProposal, type ResourceConfig, type ResourceProbe, type World } from '#model';
import type { Resources } from './point.ts';
import { points } from './points/index.ts';
import type { LiveSessions } from './sessions.ts';

/** The resources that the control plane offers. An offer is the whole truth: what is not in it is no longer served. */
export class OfferedResources implements Resources {
  readonly #sessions: Pick<LiveSessions, 'endResource'>;
  #byName: ReadonlyMap<string, ResourceConfig> = new Map();

  constructor(sessions: Pick<LiveSessions, 'endResource'>) {
    this.#sessions = sessions;
  }

  find(name: string): ResourceConfig | undefined {
    return this.#byName.get(name);
  }

  names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /** Takes an offer. Sessions on a resource that is gone, or is reached or classified otherwise now, end. */
  offer(offered: readonly ResourceConfig[]): void {
    const before = this.#byName;
    // INVARIANT: the same configuration stays the same object: what is known of a target's catalog, and of columns renamed in it, hangs on it.
    this.#byName = new Map(offered.map((config) => [config.resource.name, kept(before.get(config.resource.name), config)]));
    for (const [name, config] of before) {
      const now = this.#byName.get(name);
      if (now === config) continue;
      const fault =
        now === undefined
          ? new Fault('NOT_FOUND', `the resource ${name} was removed from Warder`)
          : new Fault('RESOURCE_CHANGED', `the resource ${name} was changed`);
      this.#sessions.endResource(config.resource.id, fault);
    }
  }

  /** What can be asked of a resource outside any session. Throws NOT_FOUND. */
  survey(name: string): { test(world: World): Promise<ResourceProbe>; propose(world: World): Promise<LabelProposal> } {
    const config = this.find(name);
    if (!config) throw new Fault('NOT_FOUND', `this gateway does not serve the resource ${name}`);
    const survey = points.find((point) => point.name === config.resource.engine)?.survey;
    if (!survey) throw new Fault('NOT_FOUND', `this gateway has no point for ${config.resource.engine}`);
    return { test: (world) => survey.test(config, world), propose: (world) => survey.propose(config, world) };
  }
}

function kept(before: ResourceConfig | undefined, now: ResourceConfig): ResourceConfig {
  return before !== undefined && canonicalJson(before) === canonicalJson(now) ? before : now;
}
