import { z } from 'zod';
import { Fault, limits } from '#model';
import type { GatewayCalls } from '#model';

const name = z.string().min(1).max(200);
const text = z.string().max(limits.statementBytesMax);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const index = z.number().int().min(0);
/** SPEC: a log origin is a URL without schema; no white space, no plus sign. */
const origin = z.string().regex(/^[^\s+]{1,200}$/);

const reviewers = z
  .array(
    z
      .object({ group: name.exactOptional(), ownerOf: z.literal('resource').exactOptional(), min: z.number().int().min(0) })
      .refine((one) => (one.group === undefined) !== (one.ownerOf === undefined), 'either a group or ownerOf'),
  )
  .min(1);

const approval = z.object({
  reviewers,
  quorum: z.number().int().min(0),
  excludeRequester: z.boolean(),
  timeoutMs: z.number().int().min(0),
  onTimeout: z.enum(['deny', 'escalate']),
  escalateTo: z.object({ reviewers, quorum: z.number().int().min(0), timeoutMs: z.number().int().min(0) }).exactOptional(),
  grant: z.object({ uses: z.number().int().min(1), ttlMs: z.number().int().min(1) }),
});

const hold = z.object({
  session: name,
  operation: name,
  decision: name,
  subject: z.object({
    id: name,
    name,
    groups: z.array(z.string()),
    onBehalfOf: z.object({ id: name, verified: z.boolean() }).exactOptional(),
  }),
  resource: z.object({ id: name, name, owner: z.string() }),
  source: z.string().max(200),
  client: z.string().max(1_000),
  verb: z.string().max(10_000),
  text,
  parameters: z.array(text.nullable()),
  objects: z.array(z.string()),
  bundle: digest,
  requirements: z.array(
    z.object({ rule: name, reason: z.string(), message: z.string(), bound: z.string().regex(/^[0-9a-f]{64}$/), approval }),
  ),
  timeoutMs: z.number().int().min(0),
});

const keyText = z.string().max(1_000);
const rotation = z.object({ previous: keyText, vkey: keyText, signature: keyText, accepted: keyText });

/** What a gateway may send: parsed here, trusted inside. */
const schemas = {
  hello: z.object({
    node: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
    version: name,
    ledger: z.object({ origin, vkey: z.string().min(1).max(1_000), rotations: z.array(rotation).max(100).exactOptional() }),
    secret: z.string().min(1).max(1_000),
    witness: z.string().max(1_000).exactOptional(),
  }),
  'login.verifiers': z.object({ name: z.string().max(200) }),
  'hold.open': hold,
  'hold.withdraw': z.object({ request: name, reason: z.string().max(1_000) }),
  'hold.used': z.object({ request: name, grant: name }),
  'ledger.entries': z.object({ origin, first: index, entries: z.array(z.string().max(limits.entryBytesMax)) }),
  'ledger.checkpoint': z.object({ origin, note: z.string().max(4_096) }),
  'ledger.compare': z.object({
    origin,
    first: index,
    count: z.number().int().min(1).max(256),
    digest: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  'policy.inForce': z.object({ digest, since: index }),
} satisfies { [Method in keyof GatewayCalls]: z.ZodType<GatewayCalls[Method]['params']> };

export type GatewayMethod = keyof GatewayCalls;

export function isGatewayMethod(method: string): method is GatewayMethod {
  return Object.hasOwn(schemas, method);
}

/** The parameters of a call, checked. Throws INVALID_INPUT with the path of the first mistake. */
export function readParams<Method extends GatewayMethod>(method: Method, params: unknown): GatewayCalls[Method]['params'] {
  const result = schemas[method].safeParse(params);
  // The schema of each method yields that method's parameters, as `satisfies` above checks; indexing loses the relation.
  if (result.success) return result.data as GatewayCalls[Method]['params'];
  const issue = result.error.issues[0];
  throw new Fault('INVALID_INPUT', `${method}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is wrong'}`);
}
