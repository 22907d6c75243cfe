import type { Target } from '#model';
import { didYouMean } from '../../problem.ts';
import { entityTypes } from './vocabulary.ts';

export interface Stranger {
  readonly construct: string;
  readonly message: string;
  readonly suggestion: string;
}

/**
 * Entities in a policy's JSON form that no request of the target ever has. A permit about them is no harm; a forbid, or an `unless`, would
 * quietly never apply.
 */
export function strangers(policy: unknown, target: Target): readonly Stranger[] {
  const known = entityTypes(target);
  const found = new Map<string, Stranger>();
  for (const { type, id } of entitiesIn(policy)) {
    const construct = id === undefined ? type : `${type}::${JSON.stringify(id)}`;
    const stranger = strange({ type, id }, { known, target });
    if (stranger !== undefined) found.set(construct, { construct, ...stranger });
  }
  return [...found.values()];
}

interface Entity {
  readonly type: string;
  /** Not there where only the type is named: `principal is User`. */
  readonly id: string | undefined;
}

function strange({ type, id }: Entity, of: { known: readonly string[]; target: Target }): Omit<Stranger, 'construct'> | undefined {
  if (!of.known.includes(type)) {
    return {
      message: `no operation on ${of.target} has an entity of the type ${type}; the file is not imported`,
      suggestion: didYouMean(type, of.known) ?? `types: ${of.known.join(', ')}`,
    };
  }
  const prefix = `${type.toLowerCase()}:`;
  if (id?.startsWith(prefix) === true && ['User', 'Service', 'Agent'].includes(type)) {
    const bare = `${type}::${JSON.stringify(id.slice(prefix.length))}`;
    return { message: 'the type is said already, so no id has it in front; the file is not imported', suggestion: `write ${bare}` };
  }
  if (of.target === 'sql' && type === 'Action' && id !== undefined && !/^[a-z]+(?:[ _][a-z]+)*$/.test(id)) {
    return {
      message: 'the actions on SQL are the verbs of its statements, in lower case; the file is not imported',
      suggestion: 'verbs: select, insert, update, delete, truncate, create, alter, drop, grant, …',
    };
  }
  return undefined;
}

/** Every entity and every type that a policy names. SPEC: Cedar's JSON policy format: `{type, id}`, and `entity_type` of `is`. */
function entitiesIn(value: unknown): readonly Entity[] {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.values(value).flatMap(entitiesIn);
  if ('entity_type' in value && typeof value.entity_type === 'string') return [{ type: value.entity_type, id: undefined }, ...inner];
  if ('type' in value && 'id' in value && typeof value.type === 'string' && typeof value.id === 'string')
    return [{ type: value.type, id: value.id }];
  return inner;
}
