import type { SourceFile } from '../../source.ts';
import type { Draft } from '../draft.ts';
import type { SourceDocument } from '../source.ts';
import { answerCases } from './answers.ts';
import { caseFiles } from './case.ts';
import { chainsawCases } from './chainsaw.ts';
import { kyvernoCases } from './kyverno-test.ts';
import { recordedCases } from './recorded.ts';
import { statementCases } from './statements.ts';
import { suiteCases } from './suite.ts';

/** A first set of cases for what was imported: those of the sources' own tests, and what the policies do with what was at hand. */
export function firstCases(draft: Draft, sources: readonly SourceDocument[], documents: readonly SourceFile[]): SourceFile[] {
  const own = [...suiteCases(draft, sources), ...kyvernoCases(draft, sources), ...chainsawCases(draft, sources)];
  const cases = [...own, ...draft.cases, ...answerCases(draft), ...recordedCases(draft, sources), ...statementCases(draft)];
  const kept = new Set(documents);
  const policies = new Set(
    draft.policies.filter(({ name }) => {
      const file = draft.written.get(`Policy/${name}`);
      return file !== undefined && kept.has(file);
    }),
  );
  return caseFiles(
    draft,
    cases.filter((one) => policies.has(one.policy)),
  );
}
