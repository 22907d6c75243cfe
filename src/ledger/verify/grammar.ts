/**
 * What each kind of record must hold. A closed set: a kind that is not here is not a record of this log. Fields that are not named here
 * may be present (a later version may add some); those named must have their type, and every number must be whole.
 */
export type Shape =
  | 'text'
  | 'hash'
  | 'count'
  | 'integer'
  | 'flag'
  | 'whole'
  | readonly [Shape]
  | { readonly oneOf: readonly string[] }
  | { readonly map: Shape }
  | { readonly fields: Fields };
/** A name that ends in `?` may be absent. */
type Fields = { readonly [name: string]: Shape };

const subject: Shape = { fields: { subject: 'text', 'onBehalfOf?': 'text' } };
const bundle: Shape = { fields: { name: 'text', version: 'text', digest: 'text' } };
const verdict: Shape = { oneOf: ['allow', 'deny', 'pending'] };
const evidence: Shape = { fields: { commit: 'hash', bytes: 'count', key: 'text', 'sealed?': 'text', 'blob?': 'hash' } };
const approvalEnd: Fields = { session: 'text', request: 'text', operation: 'text', by: 'text', 'comment?': 'text' };
const alarm: Fields = { alarm: 'text', object: 'text', message: 'text' };
const admin: Fields = { by: 'text', action: 'text', object: 'text' };
const ofOperation: Fields = { session: 'text', operation: 'text', n: 'count', for: 'count' };

const decision: Shape = {
  fields: {
    id: 'text',
    verdict,
    reason: 'text',
    rules: ['text'],
    matched: [{ fields: { rule: 'text', effect: 'text', mode: 'text', 'by?': 'text' } }],
    obligations: ['text'],
    'requirements?': [{ fields: { rule: 'text', reason: 'text', bound: 'text' } }],
    bundle,
    'shadow?': { fields: { verdict, rules: ['text'] } },
    'errors?': [{ fields: { rule: 'text', part: 'text', 'path?': 'text', message: 'text' } }],
    reads: { map: 'whole' },
    'rollout?': {
      fields: {
        name: 'text',
        step: 'count',
        side: { oneOf: ['candidate', 'current'] },
        'failed?': 'flag',
        'other?': { fields: { verdict, rules: ['text'] } },
      },
    },
    'tookUs?': 'count',
    'facts?': [
      {
        fields: { fact: 'text', engine: 'text', digest: 'text', status: 'text', 'answer?': 'text', 'because?': 'text', latencyUs: 'count' },
      },
    ],
  },
};

const outcome: Shape = {
  fields: {
    status: { oneOf: ['done', 'error', 'refused', 'cut', 'cancelled', 'in-doubt'] },
    rows: 'count',
    'rowsChanged?': 'count',
    bytesUp: 'count',
    bytesDown: 'count',
    'code?': 'text',
    masked: { map: 'count' },
    rowsWithheld: 'count',
    durationMs: 'count',
    rules: ['text'],
  },
};

/** Fields of every record. `prev` is compared with the hash it must be, so its form needs no look. */
const every: Fields = {
  v: 'count',
  i: 'count',
  prev: 'text',
  t: 'integer',
  mono: 'integer',
  boot: 'text',
  node: 'text',
  build: 'text',
  nonce: 'text',
  kind: 'text',
};

export const kinds: { readonly [kind: string]: Fields } = {
  'log.opened': { vkey: 'text', 'continues?': 'text', 'reason?': 'text' },
  'log.recovered': { torn: 'count', inDoubt: ['count'], inDoubtTotal: 'count', 'lostSessions?': 'count' },
  'log.heartbeat': {},
  'log.witnessed': { log: 'text', size: 'count', root: 'text', vkey: 'text', cosignature: 'text' },
  'log.pruned': { from: 'count', to: 'count', by: 'text', reason: 'text', holds: ['text'] },
  'log.sealed': { by: 'text', reason: 'text' },
  'key.rotated': { previous: 'text', vkey: 'text', signature: 'text', accepted: 'text' },
  'alarm.raised': alarm,
  'alarm.cleared': alarm,
  'clock.stepped': { byMs: 'integer' },
  'session.opened': {
    session: 'text',
    who: { fields: { subject: 'text', groups: ['text'], 'onBehalfOf?': 'text', authentication: 'text', 'token?': 'text', source: 'text' } },
    what: { fields: { point: 'text', resource: 'text', client: 'text' } },
    policy: 'text',
  },
  'session.refused': {
    session: 'text',
    who: { fields: { claimed: 'text', source: 'text' } },
    what: { fields: { point: 'text', resource: 'text' } },
    reason: 'text',
  },
  'session.closed': { session: 'text', reason: 'text', operations: 'count', bytesUp: 'count', bytesDown: 'count' },
  'session.lost': {
    session: 'text',
    operations: 'count',
    'ahead?': { fields: { operations: 'count', ms: 'count' } },
    'recording?': { fields: { chunks: 'count', bytes: 'count' } },
  },
  'operation.decided': {
    session: 'text',
    operation: 'text',
    n: 'count',
    who: subject,
    what: {
      fields: {
        target: 'text',
        resource: 'text',
        verb: 'text',
        objects: ['text'],
        normalized: 'text',
        'normalizedCut?': 'flag',
        certainty: { oneOf: ['parsed', 'partial', 'opaque'] },
        'unknown?': ['text'],
      },
    },
    evidence,
    decision,
    'ahead?': { fields: { operations: 'count', ms: 'count' } },
    'recording?': { oneOf: ['required', 'best_effort'] },
    'approval?': { fields: { grant: 'text', request: 'text', 'record?': 'text', 'uses?': 'count' } },
  },
  'operation.settled': { ...ofOperation, outcome },
  'operation.indoubt': ofOperation,
  'approval.requested': {
    session: 'text',
    request: 'text',
    operation: 'text',
    who: subject,
    what: { fields: { resource: 'text', rules: ['text'], bound: ['text'] } },
    evidence,
    expiresAt: 'integer',
  },
  'approval.granted': {
    session: 'text',
    request: 'text',
    operation: 'text',
    grant: 'text',
    approvers: ['text'],
    requester: 'text',
    bound: ['text'],
    'comment?': 'text',
    expiresAt: 'integer',
    'uses?': 'count',
  },
  'approval.answered': approvalEnd,
  'approval.escalated': { session: 'text', request: 'text', operation: 'text', rules: ['text'], reviewers: ['text'], expiresAt: 'integer' },
  'approval.refused': approvalEnd,
  'approval.expired': approvalEnd,
  'approval.withdrawn': approvalEnd,
  'approval.used': approvalEnd,
  'policy.activated': { bundle, 'candidate?': bundle, 'previous?': 'text', by: 'text', documents: 'count' },
  'policy.rejected': { by: 'text', 'digest?': 'text', problems: 'count', first: 'text' },
  'rollout.moved': {
    rollout: 'text',
    bundle,
    step: 'count',
    status: { oneOf: ['running', 'held', 'rolled_back', 'complete'] },
    by: 'text',
    reason: 'text',
  },
  'admin.token': admin,
  'admin.resource': admin,
  'admin.session': admin,
  'admin.configuration': admin,
  'recording.read': {
    by: 'text',
    session: 'text',
    operations: 'count',
    'action?': { oneOf: ['evidence.read', 'recording.read', 'recording.export'] },
    'decision?': decision,
    'chunks?': 'count',
    'manifest?': 'text',
  },
  'recording.chunk': {
    session: 'text',
    chunk: 'count',
    from: 'integer',
    to: 'integer',
    in: 'count',
    out: 'count',
    stored: { fields: { bytes: 'count', commit: 'hash', 'sealed?': 'text', 'at?': 'count', 'hash?': 'hash' } },
  },
  'recording.closed': {
    session: 'text',
    status: { oneOf: ['whole', 'failed'] },
    'reason?': 'text',
    chunks: 'count',
    bytes: 'count',
  },
  'evidence.shredded': { session: 'text', by: 'text', reason: 'text' },
};

/** Undefined when the value is a record; otherwise the first thing wrong with it. */
export function recordProblem(value: unknown): string | undefined {
  if (!isObject(value)) return 'is not a JSON object';
  const check = typeof value.kind === 'string' ? checks.get(value.kind) : undefined;
  if (check?.(value) === true && value.v === 1) return undefined;
  return problemOf(value) ?? 'does not have the form of its kind';
}

/** The same in words, slowly: for what has just been found wrong. */
function problemOf(value: { readonly [name: string]: unknown }): string | undefined {
  const general = fieldsProblem(value, every, '');
  if (general !== undefined) return general;
  if (value.v !== 1) return `has version ${String(value.v)}, which this verifier does not know`;
  const fields = kinds[String(value.kind)];
  if (fields === undefined || !Object.hasOwn(kinds, String(value.kind)))
    return `is of kind ${JSON.stringify(value.kind)}, which this verifier does not know`;
  return fieldsProblem(value, fields, '');
}

function fieldsProblem(value: { readonly [name: string]: unknown }, fields: Fields, path: string): string | undefined {
  for (const spec in fields) {
    const optional = spec.endsWith('?');
    const name = optional ? spec.slice(0, -1) : spec;
    const member = value[name];
    if (member === undefined && optional) continue;
    const shape = fields[spec];
    const problem = shape === undefined ? undefined : shapeProblem(member, shape, path === '' ? name : `${path}.${name}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function shapeProblem(value: unknown, shape: Shape, path: string): string | undefined {
  if (typeof shape === 'string') return isSimple(value, shape) ? undefined : `has no ${shape} in ${path}`;
  if (isList(shape)) {
    if (!Array.isArray(value)) return `has no list in ${path}`;
    for (const member of value) {
      const problem = shapeProblem(member, shape[0], `${path}[]`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  if ('oneOf' in shape)
    return shape.oneOf.includes(String(value)) && typeof value === 'string' ? undefined : `has an unknown word in ${path}`;
  if (!isObject(value)) return `has no object in ${path}`;
  if ('fields' in shape) return fieldsProblem(value, shape.fields, path);
  for (const name in value) {
    const problem = shapeProblem(value[name], shape.map, `${path}.${name}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function isList(shape: Exclude<Shape, string>): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function isSimple(value: unknown, shape: Extract<Shape, string>): boolean {
  switch (shape) {
    case 'text':
      return typeof value === 'string';
    case 'hash':
      return typeof value === 'string' && isHash(value);
    case 'count':
      return Number.isSafeInteger(value) && Number(value) >= 0;
    case 'integer':
      return Number.isSafeInteger(value);
    case 'flag':
      return typeof value === 'boolean';
    case 'whole':
      return isWhole(value);
  }
}

/** Each record has some of these; a pattern takes four times as long. */
function isHash(text: string): boolean {
  if (text.length !== 64) return false;
  for (let k = 0; k < 64; k += 1) {
    const code = text.charCodeAt(k);
    if (!((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66))) return false;
  }
  return true;
}

/** Any JSON value without fractions. */
function isWhole(value: unknown): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (typeof value !== 'object' || value === null) return true;
  for (const member of Object.values(value)) if (!isWhole(member)) return false;
  return true;
}

type Check = (value: unknown) => boolean;

/** The shape as a function: nearly every record is right, and there are millions of them. */
function checkOf(shape: Shape): Check {
  if (typeof shape === 'string') return simpleChecks[shape];
  if (isList(shape)) {
    const member = checkOf(shape[0]);
    return (value) => Array.isArray(value) && value.every(member);
  }
  if ('oneOf' in shape) return (value) => typeof value === 'string' && shape.oneOf.includes(value);
  if ('map' in shape) {
    const member = checkOf(shape.map);
    return (value) => isObject(value) && Object.values(value).every(member);
  }
  return fieldsCheck(shape.fields);
}

function fieldsCheck(fields: Fields): Check {
  const members = Object.entries(fields).map(([spec, shape]) => {
    const optional = spec.endsWith('?');
    return { name: optional ? spec.slice(0, -1) : spec, optional, check: checkOf(shape) };
  });
  return (value) => {
    if (!isObject(value)) return false;
    for (const { name, optional, check } of members) {
      const member = value[name];
      if (member === undefined ? !optional : !check(member)) return false;
    }
    return true;
  };
}

const simpleChecks: Readonly<Record<Extract<Shape, string>, Check>> = {
  text: (value) => typeof value === 'string',
  hash: (value) => typeof value === 'string' && isHash(value),
  count: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  integer: (value) => Number.isSafeInteger(value),
  flag: (value) => typeof value === 'boolean',
  whole: isWhole,
};

const checks: ReadonlyMap<string, Check> = new Map(
  Object.entries(kinds).map(([kind, fields]) => [kind, fieldsCheck({ ...every, ...fields })]),
);

export function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
