/**
 * Decides: policy documents in, decisions out.
 *
 * Invariants: pure and total — no clock, no I/O, no state that a decision could show; the same bundle and the same request give the same decision
 * on every machine; the order of documents and files never matters; whatever goes wrong inside a decision is a deny.
 * Deliberately not here: how a decision is enforced, stored or approved; how attributes are found out (`#inspect`); counting of quotas.
 */
export * from './analyse/index.ts';
export { compileBundle, compilingBundle } from './bundle.ts';
export type { Bundle, BundleDocument, CompileResult } from './bundle.ts';
export * from './bundle-archive/index.ts';
export type { Gate, GateMetric, RolloutTerms } from './compile/rollouts.ts';
export { decide } from './decide/decide.ts';
export { explain, formatExplanation } from './explain.ts';
export type { AtomExplanation, ConditionExplanation, Explanation, RuleExplanation } from './explain.ts';
export { cedarFactOf, cedarQuestions } from './import/cedar/evaluate.ts';
export { factsRead, mayRead } from './facts.ts';
export { foreignInput } from './foreign/projection.ts';
export { labelMatches } from './match/glob.ts';
export { formatFile } from './documents/canonical-style.ts';
export { kinds } from './documents/kinds/index.ts';
export { targets } from './documents/kinds/policy.ts';
export { policyPages } from './documents/pages.ts';
export { templateOf } from './documents/templates.ts';
export { attributePage } from './documents/attribute-page.ts';
export { policySchema } from './documents/json-schema.ts';
export { planChange } from './plan/plan.ts';
export type { Plan, PlanFiles, PlanProgress, PlanResult } from './plan/plan.ts';
export type { Backtest, BacktestClass } from './plan/backtest.ts';
export type { ChangeClass } from './plan/classes.ts';
export { formatProblem } from './problem.ts';
export type { Edit, Problem } from './problem.ts';
export { candidateOf, withCandidate } from './with-candidate.ts';
export { readsOf } from './reads.ts';
export { sarifLog } from './sarif.ts';
export type { SarifOptions } from './sarif.ts';
export { strictestMask, tighten } from './decide/merge.ts';
export type { SourceFile } from './source.ts';
