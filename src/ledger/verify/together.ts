import type { Findings } from './report.ts';

/** A grant as the control plane recorded it. */
interface Granted {
  readonly grant: string;
  readonly request: string;
  readonly session: string;
  readonly operation: string;
  readonly uses: number;
}

/** An operation that a gateway released because of a grant. */
interface Release {
  readonly index: number;
  readonly session: string;
  readonly operation: string;
  readonly grant: string;
  readonly request: string;
  /** `origin#index` of the grant. */
  readonly record?: string;
}

/** What one log says that another must agree with: collected while it streams past. Grows with bundles and approvals, not with operations. */
export class Told {
  /** Digests of the bundles that were put in force. */
  readonly activated = new Set<string>();
  /** By index. */
  readonly grants = new Map<number, Granted>();
  /** Digest that decisions name → the first that does. */
  readonly digests = new Map<string, number>();
  readonly releases: Release[] = [];
  /** Not everything that was once said is known: this log goes on from another, or is damaged. */
  partial = false;
  /** What is not known of this log was removed by its owner, as it says itself. */
  pruned = false;

  decided(digest: string, index: number): void {
    if (!this.digests.has(digest)) this.digests.set(digest, index);
  }

  /** True for the log of a control plane. */
  get governs(): boolean {
    return this.activated.size > 0 || this.grants.size > 0;
  }
}

interface Log {
  readonly origin: string;
  readonly told: Told;
  readonly findings: Findings;
}

/**
 * What several logs of one installation say together: every bundle that decided was put in force, every grant that released an operation was
 * given for that operation, and for no more releases than were made of it. Says nothing when no log of a control plane is among them.
 */
export function compareLogs(logs: readonly Log[]): void {
  const controls = logs.filter(({ told }) => told.governs);
  if (controls.length === 0 || logs.length < 2) return;
  // What cannot be known any more is not wrong, and what was removed by the rules is not even missing.
  const severity = controls.some(({ told }) => told.pruned) ? 'note' : controls.some(({ told }) => told.partial) ? 'hole' : 'tampered';
  const activated = new Set(controls.flatMap(({ told }) => [...told.activated]));
  const grants = controls.flatMap(({ told }) => [...told.grants.values()]);
  const used = new Map<string, number>();
  for (const { told, findings } of logs) {
    const missing = (what: string, message: string, index: number): void => findings.add(severity, what, message, index);
    for (const [digest, index] of told.digests)
      if (!activated.has(digest))
        missing('policy', `no control log says that the bundle ${digest}, which decided here, was in force`, index);
    for (const release of told.releases) {
      const { grant, index, operation } = release;
      const given = givenAt(release, controls) ?? grants.find((one) => one.grant === grant);
      if (given === undefined) missing('approval', `no control log has the grant ${grant} that released operation ${operation}`, index);
      else if (
        given.grant !== grant ||
        given.request !== release.request ||
        given.operation !== operation ||
        given.session !== release.session
      )
        findings.tampered(
          'approval',
          `operation ${operation} was released by grant ${grant}, which was given for operation ${given.operation}`,
          index,
        );
      else {
        const count = (used.get(grant) ?? 0) + 1;
        used.set(grant, count);
        if (count > given.uses)
          findings.tampered('approval', `grant ${grant} released ${count} times and was given for ${given.uses}`, index);
      }
    }
  }
}

/** The grant that the release points to, when that log is here. */
function givenAt({ record = '' }: Release, controls: readonly Log[]): Granted | undefined {
  const [origin, index] = record.split('#');
  return controls.find((one) => one.origin === origin)?.told.grants.get(Number(index));
}
