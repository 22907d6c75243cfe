import type { CallExpression, CelExpression } from '../../cel/index.ts';
import { extentOf } from '../expression/edit.ts';
import type { Edit } from '../expression/edit.ts';
import { quote } from '../kubernetes/selector.ts';

/** The reference without its digest, and the last part of that: what may end in a tag. */
const named = 'ref.split("@")[0]';
const last = `${named}.substring(${named}.lastIndexOf("/") + 1)`;
const digest = '(ref.contains("@") ? ref.split("@")[1] : "")';
const tag = `(${last}.contains(":") ? ${last}.substring(${last}.indexOf(":") + 1) : ref.contains("@") ? "" : "latest")`;
/** The first part is a registry when it looks like a host. */
const host = 'ref.split("/")[0]';
const hosted = `(ref.contains("/") && (${host}.contains(".") || ${host}.contains(":")))`;
const hub = 'index.docker.io';
const onHub = `(!${hosted} || ${host} in ["docker.io", ${quote(hub)}])`;
const path = `(${hosted} ? ${named}.substring(${named}.indexOf("/") + 1) : ${named})`;
const untagged = `(${last}.contains(":") ? ${path}.substring(0, ${path}.lastIndexOf(":")) : ${path})`;

/** CEL over `ref`, by function. SPEC: Kyverno's CEL image library, which parses as go-containerregistry does. */
const parts: Readonly<Record<string, string>> = {
  containsDigest: 'ref.contains("@")',
  digest,
  tag,
  identifier: `(ref.contains("@") ? ${digest} : ${tag})`,
  registry: `(${onHub} ? ${quote(hub)} : ${host})`,
  repository: `(${onHub} && !${untagged}.contains("/") ? "library/" + ${untagged} : ${untagged})`,
};

const reference =
  '^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-][a-z0-9._-]*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[a-f0-9]{64})?$';

/** `image(x).registry()` and its like say nothing that is not in the text: they are computed where they stand. */
export function imagePart(call: CallExpression, source: string): readonly Edit[] | undefined {
  const [argument] = call.args;
  if (call.name === 'isImage' && call.target === undefined && argument !== undefined)
    return around(call, extentOf(source, argument), { before: '(', after: `).matches(${quote(reference)})` });
  const part = Object.hasOwn(parts, call.name) ? parts[call.name] : undefined;
  if (part === undefined || !isImage(call.target)) return undefined;
  const [image] = call.target.args;
  if (image === undefined) return undefined;
  return around(call, extentOf(source, image), { before: 'cel.bind(ref, string(', after: `), ${part})` });
}

function around(
  call: CallExpression,
  inner: { readonly start: number; readonly end: number },
  { before, after }: { readonly before: string; readonly after: string },
): readonly Edit[] {
  return [
    { start: call.start, end: inner.start, text: before },
    { start: inner.end, end: call.end, text: after },
  ];
}

function isImage(e: CelExpression | undefined): e is CallExpression {
  return e?.kind === 'call' && (e.name === 'image' || e.name === 'parseImageReference') && e.target === undefined && e.args.length === 1;
}
