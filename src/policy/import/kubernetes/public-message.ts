import { compile, EvalError, parse, toPlain } from '../../cel/index.ts';
import type { CelExpression } from '../../cel/index.ts';
import type { Cursor } from '../cursor.ts';
import { extentOf } from '../expression/edit.ts';
import type { Realm, TranslateOptions } from '../expression/translate.ts';
import { translate } from '../expression/translate.ts';
import { plainMessage } from '../message.ts';

export interface MessageOptions extends TranslateOptions {
  /** What is known already while importing: parameters, and variables made of them. */
  readonly known: Readonly<Record<string, unknown>>;
}

/**
 * The message of a `messageExpression`. Messages here are public text with places for public attributes: parts that are constant once
 * the parameters are known are computed now, public attributes become places, and what reads the object becomes `…`.
 */
export function publicMessage(cursor: Cursor, options: MessageOptions): string | undefined {
  const translated = translate(cursor, options);
  if (translated === undefined) return undefined;
  const parsed = parse(translated.text);
  if (!parsed.ok) return undefined;
  const said = speak(parsed.ast, { source: translated.text, options });
  if (said.lost) {
    cursor.hint(
      'the parts of the message that read the object are left out: messages are shown to whoever asks and hold only public attributes',
      'say in the message what to do; the decision record keeps the values',
    );
  }
  // A message of which nothing is left but gaps says less than the name of the policy.
  return /\p{L}/u.test(said.text) ? said.text : undefined;
}

interface Said {
  readonly text: string;
  readonly lost: boolean;
}
interface Speech {
  readonly source: string;
  readonly options: MessageOptions;
}

function speak(e: CelExpression, speech: Speech): Said {
  const known = constant(e, speech);
  if (known !== undefined) return { text: edges(known), lost: false };
  if (e.kind === 'binary' && e.op === '+') return joined([speak(e.left, speech), speak(e.right, speech)]);
  if (e.kind === 'call' && e.name === 'string' && e.target === undefined && e.args[0] !== undefined) return speak(e.args[0], speech);
  if (e.kind === 'call' && e.name === 'format' && e.target?.kind === 'literal' && e.args[0]?.kind === 'list') {
    const parts = String(e.target.value).split(/%(?:\.\d+)?[sdfebxXo]/);
    const values = e.args[0].elements.map((element) => speak(element.value, speech));
    return joined(parts.flatMap((part, i) => [{ text: edges(part), lost: false }, ...(i < parts.length - 1 ? [values[i] ?? lost] : [])]));
  }
  const place = publicPlaces[speech.source.slice(e.start, e.end)];
  return place === undefined ? lost : { text: place, lost: false };
}

const lost: Said = { text: '…', lost: true };

/** Attributes of the admission request that may be shown, by what they are called in translated expressions. */
const publicPlaces: Readonly<Record<string, string>> = {
  'admission.namespace': '{request.namespace}',
  'admission.name': '{request.name}',
  'admission.operation': '{request.operation}',
  'admission.kind.kind': '{request.kind}',
  'admission.resource.resource': '{request.resource}',
  // What an object is called is what the request for it says.
  'object.kind': '{request.kind}',
  'object.metadata.name': '{request.name}',
  'object.metadata.namespace': '{request.namespace}',
};

function joined(parts: readonly Said[]): Said {
  return { text: parts.map((part) => part.text).join(''), lost: parts.some((part) => part.lost) };
}

/** Safe text that keeps the white space at its ends: it stands between other parts. */
function edges(text: string): string {
  const lead = /^\s/.test(text) ? ' ' : '';
  const trail = /\s$/.test(text) && text.trim() !== '' ? ' ' : '';
  return lead + plainMessage(text) + trail;
}

/** The text of an expression that reads nothing but what is known already. */
function constant(e: CelExpression, { source, options }: Speech): string | undefined {
  const { start, end } = extentOf(source, e);
  const compiled = compile(source.slice(start, end), { variables: environment(options.realm) });
  if (!compiled.ok) return undefined;
  try {
    const value = toPlain(compiled.program.evaluate(options.known));
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

function environment(realm: Realm) {
  return realm.variables;
}
