import { canonicalJson, limits } from '#model';
import { isKind, specNode } from '../documents/document.ts';
import type { Document } from '../documents/document.ts';
import type { RequireSpec } from '../documents/kinds/rule.ts';
import { nodeAt } from '../documents/node.ts';
import type { Node } from '../documents/node.ts';
import { durationMs } from '../documents/time.ts';
import type { Ground } from './ground.ts';

type Whole = Pick<Ground, 'documents' | 'report'>;
type Approval = NonNullable<RequireSpec['approval']>;

interface Asked {
  readonly approval: Approval;
  /** The node of the approval. */
  readonly node: Node;
  /** The rule that asks, or whose exception does. */
  readonly rules: readonly string[];
  readonly isException: boolean;
}

/** P107, P205: terms of approvals that have no effect, or less than they seem to have. */
export function checkApprovalTerms(whole: Whole): void {
  for (const document of whole.documents) for (const asked of approvalsOf(document)) checkTerms(asked, whole);
}

function approvalsOf(document: Document): readonly Asked[] {
  if (isKind(document, 'Policy'))
    return document.spec.rules.flatMap((rule, r) => {
      const approval = rule.require?.approval;
      const node = specNode(document, ['rules', r, 'require', 'approval']);
      return approval === undefined ? [] : [{ approval, node, rules: [`${document.name}/${rule.id}`], isException: false }];
    });
  if (!isKind(document, 'Exception') || typeof document.spec.instead !== 'object') return [];
  const approval = document.spec.instead.require?.approval;
  const rules = document.spec.waives.flatMap(({ policy, rules: names }) => names.map((name) => `${policy}/${name}`));
  return approval === undefined
    ? []
    : [{ approval, node: specNode(document, ['instead', 'require', 'approval']), rules, isException: true }];
}

/** The reviewers of a list, whatever their order. */
function whoIs(reviewers: Approval['reviewers']): string {
  return canonicalJson(reviewers.map(({ group, ownerOf, min = 1 }) => canonicalJson({ who: group ?? ownerOf ?? '', min })).sort());
}

function checkTerms({ approval, node, rules, isException }: Asked, { report }: Whole): void {
  const { reviewers, quorum, timeout, escalateTo, grant, excludeRequester } = approval;
  const add = (path: readonly (string | number)[], code: 'P107' | 'P205', [message, hint]: readonly [string, string]): void =>
    report.add({ code, severity: 'warning', place: nodeAt(node, path), message, hint, rules, proof: 'document' });

  for (const [path, list] of [
    [['reviewers'], reviewers],
    [['escalateTo', 'reviewers'], escalateTo?.reviewers ?? []],
  ] as const)
    for (const [i, one] of list.entries())
      if (list.slice(0, i).some((other) => other.group === one.group && other.ownerOf === one.ownerOf))
        add([...path, i], 'P107', [
          'the same reviewers are named twice, and the same person counts for both',
          'name them once, with "min"',
        ]);
  if (excludeRequester === false)
    add(['excludeRequester'], 'P107', ['"excludeRequester: false" has no effect: nobody ever approves what they asked for', 'remove it']);
  if (grant?.ttl !== undefined && durationMs(grant.ttl) === 0)
    add(['grant', 'ttl'], 'P107', ['an approval that is worth nothing a moment later releases nothing', 'give it some time, such as PT5M']);
  if (isException && durationMs(timeout) === 0)
    add(['timeout'], 'P107', [
      'nobody can answer what the exception asks for instead: it waits for no time at all',
      'give reviewers some time, such as PT30M',
    ]);
  const total = durationMs(timeout) + (escalateTo === undefined ? 0 : durationMs(escalateTo.timeout ?? timeout));
  if (total > limits.holdMsMax)
    add(durationMs(timeout) > limits.holdMsMax ? ['timeout'] : ['escalateTo'], 'P107', [
      'no operation waits longer than 24 hours, whatever the rule says',
      'write shorter times; what may take days is asked for before',
    ]);
  if (escalateTo === undefined) return;
  const second = escalateTo.quorum ?? quorum;
  if (whoIs(escalateTo.reviewers) === whoIs(reviewers) && second >= quorum)
    add(['escalateTo', 'reviewers'], 'P107', [
      'those who did not answer are asked again, and nobody else',
      'name others, or give them a longer "timeout"',
    ]);
  if (second < quorum)
    add(['escalateTo', ...(escalateTo.quorum === undefined ? [] : ['quorum'])], 'P205', [
      `after the timeout ${second} of the second group ${second === 1 ? 'is' : 'are'} enough where ${quorum} of the first were needed`,
      `write quorum: ${quorum}, if waiting must not make it easier`,
    ]);
  const least = escalateTo.reviewers.reduce((sum, { min = 1 }) => sum + min, 0);
  if (least > second)
    add(['escalateTo', ...(escalateTo.quorum === undefined ? ['reviewers'] : ['quorum'])], 'P205', [
      `"quorum: ${second}" of the second group says less than its reviewers do: together they are ${least} people`,
      `write quorum: ${least}, or lower "min"`,
    ]);
  if (escalateTo.timeout !== undefined && durationMs(escalateTo.timeout) === 0)
    add(['escalateTo', 'timeout'], 'P107', [
      'nobody of the second group can answer: it is waited for no time at all',
      'give them some time, such as PT15M',
    ]);
}
