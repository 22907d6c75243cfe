import { compileBundle } from '#policy';
import type { BundleDocument, SourceFile } from '#policy';
import type { RecordedDecision } from '../evidence/recorded.ts';

/** A recorded decision with the text of its rules at hand. */
export interface Explained {
  readonly explanation: string;
  /** Each rule that applied, with what its policy is called and the file it stands in, where the bundle tells. */
  readonly matched: (RecordedDecision['decision']['matched'][number] & { readonly title?: string; readonly file?: string })[];
}

/** Explains a recorded decision by the bundle it names; `files` are that bundle's. */
export function explainDecision(decided: RecordedDecision, files: readonly SourceFile[]): Explained {
  const compiled = compileBundle(files);
  const documents = compiled.ok ? compiled.bundle.documents : [];
  const matched = decided.decision.matched.map((one) => {
    const document = policyOf(one.rule, documents);
    return document === undefined ? one : { ...one, title: document.title ?? document.name, file: document.path };
  });
  return { explanation: inWords(decided, documents), matched };
}

/**
 * A recorded decision in words: the verdict, each rule that applied with the place where its policy stands, and what the rules read.
 * The bundle is the one the decision names by digest.
 */
function inWords({ what, who, decision }: RecordedDecision, documents: readonly BundleDocument[]): string {
  const lines = [`${who.subject}: ${what.verb} on ${what.resource} → ${decision.verdict} (${decision.reason})`];
  if (decision.matched.length === 0) lines.push('no rule applied; what no rule allows is denied');
  for (const matched of decision.matched) {
    const decisive = decision.rules.includes(matched.rule) ? ', decided' : '';
    const mode = matched.mode === 'enforce' ? '' : `, only in ${matched.mode} mode`;
    const by = matched.by === undefined ? '' : `, changed by ${matched.by}`;
    lines.push(`  ${matched.rule} (${matched.effect}${decisive}${mode}${by})${placeOf(matched.rule, documents)}`);
  }
  for (const error of decision.errors ?? []) lines.push(`  error in ${error.rule}, ${error.part}: ${error.message}`);
  for (const requirement of decision.requirements ?? []) lines.push(`  ${requirement.rule} asks for approval (${requirement.reason})`);
  if (decision.obligations.length > 0) lines.push(`with ${decision.obligations.join(', ')}`);
  const reads = Object.entries(decision.reads);
  if (reads.length > 0) lines.push('read:', ...reads.map(([path, value]) => `  ${path} = ${JSON.stringify(value)}`));
  for (const { fact, engine, status, because, latencyUs } of decision.facts ?? []) {
    const said = because === undefined ? status : `${status} (${because})`;
    lines.push(`asked ${engine} for facts.${fact}: ${said}, ${(latencyUs / 1000).toFixed(1)} ms`);
  }
  lines.push(`bundle ${decision.bundle.name} ${decision.bundle.version} ${decision.bundle.digest}`);
  return lines.join('\n');
}

function placeOf(rule: string, documents: readonly BundleDocument[]): string {
  const document = policyOf(rule, documents);
  if (document === undefined) return '';
  return ` — ${document.title ?? document.name}, ${document.path}:${document.line}`;
}

function policyOf(rule: string, documents: readonly BundleDocument[]): BundleDocument | undefined {
  const policy = rule.split('/')[0];
  return documents.find((one) => one.kind === 'Policy' && one.name === policy);
}
