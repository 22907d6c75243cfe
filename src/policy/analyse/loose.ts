import type { Decision } from '#model';
import { compilePattern } from '../match/pattern.ts';
import { resolveAttribute } from '../schema/index.ts';
import { constantOf } from './expression.ts';
import { witnessFor } from './ground.ts';
import type { Ground } from './ground.ts';
import { mentionsOf } from './mentions.ts';
import type { Mention } from './mentions.ts';
import type { Region } from './region.ts';
import { requestOf } from './request.ts';
import { expressionsOf, placeOfPart } from './texts.ts';
import type { WrittenExpression } from './texts.ts';
import { decide } from '../decide/decide.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report' | 'now' | 'reasoning'>;

/** Texts that have nothing in common but that a pattern which says anything refuses one of them. */
const strangers = ['', 'q', '7', ' ', '/', 'zZ-9_.', '\u{1f512}', 'a,b;c', '\n'];

/** Whether a pattern says nothing. */
export function fitsEverything(source: string): boolean {
  const compiled = compilePattern(source);
  return compiled.ok && strangers.every((text) => compiled.test(text));
}

/** P107, P205: patterns that everything fits, and patterns that fit more than their author reads in them. */
export function checkPatterns(regions: ReadonlyMap<string, Region>, whole: Whole): void {
  for (const written of expressionsOf(whole.documents, whole.bundle)) {
    for (const mention of mentionsOf(written.ast, written.names)) {
      if (typeof mention.value !== 'string') continue;
      if (mention.how === 'matches') checkPattern(mention, written, { regions, whole });
      else if (mention.how !== 'is' && mention.value === '') tellEverything(mention, written, whole);
      else if (widens(written)) checkEdge(mention, written, { regions, whole });
    }
  }
}

interface Surroundings {
  readonly regions: ReadonlyMap<string, Region>;
  readonly whole: Whole;
}

function checkPattern(mention: Mention, written: WrittenExpression, { regions, whole }: Surroundings): void {
  const source = String(mention.value);
  const compiled = compilePattern(source);
  if (!compiled.ok) return;
  if (fitsEverything(source)) return tellEverything(mention, written, whole);
  const opened = widens(written);
  const dot = bareDot(source);
  if (dot !== undefined) {
    const [fit, instead] = dot;
    tellLoose(mention, written, {
      whole,
      example: instead,
      message: `"." in the pattern "${source}" stands for any character: "${instead}" fits like "${fit}"`,
      hint: 'write \\\\. for a dot',
      regions,
    });
  } else if (opened && !/^\^|\\A/.test(source.replace(/^\(\?[a-z]+\)/, '')) && isWord(source)) {
    tellLoose(mention, written, {
      whole,
      example: `x${source}x`,
      message: `the pattern "${source}" is not anchored: everything that contains it fits, such as "x${source}x"`,
      hint: `write "^${source}$", or contains() if that is meant`,
      regions,
    });
  } else if (opened && isWord(source.slice(1)) && source.startsWith('^')) {
    tellLoose(mention, written, {
      whole,
      example: `${source.slice(1)}x`,
      message: `the pattern "${source}" has no end: "${source.slice(1)}x" fits, too`,
      hint: `write "${source}$", or startsWith() if that is meant`,
      regions,
    });
  }
}

/** A beginning or an end that is not cut where names are: `example.com` is the end of `evilexample.com`, too. */
function checkEdge(mention: Mention, written: WrittenExpression, { regions, whole }: Surroundings): void {
  const edge = looseEdge(mention.path, String(mention.value), mention.how);
  if (edge !== undefined) tellLoose(mention, written, { whole, regions, ...edge });
}

/** What is loose about a beginning or an end of names with parts; undefined where it is cut between parts. */
export function looseEdge(
  path: string,
  value: string,
  how: Mention['how'],
): { readonly example: string; readonly message: string; readonly hint: string } | undefined {
  const last = path.split('.').at(-1) ?? '';
  if (how === 'suffix' && last === 'host' && /^[a-z0-9-]/i.test(value)) {
    const example = `evil${value}`;
    return { example, message: `"${value}" is the end of "${example}", too`, hint: `ask for == "${value}" or an end with ".${value}"` };
  }
  if (how === 'prefix' && last === 'host' && /[a-z0-9-]$/i.test(value)) {
    const example = `${value}.evil.example`;
    return { example, message: `"${value}" is the beginning of "${example}", too`, hint: 'compare the whole name of a host, or its end' };
  }
  if (how === 'prefix' && last === 'path' && /[^/]$/.test(value)) {
    const example = `${value}-other`;
    return {
      example,
      message: `"${value}" is the beginning of "${example}", too`,
      hint: `ask for == "${value}" or a beginning with "${value}/"`,
    };
  }
  if (how === 'prefix' && path === 'sql.tables' && /^\w+$/.test(value)) {
    const example = `${value}_other.t`;
    return { example, message: `"${value}" is the beginning of "${example}", too`, hint: `tables are schema.name: ask for "${value}."` };
  }
  return undefined;
}

/** What it says more makes more possible: a condition of an allow, an exemption of anything else. */
function widens({ rule, part, owner }: WrittenExpression): boolean {
  if (owner.startsWith('the exception')) return true;
  return rule !== undefined && (part === 'when') === (rule.effect === 'allow');
}

function isWord(source: string): boolean {
  return /^[\w@:/-]{2,}$/.test(source) && !source.includes('\\');
}

/** A dot that is meant as one, between two letters of a name; with a text that fits as meant and one that should not. */
function bareDot(source: string): readonly [string, string] | undefined {
  const name = /^\^?((?:[A-Za-z0-9-]|\\\.|\.(?![*+?{]))*[A-Za-z0-9]\.[A-Za-z0-9](?:[A-Za-z0-9-]|\\\.|\.(?![*+?{]))*)\$?$/.exec(source)?.[1];
  if (name === undefined) return undefined;
  const meant = name.replaceAll('\\.', '.');
  const at = name.search(/(?<!\\)\./);
  const before = name.slice(0, at).replaceAll('\\.', '.');
  return [meant, `${before}x${meant.slice(before.length + 1)}`];
}

function tellEverything(mention: Mention, written: WrittenExpression, { report }: Whole): void {
  if (mention.at === undefined) return;
  report.add({
    code: 'P107',
    severity: 'warning',
    place: placeOfPart(written, mention.at.start),
    message: `"${String(mention.value)}" fits every text, so "${mention.path}" is not looked at (in "${written.part}" of ${written.owner})`,
    hint: 'say what is meant, or remove it',
    rules: written.rules,
    proof: 'document',
  });
}

interface Loose extends Surroundings {
  readonly example: string;
  readonly message: string;
  readonly hint: string;
}

function tellLoose(mention: Mention, written: WrittenExpression, { whole, regions, example, message, hint }: Loose): void {
  if (mention.at === undefined || constantOf(mention.at, written.names) === undefined) return;
  whole.report.add({
    code: 'P205',
    severity: 'warning',
    place: placeOfPart(written, mention.at.start),
    message: `${message} (in "${written.part}" of ${written.owner})`,
    hint,
    rules: written.rules,
    proof: shownBy(mention.path, example, { written, regions, whole }) ?? 'document',
  });
}

/** A request with that very value to which the rule applies, or from which it exempts. */
function shownBy(
  path: string,
  example: string,
  { written, regions, whole }: Surroundings & { readonly written: WrittenExpression },
): ReturnType<typeof witnessFor> {
  const { rule, part } = written;
  const region = rule && regions.get(rule.id);
  if (rule === undefined || region === undefined || part !== 'when') return undefined;
  const found = resolveAttribute(rule.attributes, path);
  if (!found.found || found.many) return undefined;
  const { bundle, now, reasoning } = whole;
  for (const model of reasoning.show(region.conjunctions)) {
    const request = requestOf(model, { attributes: rule.attributes, policy: rule.policy, now }, new Map([[path, example]]));
    const decision: Decision = decide(bundle, request);
    if (decision.matched.some((one) => one.rule === rule.id)) return request;
  }
  return undefined;
}
