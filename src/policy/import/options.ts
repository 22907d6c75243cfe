import type { Target } from '#model';
import type { CedarModule } from './cedar/module.ts';
import type { ForeignEngine } from './foreign.ts';
import type { RiskClass, Tier } from '../documents/kinds/policy.ts';

/** What an import cannot know from the files. */
export interface ImportOptions {
  /** The day of the import, `2026-11-20`: written as the day of the first review. */
  readonly today: string;
  /** Who answers for the imported policies; default `team:platform`. */
  readonly owner?: string;
  /** Default `org`. */
  readonly tier?: Tier;
  /** Where a source does not say how grave it is; default `medium`. */
  readonly risk?: RiskClass;
  /**
   * `shadow` (the default) only records what the imported rules would do; `source` takes over what the files say: Deny enforces, Audit
   * and Warn only record.
   */
  readonly mode?: 'shadow' | 'source';
  /** What Cedar policies decide about here; default `sql`. */
  readonly target?: Target;
  /** The Cedar engine, loaded; without it Cedar files are reported and not imported. */
  readonly cedar?: CedarModule;
  /** Reads the bundle and the data that an engine for compiled Rego names; without it, or without an answer, the engine is not written. */
  readonly compiledRego?: (engine: ForeignEngine) => CompiledRego;
  /** Folder of the generated files; default `imported`. */
  readonly folder?: string;
}

/** A module, base64, with its data; or why there is none. */
export type CompiledRego =
  | { readonly ok: true; readonly wasm: string; readonly data: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly why: string };

export type ResolvedOptions = Required<Omit<ImportOptions, 'cedar' | 'compiledRego'>> & Pick<ImportOptions, 'cedar' | 'compiledRego'>;

export function resolveOptions(options: ImportOptions): ResolvedOptions {
  return { owner: 'team:platform', tier: 'org', risk: 'medium', mode: 'shadow', target: 'sql', folder: 'imported', ...options };
}
