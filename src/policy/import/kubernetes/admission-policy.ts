import { limits } from '#model';
import type { Mode } from '#model';
import { compile, EvalError } from '../../cel/index.ts';
import type { Cursor } from '../cursor.ts';
import type { Draft, RuleDraft } from '../draft.ts';
import type { Dialect } from '../expression/rewrite.ts';
import { Realm, translate } from '../expression/translate.ts';
import { plainMessage } from '../message.ts';
import { identifier, Names, reasonCode } from '../name.ts';
import type { SourceDocument } from '../source.ts';
import type { MatchSpec } from '../draft.ts';
import { publicMessage } from './public-message.ts';
import type { MessageOptions } from './public-message.ts';

/** A policy over admission requests in whatever language of the Kubernetes family, ready to be said in ours. */
export interface AdmissionPolicy {
  readonly source: SourceDocument;
  readonly name: string;
  readonly title: string;
  readonly description?: string | undefined;
  readonly mode: Mode;
  /** What happens when something cannot be evaluated. */
  readonly onError: 'deny' | 'skip';
  readonly match: MatchSpec;
  /** CEL of ours that must hold besides. */
  readonly conditions: readonly string[];
  readonly matchConditions: readonly Cursor[];
  readonly variables: readonly Cursor[];
  readonly validations: readonly Cursor[];
  readonly auditAnnotations: readonly Cursor[];
  /** The dialect, given the names of the variables so far. */
  readonly dialect: (variables: ReadonlyMap<string, string>) => Dialect;
  /** Variables that the language itself defines, `variables.name` → CEL of ours. */
  readonly givenVariables?: Readonly<Record<string, string>>;
  /** Values of DataSets, for messages. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Facts the translated expressions read; filled while they are translated. */
  readonly facts?: ReadonlySet<string>;
  /** Rules besides the validations. */
  readonly extraRules?: (tools: RuleTools) => readonly RuleDraft[];
  /** Reason code where a validation names none. */
  readonly defaultReason: string;
  readonly waivable?: boolean;
}

export interface RuleTools {
  /** Guards a condition by what selects requests. */
  readonly applies: (condition: string) => string;
  /** For translating further expressions of the policy. */
  readonly options: MessageOptions;
}

/** State while one policy is said: the variables that could be translated, by both names. */
class Speaker {
  readonly realm = new Realm('k8s.admission');
  readonly texts: Record<string, string> = {};
  readonly names = new Map<string, string>();
  /** Values of variables that depend on nothing but data. */
  readonly vars: Record<string, unknown> = {};
  readonly #policy: AdmissionPolicy;
  readonly #fresh = new Names('_');

  constructor(policy: AdmissionPolicy) {
    this.#policy = policy;
    this.#fresh.fresh('applies');
  }

  get options() {
    const known = { data: this.#policy.data, vars: this.vars };
    return { dialect: this.#policy.dialect(this.names), realm: this.realm, known };
  }

  define(name: string, said: { text: string; type: Parameters<Realm['define']>[1] }, fresh = this.#fresh.fresh(identifier(name))): void {
    this.texts[fresh] = said.text;
    this.realm.define(fresh, said.type);
    this.names.set(name, `vars.${fresh}`);
    const compiled = compile(said.text, { variables: this.realm.variables, costMax: limits.conditionCostMax });
    if (!compiled.ok) return;
    try {
      this.vars[fresh] = compiled.program.evaluate({ data: this.#policy.data, vars: this.vars });
    } catch (error) {
      // Most variables read the object, which is not there yet.
      if (!(error instanceof EvalError)) throw error;
    }
  }
}

/** Writes the policy: one deny rule per validation, with shared variables. */
export function draftAdmissionPolicy(draft: Draft, policy: AdmissionPolicy): void {
  const speaker = new Speaker(policy);
  const conditions = [...policy.conditions];
  for (const [name, text] of Object.entries(policy.givenVariables ?? {})) given(speaker, name, text);
  for (const condition of policy.matchConditions) {
    condition.only('name', 'expression');
    const said = translate(condition.at('expression'), { ...speaker.options, result: 'bool' });
    if (said === undefined) {
      policy.source.root.unsupported(
        'the policy is not imported: one of its match conditions cannot be evaluated here, so it would apply to too much',
      );
      return;
    }
    conditions.push(said.text);
  }
  const applies = shared(conditions, speaker);
  for (const variable of policy.variables) {
    variable.only('name', 'expression');
    const name = variable.at('name').text();
    const said = translate(variable.at('expression'), speaker.options);
    if (name !== undefined && said !== undefined) speaker.define(name, said);
  }
  const rules = [
    ...policy.validations.flatMap((validation, i) => validationRule(validation, { policy, speaker, applies, position: i + 1 }) ?? []),
    ...policy.auditAnnotations.flatMap((annotation) => annotationRule(annotation, { policy, speaker, applies }) ?? []),
    ...(policy.extraRules?.({ applies, options: speaker.options }) ?? []),
  ];
  draft.policy({
    name: policy.name,
    title: policy.title,
    description: policy.description,
    source: policy.source,
    target: 'k8s.admission',
    modeAtSource: policy.mode,
    match: policy.match,
    variables: usedBy(rules, speaker.texts),
    facts: [...(policy.facts ?? [])].sort(),
    rules,
  });
}

function given(speaker: Speaker, name: string, text: string): void {
  const compiled = compile(text, { variables: speaker.realm.variables });
  if (compiled.ok && !/^data\.\w+$/.test(text)) speaker.define(name, { text, type: compiled.program.type });
  else speaker.names.set(name, text);
}

/**
 * Guards a condition by what selects requests. Written as a choice, not as `&&`: a selection that cannot be evaluated must be an error,
 * even where the condition would have been false.
 */
function shared(conditions: readonly string[], speaker: Speaker): (condition: string) => string {
  if (conditions.length === 0) return (condition) => condition;
  speaker.texts['applies'] = conditions.length === 1 ? (conditions[0] ?? '') : conditions.map((condition) => `(${condition})`).join(' && ');
  speaker.realm.define('applies', { kind: 'bool' });
  return (condition) => (condition === 'true' ? 'vars.applies' : `vars.applies ? ${condition} : false`);
}

interface RuleContext {
  readonly policy: AdmissionPolicy;
  readonly speaker: Speaker;
  readonly applies: (condition: string) => string;
}

function validationRule(validation: Cursor, context: RuleContext & { position: number }): RuleDraft | undefined {
  const { policy, speaker, applies, position } = context;
  validation.only('expression', 'message', 'messageExpression', 'reason');
  const said = translate(validation.at('expression'), { ...speaker.options, result: 'bool' });
  const spoken = validation.at('messageExpression').exists ? publicMessage(validation.at('messageExpression'), speaker.options) : undefined;
  const message = spoken ?? validation.at('message').text() ?? `${policy.title} refuses this request.`;
  if (said === undefined) return undefined;
  const reason = validation.at('reason').text();
  return {
    id: `validation-${position}`,
    effect: 'deny',
    when: applies(`!(${said.text})`),
    onError: policy.onError,
    reason: reasonCode(reason ?? policy.defaultReason),
    message: spoken === undefined ? plainMessage(message) : message.slice(0, 500),
    ...(policy.waivable === undefined ? {} : { waivable: policy.waivable }),
  };
}

/** An audit annotation becomes an observation: that it was made is recorded, with the attributes it read, not the text it computed. */
function annotationRule(annotation: Cursor, { speaker, applies }: RuleContext): RuleDraft | undefined {
  annotation.only('key', 'valueExpression');
  const key = annotation.at('key').text() ?? 'annotation';
  const said = translate(annotation.at('valueExpression'), speaker.options);
  if (said === undefined) return undefined;
  annotation.info('the annotation is recorded as an observation with the attributes it read; its text is not computed');
  const value = `dyn(${said.text})`;
  return {
    id: `annotation-${identifier(key).replaceAll('_', '-')}`.slice(0, 63),
    effect: 'observe',
    when: applies(`!(${value} in [null, ""])`),
  };
}

/** Only the variables that rules need, and those these need: an unused one would only be something to read. */
function usedBy(rules: readonly RuleDraft[], texts: Readonly<Record<string, string>>): Record<string, string> {
  const needed = new Set<string>();
  const visit = (text: string): void => {
    for (const [, name = ''] of text.matchAll(/\bvars\.([a-z][a-z0-9_]*)/g)) {
      const next = texts[name];
      if (next === undefined || needed.has(name)) continue;
      needed.add(name);
      visit(next);
    }
  };
  for (const rule of rules) visit(JSON.stringify(rule));
  return Object.fromEntries(Object.entries(texts).filter(([name]) => needed.has(name)));
}
