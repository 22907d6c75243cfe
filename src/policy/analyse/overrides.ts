import { isKind, specNode } from '../documents/document.ts';
import type { Document, DocumentOf } from '../documents/document.ts';
import { instantMs } from '../documents/time.ts';
import type { Ground } from './ground.ts';

type Whole = Pick<Ground, 'bundle' | 'documents' | 'report' | 'now'>;
type Override = Document & DocumentOf<'Override'>;

/** P106, P107, P205: overrides that change nothing, or something else than one would think. */
export function checkOverrides({ bundle, documents, report }: Whole): void {
  const overrides = documents.filter((document): document is Override => isKind(document, 'Override'));
  const rules = new Map(bundle.compiled.rules.map((rule) => [rule.id, rule]));
  for (const [o, document] of overrides.entries()) {
    const { name, spec } = document;
    for (const [i, id] of spec.rules.entries()) {
      const add = (code: string, message: string, hint: string): void =>
        report.add({ code, severity: 'warning', place: specNode(document, ['rules', i]), message, hint, rules: [id], proof: 'document' });
      const rule = rules.get(id);
      if (rule === undefined) continue;
      if (spec.rules.indexOf(id) < i) add('P106', `the override "${name}" names the rule "${id}" twice`, 'name it once');
      if (rule.mode === spec.mode && rule.changes.rollouts.length === 0)
        add('P107', `the override "${name}" changes nothing: the mode of the rule "${id}" is ${rule.mode} already`, 'remove it');
      if (rule.effect === 'allow')
        add(
          'P205',
          `the override "${name}" switches an allow off: what only "${id}" allows is refused while it lasts`,
          'override what refuses; to refuse more, write a deny',
        );
      const other = overrides.slice(0, o).find((one) => one.spec.rules.includes(id) && one.spec.mode !== spec.mode && meet(one, document));
      if (other !== undefined)
        add(
          'P106',
          `"${other.name}" makes the rule "${id}" ${other.spec.mode} at the same time; where both hold, audit counts`,
          'remove one of them',
        );
    }
  }
}

function meet(one: Override, other: Override): boolean {
  return instantMs(one.spec.notBefore) < instantMs(other.spec.expires) && instantMs(other.spec.notBefore) < instantMs(one.spec.expires);
}
