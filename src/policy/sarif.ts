import type { Problem } from './problem.ts';

/** One line about every code that stands for more than its message. */
const titles: Readonly<Record<string, string>> = {
  P101: 'An allow that can never win',
  P102: 'A deny that wins over allows where they meet',
  P103: 'Obligations that conflict',
  P104: 'An override that cannot be',
  P105: 'A rule that never takes effect',
  P106: 'A duplicate or superfluous rule',
  P107: 'A condition that is constant',
  P201: 'An attribute that this target or phase does not have',
  P202: 'An optional attribute read without a guard',
  P203: 'Too expensive, or a pattern outside RE2',
  P301: 'A point cannot enforce this',
  P302: 'Fails open, is not tested, or has one owner alone',
  P303: 'Operations that no policy is about',
  P401: 'An exception or override that does not hold',
  P402: 'A review or an end that is past',
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
  const { code, severity, message, hint, path, line, column, caret: _shown, ...properties } = problem;
  const region = { startLine: line, startColumn: column };
  return {
    ruleId: code,
    ruleIndex: codes.indexOf(code),
    level: levels[severity],
    message: { text: hint === undefined ? message : `${message}. ${hint}` },
    locations: [{ physicalLocation: { artifactLocation: { uri: uriOf(prefix + path) }, region } }],
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
  };
}

/** A relative reference: every segment encoded, the slashes kept. SPEC: RFC 3986 §3.3, §4.2. */
function uriOf(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
