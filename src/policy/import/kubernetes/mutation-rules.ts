import type { Cursor } from '../cursor.ts';
import type { RuleDraft } from '../draft.ts';
import type { RuleTools } from './admission-policy.ts';
import { PatchReader } from './patch.ts';
import type { ConditionalPatch } from './patch.ts';
import { quote } from './selector.ts';

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
  const groups = Map.groupBy(patches, (patch) => JSON.stringify([parentOf(patch), patch.conditions]));
  return [...groups.values()].flatMap((group) => {
    const parent = group[0] === undefined ? '' : parentOf(group[0]);
    // `metadata` and `spec` of an object that is written are always there.
    if (parent.split('/').length <= 2) return group;
    if (parent.split('/').length > 3) at.hint(`the map ${parent.slice(0, parent.lastIndexOf('/'))} must be there for the patch to be made`);
    const present = `has(object${parent.split('/').slice(1).map(field).join('')})`;
    const conditions = group[0]?.conditions ?? [];
    const value = Object.fromEntries(group.map((patch) => [unescape(patch.path.slice(parent.length + 1)), patch.value]));
    return [
      ...group.map((patch) => ({ ...patch, conditions: [...patch.conditions, present] })),
      { conditions: [...conditions, `!${present}`], needs: group.flatMap((patch) => patch.needs), op: 'add' as const, path: parent, value },
    ];
  });
}

function parentOf({ path }: ConditionalPatch): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function field(segment: string): string {
  const name = unescape(segment);
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? `.${name}` : /^[A-Za-z0-9_./ -]+$/.test(name) ? `.\`${name}\`` : `[${quote(name)}]`;
}

function unescape(segment: string): string {
  return segment.replaceAll('~1', '/').replaceAll('~0', '~');
}
