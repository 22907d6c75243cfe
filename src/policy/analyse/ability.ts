import type { ObligationType, Target } from '#model';
import { placeOf } from './ground.ts';
import { fitsEverything } from './loose.ts';
import type { Ground } from './ground.ts';

type Whole = Pick<Ground, 'bundle' | 'report' | 'sources'>;

/** Targets whose operations have what an obligation changes. What is not listed here any operation has. */
const subjects: Partial<Record<ObligationType, { readonly targets: readonly Target[]; readonly what: string }>> = {
  mask: { targets: ['sql'], what: 'columns of a result' },
  row_limit: { targets: ['sql'], what: 'rows of a result' },
  redact: { targets: ['sql', 'http', 'tool', 'llm', 'egress'], what: 'text that is passed on' },
  mutate: { targets: ['k8s.admission', 'http', 'tool', 'llm', 'egress'], what: 'document that could be changed' },
  route: { targets: ['llm', 'http', 'tool', 'egress', 'sql'], what: 'choice of where they go' },
};

/** P301, P107: obligations that operations of the target have nothing for, and obligations that do nothing. */
export function checkAbility({ bundle, report, sources }: Whole): void {
  for (const rule of bundle.compiled.rules) {
    if (rule.mode === 'off') continue;
    const approval = rule.require?.approval;
    const least = approval?.reviewers.reduce((sum, { min }) => sum + min, 0) ?? 0;
    if (approval !== undefined && least > approval.quorum) {
      report.add({
        code: 'P205',
        severity: 'warning',
        place: placeOf(rule, ['require', 'approval', 'quorum'], { sources }),
        message: `"quorum: ${approval.quorum}" says less than the reviewers do: together they are ${least} people`,
        hint: `write quorum: ${least}, or lower "min"`,
        rules: [rule.id],
        proof: 'document',
      });
    }
    const ticket = rule.require?.justification?.ticket;
    if (approval?.timeoutMs === 0 || (ticket !== undefined && fitsEverything(ticket))) {
      const path =
        ticket !== undefined && fitsEverything(ticket) ? ['require', 'justification', 'ticket'] : ['require', 'approval', 'timeout'];
      report.add({
        code: 'P107',
        severity: 'warning',
        place: placeOf(rule, path, { sources }),
        message: path.includes('ticket')
          ? `every text is a ticket for "${ticket ?? ''}" of the rule "${rule.id}"`
          : `nobody can answer the rule "${rule.id}": it waits for no time at all`,
        hint: path.includes('ticket') ? 'say what a ticket looks like, such as ^OPS-[0-9]+$' : 'give reviewers some time, such as PT30M',
        rules: [rule.id],
        proof: 'document',
      });
    }
    for (const [i, { spec }] of rule.obligations.entries()) {
      const { target } = rule.policy;
      const subject = subjects[spec.type];
      const place = placeOf(rule, ['obligations', i], { sources });
      if (subject !== undefined && !subject.targets.includes(target)) {
        report.add({
          code: 'P301',
          severity: 'error',
          place,
          message: `no point can do ${spec.type} for the target ${target}: its operations have no ${subject.what}, so the rule "${rule.id}" would refuse all of them`,
          hint: `${spec.type} is for ${subject.targets.join(', ')}`,
          rules: [rule.id],
          proof: 'document',
        });
        continue;
      }
      const idle =
        spec.type === 'mask' && spec.with.strategy === 'none'
          ? 'a mask with the strategy none changes nothing'
          : spec.type === 'row_limit' && spec.max === 0
            ? 'a row limit of 0 returns no row at all'
            : undefined;
      if (idle === undefined) continue;
      const hint =
        spec.type === 'mask'
          ? 'choose partial, tokenize, hash, redact or drop, or remove it'
          : 'write a deny with a reason, or a larger number';
      report.add({
        code: 'P107',
        severity: 'warning',
        place,
        message: `${idle} (rule "${rule.id}")`,
        hint,
        rules: [rule.id],
        proof: 'document',
      });
    }
  }
}
