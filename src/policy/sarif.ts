import type { Edit, Problem } from './problem.ts';

/** One line about every code that stands for more than its message. */
const titles: Readonly<Record<string, string>> = {
  P101: 'An allow that can never win',
  P102: 'A deny that wins over allows where they meet',
  P103: 'Obligations that conflict',
  P104: 'An override that cannot be',
  P105: 'A rule that never takes effect',
  P106: 'A duplicate or superfluous rule',
  P107: 'Something that says nothing: always true, always false, always an error, or never used',
  P108: 'A deny that is overridden wherever it applies',
  P201: 'An attribute that this target or phase does not have',
  P202: 'An optional attribute read without a guard',
  P203: 'Too expensive, or a pattern outside RE2',
  P204: 'A value that the attribute never has',
  P205: 'Something that is looser than it looks',
  P301: 'A point cannot enforce this',
  P302: 'Fails open, is not tested, or has one owner alone',
  P303: 'Operations that no policy is about',
  P304: 'An allow that lets more through than it seems',
  P305: 'What people are told is missing or misleading',
  P306: 'Something that is defined or required and not used',
  P401: 'An exception or override that does not hold',
  P402: 'A review or an end that is past',
  P403: 'A test that speaks of something that does not exist',
  ANALYSIS_CUT: 'What the analysis did not look at',
  CEL: 'An expression that does not compile',
  DUPLICATE: 'Two things of one name',
  MANIFEST: 'The manifest of the bundle is missing or incomplete',
  NOT_PUBLIC: 'A message that would show what is not public',
  PHASE: 'Something that this phase cannot do',
  REFERENCE: 'A name of something that does not exist',
  SCHEMA: 'A document that has not the shape of its kind',
  UNKNOWN_KEY: 'A key that does not exist here',
  UNSUPPORTED: 'Something that is not built yet',
  YAML: 'A file that is not YAML as Warder reads it',
};

export interface SarifOptions {
  /** Version of Warder. */
  readonly version: string;
  /** Folder of the policy files, relative to the root of the checkout, `/` between segments. */
  readonly folder?: string;
}

/**
 * Problems as a SARIF log, for code hosts that show them beside the line. A finding's witness is in its property bag.
 *
 * SPEC: SARIF 2.1.0 (OASIS); columns count UTF-16 units, from 1.
 */
export function sarifLog(problems: readonly Problem[], { version, folder = '' }: SarifOptions): Readonly<Record<string, unknown>> {
  const codes = [...new Set(problems.map(({ code }) => code))].sort();
  const prefix = folder === '' || folder === '.' ? '' : `${folder.replace(/\/+$/, '')}/`;
  const rules = codes.map((id) => ({ id, ...(titles[id] === undefined ? {} : { shortDescription: { text: titles[id] } }) }));
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'warder policy check', version, rules } },
        columnKind: 'utf16CodeUnits',
        results: problems.map((problem) => resultOf(problem, { prefix, codes })),
      },
    ],
  };
}

const levels = { error: 'error', warning: 'warning', info: 'note' } as const;

function resultOf(problem: Problem, { prefix, codes }: { prefix: string; codes: readonly string[] }): Readonly<Record<string, unknown>> {
  const { code, severity, message, hint, path, line, column, caret: _shown, fix, ...properties } = problem;
  const artifactLocation = { uri: uriOf(prefix + path) };
  const region = { startLine: line, startColumn: column };
  return {
    ruleId: code,
    ruleIndex: codes.indexOf(code),
    level: levels[severity],
    message: { text: hint === undefined ? message : `${message}. ${hint}` },
    locations: [{ physicalLocation: { artifactLocation, region } }],
    ...(fix === undefined ? {} : { fixes: [fixOf(fix, artifactLocation)] }),
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
  };
}

/** SPEC: SARIF §3.55 to §3.57; offsets count characters of the file, which here are UTF-16 units. */
function fixOf({ start, end, text, what }: Edit, artifactLocation: { readonly uri: string }): Readonly<Record<string, unknown>> {
  const replacement = { deletedRegion: { charOffset: start, charLength: end - start }, insertedContent: { text } };
  return { description: { text: what }, artifactChanges: [{ artifactLocation, replacements: [replacement] }] };
}

/** A relative reference: every segment encoded, the slashes kept. SPEC: RFC 3986 §3.3, §4.2. */
function uriOf(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
