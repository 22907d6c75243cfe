import { stringify } from 'yaml';
import type { Mode, Target } from '#model';
import type { SpecOf } from '../documents/kinds/index.ts';
import type { PolicySpec } from '../documents/kinds/policy.ts';
import type { MatchSpec, ObligationSpec, RuleSpec } from '../documents/kinds/rule.ts';
import type { SourceFile } from '../source.ts';
import type { CaseDraft } from './cases/case.ts';
import type { Findings } from './finding.ts';
import type { ForeignEngine } from './foreign.ts';
import { Names } from './name.ts';
import type { ResolvedOptions } from './options.ts';
import { digestOfFile } from './source.ts';
import type { SourceDocument } from './source.ts';

export type RuleDraft = Pick<RuleSpec, 'id' | 'effect'> & Partial<RuleSpec>;

/** An imported policy before it is written. */
export interface PolicyDraft {
  readonly name: string;
  readonly title: string;
  readonly description?: string | undefined;
  readonly source: SourceDocument;
  readonly target: Target;
  readonly phase?: 'response';
  /** What the source itself would do: with the option `mode: source` this is the mode here too. */
  readonly modeAtSource: Mode;
  readonly match?: MatchSpec | undefined;
  readonly variables?: Readonly<Record<string, string>>;
  readonly facts?: readonly string[];
  readonly rules: readonly RuleDraft[];
  /** Who answers for it and how grave it is, where the source says so itself. */
  readonly governance?: Partial<Pick<PolicySpec, 'owner' | 'tier' | 'risk' | 'review'>>;
}

/** What an engine needs besides its description. */
export type EngineParts = Partial<Pick<SpecOf<'ForeignEngine'>, 'entrypoint' | 'wasm' | 'data' | 'policies'>>;

export interface DataSetDraft {
  readonly name: string;
  readonly source: SourceDocument;
  readonly values: unknown;
}

/** What an import is writing: generated documents, cases, and which source each came from. */
export class Draft {
  readonly findings: Findings;
  readonly options: ResolvedOptions;
  readonly policies: PolicyDraft[] = [];
  readonly documents: SourceFile[] = [];
  /** The same by `Kind/name`. */
  readonly written = new Map<string, SourceFile>();
  readonly imported = new Map<SourceDocument, string[]>();
  readonly foreign: ForeignEngine[] = [];
  /** Cases that an importer knows by itself. */
  readonly cases: CaseDraft[] = [];
  readonly #origin = new Map<string, SourceDocument>();
  readonly #names = new Names();
  readonly #identifiers = new Names('_');
  readonly #exceptions = new Names();
  /** A policy may be called `exception-x` as well. */
  readonly #files = new Names();

  constructor(findings: Findings, options: ResolvedOptions) {
    this.findings = findings;
    this.options = options;
  }

  /** A document name that is not taken yet. */
  name(wanted: string): string {
    return this.#names.fresh(wanted);
  }

  exceptionName(wanted: string): string {
    return this.#exceptions.fresh(wanted);
  }

  /** A DataSet name that is not taken yet. */
  identifier(wanted: string): string {
    return this.#identifiers.fresh(wanted);
  }

  policy(draft: PolicyDraft): void {
    if (draft.rules.length === 0) {
      draft.source.root.unsupported(
        `nothing of ${draft.source.kind} "${draft.source.name}" could be imported`,
        'see the other findings of this document',
      );
      return;
    }
    this.policies.push(draft);
    const { owner, tier, risk, today, mode } = this.options;
    this.#write('Policy', draft.name, draft.source, {
      apiVersion: 'warder/v1',
      kind: 'Policy',
      metadata: {
        name: draft.name,
        title: clip(draft.title, 120),
        ...(draft.description === undefined ? {} : { description: clip(draft.description, 4000) }),
        labels: { ...labelsOf(draft.source), 'mode-at-source': draft.modeAtSource },
      },
      spec: {
        owner,
        tier,
        risk: { class: risk, categories: ['imported'] },
        review: { last: today, every: 'P90D' },
        ...draft.governance,
        target: draft.target,
        ...(draft.phase === undefined ? {} : { phase: draft.phase }),
        mode: mode === 'shadow' ? 'shadow' : draft.modeAtSource,
        ...(draft.match === undefined || Object.keys(draft.match).length === 0 ? {} : { match: draft.match }),
        ...(draft.variables === undefined || Object.keys(draft.variables).length === 0 ? {} : { variables: draft.variables }),
        ...(draft.facts === undefined || draft.facts.length === 0 ? {} : { requires: { facts: draft.facts } }),
        rules: draft.rules,
      },
    });
  }

  dataSet({ name, source, values }: DataSetDraft): void {
    const { owner } = this.options;
    const spec = { owner, description: `Parameters: ${source.kind} "${source.name}"`, values };
    this.#write('DataSet', name, source, { apiVersion: 'warder/v1', kind: 'DataSet', metadata: { name, labels: labelsOf(source) }, spec });
  }

  /** An engine whose answers the policy of the same name reads, with what it needs to run in a gateway. */
  engine(described: ForeignEngine, source: SourceDocument, of: { readonly owner?: string | undefined; readonly parts: EngineParts }): void {
    const { policy, fact, engine, input, deadlineMs, breaker } = described;
    const spec = { owner: of.owner ?? this.options.owner, fact, engine, ...of.parts, input, deadlineMs, breaker };
    this.#write('ForeignEngine', policy, source, {
      apiVersion: 'warder/v1',
      kind: 'ForeignEngine',
      metadata: { name: policy, labels: labelsOf(source) },
      spec,
    });
  }

  exception(name: string, source: SourceDocument, spec: unknown): void {
    this.#write('Exception', name, source, {
      apiVersion: 'warder/v1',
      kind: 'Exception',
      metadata: { name, labels: labelsOf(source) },
      spec,
    });
  }

  /** Says that a source became part of a document that is written for another one. */
  countFor(source: SourceDocument, document: string): void {
    this.imported.set(source, [...(this.imported.get(source) ?? []), document]);
  }

  /** What a generated file was made of. */
  sourceOf(path: string): SourceDocument | undefined {
    return this.#origin.get(path);
  }

  #write(kind: string, name: string, source: SourceDocument, document: unknown): void {
    const lines = [
      // EVASION: a name with a line break would end the comment, and write a document of its own.
      oneLine(`# Imported from ${source.file.path}, line ${source.root.place.line}: ${source.kind} ${source.name}`),
      '# The original stays what people change; import it again afterwards.',
    ];
    const folder = this.options.folder === '' ? '' : `${this.options.folder}/`;
    const path = `${folder}${this.#files.fresh(`${kind === 'Policy' ? '' : `${kind.toLowerCase()}-`}${name}`)}.yaml`;
    this.#origin.set(path, source);
    const file = { path, text: `${lines.join('\n')}\n${toYaml(document)}` };
    this.documents.push(file);
    this.written.set(`${kind}/${name}`, file);
    const made = this.imported.get(source) ?? [];
    made.push(`${kind}/${name}`);
    this.imported.set(source, made);
  }
}

function labelsOf(source: SourceDocument): Record<string, string> {
  const kind = [source.apiVersion, source.kind].filter((part) => part !== '').join('/');
  return { 'imported-from': clip(source.file.path, 128), 'imported-kind': clip(kind, 128), 'imported-digest': digestOfFile(source.file) };
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trimEnd();
}

/** YAML as a person would write it; strings with line breaks as blocks. */
export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, version: '1.2', schema: 'core' });
}

export function clip(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars - 1)}…`;
}

export type { MatchSpec, ObligationSpec };
