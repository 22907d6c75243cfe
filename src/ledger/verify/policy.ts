import { parseVkey, type VerifierKey } from './note.ts';
import type { VerifyCrypto } from './source.ts';

/** Whose signatures are believed, and how many witnesses it takes. */
export interface TrustPolicy {
  readonly logs: readonly VerifierKey[];
  readonly witnesses: readonly VerifierKey[];
  /** Whether those with these verifier keys are enough witnesses of a checkpoint. */
  quorum(cosigners: ReadonlySet<string>): boolean;
}

type Rule = (cosigners: ReadonlySet<string>) => boolean;

/** Limits, as the specification allows them. */
const linesMax = 1_000;

/**
 * The policy in a file, or what is wrong with it and in which line.
 * SPEC: C2SP tlog-policy; Ed25519 keys of logs and witnesses only.
 */
export function parsePolicy(text: string, crypto: VerifyCrypto): TrustPolicy | { readonly problem: string } {
  const parser = new Parser(crypto);
  const lines = text.split('\n');
  if (lines.length > linesMax) return { problem: `it has more than ${linesMax} lines` };
  // oxlint-disable-next-line no-control-regex -- the specification names the allowed octets
  if (/[^\t\n\x20-\x7e\u0080-\u{10ffff}]/u.test(text)) return { problem: 'it has control characters' };
  for (const [k, line] of lines.entries()) {
    const problem = parser.take(line.replaceAll(/^[ \t]+|[ \t]+$/g, ''));
    if (problem !== undefined) return { problem: `line ${k + 1} ${problem}` };
  }
  return parser.end();
}

class Parser {
  readonly #crypto: VerifyCrypto;
  readonly #logs: VerifierKey[] = [];
  readonly #witnesses: VerifierKey[] = [];
  readonly #named = new Map<string, Rule>();
  readonly #members = new Set<string>();
  #quorum: Rule | undefined;

  constructor(crypto: VerifyCrypto) {
    this.#crypto = crypto;
  }

  /** What is wrong with the line. */
  take(line: string): string | undefined {
    if (line === '' || line.startsWith('#')) return undefined;
    const [word, ...items] = line.split(/[ \t]+/);
    switch (word) {
      case 'log':
        return items.length < 1 || items.length > 2 ? 'is not: log VKEY [URL]' : this.#key(items[0] ?? '', 'log');
      case 'witness':
        return items.length < 2 || items.length > 3 ? 'is not: witness NAME VKEY [URL]' : this.#witness(items);
      case 'group':
        return items.length < 3 ? 'is not: group NAME all|any|K NAME…' : this.#group(items);
      case 'quorum':
        return items.length === 1 ? this.#end(items[0] ?? '') : 'is not: quorum NAME';
      default:
        return `begins with ${JSON.stringify(word)}, which is not log, witness, group or quorum`;
    }
  }

  end(): TrustPolicy | { readonly problem: string } {
    const quorum = this.#quorum;
    if (quorum === undefined) return { problem: 'it has no quorum line' };
    return { logs: this.#logs, witnesses: this.#witnesses, quorum };
  }

  #key(vkey: string, kind: VerifierKey['kind']): string | undefined {
    const key = parseVkey(vkey, this.#crypto);
    if (key?.kind !== kind) return `has no Ed25519 key of a ${kind}`;
    const list = kind === 'log' ? this.#logs : this.#witnesses;
    if (list.some((one) => one.publicKey.every((byte, k) => byte === key.publicKey[k]))) return 'has the key of another line';
    list.push(key);
    return undefined;
  }

  #witness([name = '', vkey = '']: readonly string[]): string | undefined {
    const taken = this.#taken(name);
    const problem = taken ?? this.#key(vkey, 'witness');
    if (problem !== undefined) return problem;
    this.#named.set(name, (cosigners) => cosigners.has(vkey));
    return undefined;
  }

  #group([name = '', count = '', ...members]: readonly string[]): string | undefined {
    const taken = this.#taken(name);
    if (taken !== undefined) return taken;
    const rules: Rule[] = [];
    for (const member of members) {
      const rule = this.#named.get(member);
      if (rule === undefined) return `names ${member}, which is not defined before`;
      if (this.#members.has(member)) return `names ${member}, which is in a group already`;
      this.#members.add(member);
      rules.push(rule);
    }
    const wanted = count === 'all' ? rules.length : count === 'any' ? 1 : /^[1-9]\d{0,3}$/.test(count) ? Number(count) : 0;
    if (wanted < 1 || wanted > rules.length) return `wants ${count} of ${rules.length}`;
    this.#named.set(name, (cosigners) => rules.filter((rule) => rule(cosigners)).length >= wanted);
    return undefined;
  }

  #end(name: string): string | undefined {
    if (this.#quorum !== undefined) return 'is a second quorum';
    this.#quorum = name === 'none' ? () => true : this.#named.get(name);
    return this.#quorum === undefined ? `names ${name}, which is not defined before` : undefined;
  }

  #taken(name: string): string | undefined {
    if (name === 'none') return 'gives the name none, which means no witness';
    return this.#named.has(name) ? `gives the name ${name} a second time` : undefined;
  }
}
