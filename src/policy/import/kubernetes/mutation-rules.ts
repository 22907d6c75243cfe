import type { Cursor } from '../cursor.ts';
import type { RuleDraft } from '../draft.ts';
import type { RuleTools } from './admission-policy.ts';
import { member, PatchReader } from './patch.ts';
import type { ConditionalPatch } from './patch.ts';

/** Rules for the mutations of a policy: one transform rule per condition under which patches are made. */
export function mutationRules(mutations: readonly Cursor[], { applies, options }: RuleTools, onError: 'deny' | 'skip'): RuleDraft[] {
  return mutations.flatMap((mutation, i) => {
    mutation.only('patchType', 'applyConfiguration', 'jsonPatch');
    const type = mutation.at('patchType').text() ?? (mutation.at('jsonPatch').exists ? 'JSONPatch' : 'ApplyConfiguration');
    const patches = readPatches(mutation, type, options);
    const groups = Map.groupBy(patches, (patch) => [...patch.conditions, ...patch.needs.map((path) => `${path} != null`)].join(' && '));
    return [...groups].map(
      ([condition, group], n): RuleDraft => ({
        id: groups.size === 1 ? `mutation-${i + 1}` : `mutation-${i + 1}-${n + 1}`,
        effect: 'transform',
        when: applies(condition === '' ? 'true' : condition),
        onError,
        obligations: group.map(({ op, path, value }) => ({
          type: 'mutate',
          patch: { op, path, ...(value === undefined ? {} : { value }) },
        })),
      }),
    );
  });
}

function readPatches(mutation: Cursor, type: string, options: RuleTools['options']): readonly ConditionalPatch[] {
  if (type === 'JSONPatch') return new PatchReader(mutation.path('jsonPatch', 'expression'), options).jsonPatch().patches;
  if (type !== 'ApplyConfiguration') {
    mutation.at('patchType').unsupported(`the patch type "${type}" is not known`, 'patch types: ApplyConfiguration, JSONPatch');
    return [];
  }
  const at = mutation.path('applyConfiguration', 'expression');
  const { patches } = new PatchReader(at, options).applyConfiguration();
  return withParents(patches, at);
}

/**
 * An applied configuration makes the maps on the way to its values; a patch fails without them. So values below one map are added one
 * by one where the map is there, and together with it where it is not.
 */
function withParents(patches: readonly ConditionalPatch[], at: Cursor): ConditionalPatch[] {
  // What is added to a list is added where the list is.
  const appended = patches.filter(({ path }) => path.endsWith('/-'));
  const rest = patches.filter((patch) => !appended.includes(patch));
  const placed = [...Map.groupBy(rest, parentOf)].flatMap(([parent, group]) => {
    // `metadata` and `spec` of an object that is written are always there.
    if (parent.split('/').length <= 2) return group;
    if (parent.split('/').length > 3) at.hint(`the map ${parent.slice(0, parent.lastIndexOf('/'))} must be there for the patch to be made`);
    const present = `has(object${parent
      .split('/')
      .slice(1)
      .map((segment) => member(unescape(segment)))
      .join('')})`;
    return [
      ...group.map((patch) => ({ ...patch, conditions: [...patch.conditions, present] })),
      ...wholes(group, { parent, absent: `!${present}`, at }),
    ];
  });
  return [...placed, ...appended];
}

/** Values below one absent map that depend on more conditions than this would need too many patches. */
const variantsMax = 4;

/**
 * The patches that make an absent map: one for every combination of the conditions its values depend on, since two patches of the same map
 * with different values would contradict each other.
 */
function wholes(
  group: readonly ConditionalPatch[],
  { parent, absent, at }: { readonly parent: string; readonly absent: string; readonly at: Cursor },
): ConditionalPatch[] {
  const conditionOf = (patch: ConditionalPatch): string => (patch.without ?? patch.conditions).join(' && ');
  const groups = [...Map.groupBy(group, conditionOf)];
  const always = groups.find(([condition]) => condition === '')?.[1] ?? [];
  const varying = groups.filter(([condition]) => condition !== '');
  if (varying.length > variantsMax) {
    at.unsupported(`the map ${parent} is not made where it is absent: its values depend on more than ${variantsMax} conditions`);
    return [];
  }
  return Array.from({ length: 2 ** varying.length }, (_, chosen): ConditionalPatch[] => {
    const holds = (bit: number): boolean => (chosen >> bit) % 2 === 1;
    const made = [...always, ...varying.flatMap(([, patches], bit) => (holds(bit) ? patches : []))];
    // Of the two sides of a choice exactly one holds.
    const opposite = (bit: number): number => varying.findIndex(([other]) => other === `!${varying[bit]?.[0] ?? ''}`);
    if (made.length === 0 || varying.some((_one, bit) => opposite(bit) >= 0 && holds(bit) === holds(opposite(bit)))) return [];
    const conditions = varying.flatMap(([condition], bit) =>
      holds(bit) ? [condition] : opposite(bit) >= 0 || varying.some((_other, n) => opposite(n) === bit) ? [] : [`!(${condition})`],
    );
    const value = Object.fromEntries(made.map((patch) => [unescape(patch.path.slice(parent.length + 1)), patch.value]));
    return [{ conditions: [...conditions, absent], needs: made.flatMap((patch) => patch.needs), op: 'add', path: parent, value }];
  }).flat();
}

function parentOf({ path }: ConditionalPatch): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function unescape(segment: string): string {
  return segment.replaceAll('~1', '/').replaceAll('~0', '~');
}
