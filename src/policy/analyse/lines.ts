import type { CompiledRule } from '../compile/compiled.ts';
import { isKind, specNode } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import { entry, nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { compileGlob, hasWildcard } from '../match/glob.ts';
import type { Matcher, Operators } from '../match/matcher.ts';
import { parseNetwork } from '../match/network.ts';
import type { Network } from '../match/network.ts';
import { canonicalJson } from '#model';
import type { Decision } from '#model';
import { resolveAttribute } from '../schema/index.ts';
import { and, disjunctive } from './formula.ts';
import { holding } from './formula.ts';
import { witnessFor } from './ground.ts';
import type { Ground } from './ground.ts';
import { looseEdge } from './loose.ts';
import { literalsOf } from './region.ts';
import type { Region } from './region.ts';
import type { RuleSource } from './ground.ts';

/** The maps `match` that a rule is compiled from: its policy's and its own. */
export function matchNodesOf(
  rule: CompiledRule,
  sources: ReadonlyMap<string, RuleSource>,
): readonly { readonly node: Node; readonly paths: readonly string[]; readonly ofPolicy: boolean }[] {
  const source = sources.get(rule.id);
  if (source === undefined) return [];
  const { document, position } = source;
  return [
    // A policy's match is told with its first rule.
    { node: specNode(document, ['match']), ofPolicy: true, has: document.spec.match !== undefined && position === 0 },
    { node: specNode(document, ['rules', position, 'match']), ofPolicy: false, has: source.spec.match !== undefined },
  ].flatMap(({ node, ofPolicy, has }) =>
    has && node.kind === 'map' ? [{ node, ofPolicy, paths: node.entries.map(({ key }) => key) }] : [],
  );
}

/** The same of the scopes of exceptions, with a rule that each of them waives. */
export function scopeNodesOf(
  documents: readonly Document[],
  rules: readonly CompiledRule[],
): readonly { readonly rule: CompiledRule; readonly node: Node; readonly paths: readonly string[] }[] {
  return documents.flatMap((document) => {
    if (!isKind(document, 'Exception') || document.spec.scope.match === undefined) return [];
    const rule = rules.find(({ changes }) => changes.exceptions.some(({ name }) => name === document.name));
    const node = specNode(document, ['scope', 'match']);
    return rule === undefined ? [] : [{ rule, node, paths: Object.keys(document.spec.scope.match) }];
  });
}

/** P107, P205: lines of a match that say nothing, values of them that other values cover, networks that are written carelessly. */
export function checkLines(region: Region, ground: Ground): void {
  const { rule } = region;
  for (const { node, paths, ofPolicy } of matchNodesOf(rule, ground.sources)) {
    for (const path of paths) {
      const value = entry(node, path)?.value;
      if (value === undefined) continue;
      const matcher = [...rule.matchers, ...rule.dataMatchers].find((one) => one.path === path && sameValue(one, value));
      const operators: Operators | undefined =
        matcher === undefined || Array.isArray(matcher.line.value) ? undefined : (matcher.line.value as Operators); // Array.isArray does not narrow readonly arrays away.
      const universal = matcher !== undefined && checkLine(matcher, value, { region, ground, ofPolicy });
      const found = resolveAttribute(rule.attributes, path);
      checkValues(
        value.kind === 'list' ? value : nodeAt(value, ['in']),
        { rule, widest: !universal && found.found && !found.many },
        ground,
      );
      if (value.kind === 'map') checkValues(nodeAt(value, ['notIn']), { rule, widest: false }, ground);
      if (rule.effect === 'allow') checkEdges(path, value.kind === 'list' ? value : nodeAt(value, ['in']), { rule, ground });
      if (operators?.cidr !== undefined) checkNetworks(nodeAt(value, ['cidr']), operators.cidr, { rule, path, ground });
    }
  }
}

/** Two lines of one path may come from the policy and from the rule. */
function sameValue({ line }: Matcher, node: Node): boolean {
  return (
    Array.isArray(line.value) === (node.kind === 'list') &&
    (node.kind !== 'list' || node.items.length === (line.value as readonly unknown[]).length)
  );
}

function checkLine(
  matcher: Matcher,
  node: Node,
  { region, ground, ofPolicy }: { region: Region; ground: Ground; ofPolicy: boolean },
): boolean {
  const { rule } = region;
  const literals = literalsOf(matcher, rule, ground.bundle.compiled.data);
  if (literals.length === 0 || matcher.line.data !== undefined) return false;
  const conjunctions = disjunctive(and(...literals.map(holding)), 4) ?? [];
  // What the policy's own match says already need not be said by a rule.
  const ofPolicyValue = ofPolicy ? undefined : ground.sources.get(rule.id)?.document.spec.match?.[matcher.path];
  const policyLines =
    ofPolicyValue === undefined
      ? []
      : rule.matchers.filter(({ path, line }) => path === matcher.path && canonicalJson(line.value) === canonicalJson(ofPolicyValue));
  const before =
    policyLines.length === 0
      ? [[]]
      : (disjunctive(and(...policyLines.flatMap((line) => literalsOf(line, rule, ground.bundle.compiled.data)).map(holding)), 4) ?? [[]]);
  if (!ground.reasoning.covered(before, conjunctions)) return false;
  const { bundle, now, reasoning } = ground;
  const goal = ({ matched }: Decision): boolean => matched.some((one) => one.rule === rule.id);
  ground.report.add({
    code: 'P107',
    severity: 'warning',
    place: node,
    message: `the line "${matcher.path}" of the rule "${rule.id}" says nothing: it holds ${policyLines.length === 0 ? 'for every value' : 'wherever the match of the policy does'}`,
    hint: 'remove it, or name the values that are meant',
    rules: [rule.id],
    proof: rule.mode === 'off' ? 'document' : witnessFor(rule, reasoning.show(region.conjunctions), { goal, bundle, now }),
  });
  return true;
}

function checkValues(list: Node, { rule, widest }: { readonly rule: CompiledRule; readonly widest: boolean }, { report }: Ground): void {
  if (list.kind !== 'list') return;
  const values = list.items.map((item) => (item.kind === 'scalar' ? item.value : undefined));
  for (const [i, value] of values.entries()) {
    const item = list.items[i];
    if (value === undefined || value === null || item === undefined) continue;
    if ((value === '*' || value === '**') && widest) {
      const message = `"${value}" fits ${value === '*' ? 'every value without "/"' : 'every value'}, so the line says no more than that the attribute is there`;
      report.add({
        code: 'P107',
        severity: 'warning',
        place: item,
        message,
        hint: 'write { exists: true } if that is meant, or name the values',
        rules: [rule.id],
        proof: 'document',
      });
      continue;
    }
    const by = values.findIndex((other, k) => k !== i && covers(other, value, k < i));
    if (by < 0) continue;
    const twice = values[by] === value;
    report.add({
      code: 'P107',
      severity: 'warning',
      place: item,
      message: twice
        ? `"${String(value)}" stands twice in the list`
        : `"${String(value)}" adds nothing: "${String(values[by])}" beside it stands for it, too`,
      hint: 'remove it',
      rules: [rule.id],
      proof: 'document',
    });
  }
}

/** P205: globs of an allow whose star is not cut where names are. */
function checkEdges(path: string, list: Node, { rule, ground }: { readonly rule: CompiledRule; readonly ground: Ground }): void {
  if (list.kind !== 'list') return;
  for (const item of list.items) {
    if (item.kind !== 'scalar' || typeof item.value !== 'string') continue;
    const [, suffix] = /^\*+([^*]+)$/.exec(item.value) ?? [];
    const [, prefix] = /^([^*]+)\*+$/.exec(item.value) ?? [];
    const edge = suffix === undefined ? prefix && looseEdge(path, prefix, 'prefix') : looseEdge(path, suffix, 'suffix');
    if (edge === undefined || edge === '') continue;
    const message = `the glob "${item.value}" of the rule "${rule.id}" is loose: ${edge.message}`;
    ground.report.add({ code: 'P205', severity: 'warning', place: item, message, hint: edge.hint, rules: [rule.id], proof: 'document' });
  }
}

function covers(wider: unknown, value: unknown, before: boolean): boolean {
  if (wider === value) return before;
  return typeof wider === 'string' && typeof value === 'string' && hasWildcard(wider) && !hasWildcard(value) && compileGlob(wider)(value);
}

function checkNetworks(
  node: Node,
  texts: readonly string[],
  { rule, path, ground }: { readonly rule: CompiledRule; readonly path: string; readonly ground: Ground },
): void {
  const networks = texts.map(parseNetwork);
  const at = (i: number): Node => nodeAt(node, [i]);
  const add = (i: number, found: { code: string; message: string; hint: string }): void =>
    ground.report.add({ ...found, severity: 'warning', place: at(i), rules: [rule.id], proof: 'document' });
  const everything = [true, false].filter((v4) => networks.some((one) => one !== undefined && one.v4 === v4 && isAll(one)));
  for (const [i, network] of networks.entries()) {
    const text = texts[i] ?? '';
    if (network === undefined) continue;
    const canonical = addressOf(network);
    if (isAll(network)) {
      const whole = everything.length === 2 ? 'every address' : network.v4 ? 'every IPv4 address' : 'every IPv6 address';
      add(i, {
        code: 'P107',
        message: `"${text}" contains ${whole}, so the line "${path}" tells nobody apart`,
        hint: 'name the networks that are meant, or remove the line',
      });
    } else if (canonical !== undefined && text.includes('/') && !text.startsWith(`${canonical}/`))
      add(i, {
        code: 'P205',
        message: `"${text}" has bits behind its prefix: it is the network ${canonical}/${text.split('/')[1] ?? ''}`,
        hint: `write ${canonical}/${text.split('/')[1] ?? ''} if that is meant, or the address with /32`,
      });
    const by = networks.findIndex(
      (other, k) => other !== undefined && k !== i && contains(other, network) && (k < i || !contains(network, other)),
    );
    if (by >= 0 && !isAll(network))
      add(i, { code: 'P107', message: `"${text}" adds nothing: "${texts[by] ?? ''}" contains it`, hint: 'remove it' });
  }
}

function isAll({ shift, v4 }: Network): boolean {
  return shift === (v4 ? 32n : 128n);
}

function contains(wider: Network, narrower: Network): boolean {
  return wider.v4 === narrower.v4 && wider.shift >= narrower.shift && narrower.bits >> (wider.shift - narrower.shift) === wider.bits;
}

/** The first address of an IPv4 network; those of IPv6 have too many spellings to compare. */
function addressOf({ bits, shift, v4 }: Network): string | undefined {
  if (!v4) return undefined;
  const first = bits << shift;
  return [24n, 16n, 8n, 0n].map((by) => String((first >> by) & 0xffn)).join('.');
}
