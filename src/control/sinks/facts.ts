import { hash } from 'node:crypto';

/**
 * What a record says, flat: the only thing that the mappings see, after the privacy rules of the sink were applied. Absent, or there and
 * undefined, means that the record does not say it, or that the sink is not told.
 */
export interface Facts {
  /** `origin#index`: what a receiver removes duplicates by. */
  readonly key: string;
  readonly origin: string;
  readonly i: number;
  /** Wall clock, ms. */
  readonly t: number;
  readonly kind: string;
  /** Hex leaf hash of the ledger entry: finds it in the ledger, and differs even when an index is used again. */
  readonly leaf: string;
  /** Set when the same event may have been delivered before. */
  readonly duplicate?: 'possible';
  readonly build?: string;
  readonly session?: string;
  readonly operation?: string;
  readonly n?: number;
  readonly subject?: string;
  readonly onBehalfOf?: string;
  readonly groups?: readonly string[];
  readonly authentication?: string;
  readonly token?: string;
  /** `address:port` */
  readonly source?: string;
  readonly client?: string;
  /** The name that somebody who was refused claimed to have. */
  readonly claimed?: string;
  readonly point?: string;
  readonly target?: string;
  readonly resource?: string;
  readonly verb?: string;
  readonly objects?: readonly string[];
  readonly normalized?: string;
  readonly certainty?: string;
  readonly decision?: string;
  readonly verdict?: string;
  readonly reason?: string;
  readonly rules?: readonly string[];
  readonly obligations?: readonly string[];
  /** The verdict if rules in shadow and audit mode were enforced. */
  readonly shadow?: string;
  /** The evaluation failed, so the operation was denied. */
  readonly failed?: true;
  readonly bundle?: string;
  /** Attributes that the rules read, path → value as text. */
  readonly reads?: Readonly<Record<string, string>>;
  /** Commitment to the exact text, hex. */
  readonly commit?: string;
  readonly status?: string;
  readonly rows?: number;
  readonly rowsChanged?: number;
  readonly rowsWithheld?: number;
  readonly masked?: Readonly<Record<string, number>>;
  readonly code?: string;
  readonly durationMs?: number;
  readonly bytesUp?: number;
  readonly bytesDown?: number;
  readonly request?: string;
  readonly approvers?: readonly string[];
  readonly comment?: string;
  readonly by?: string;
  readonly action?: string;
  readonly object?: string;
  /** Which alarm, and what it says. */
  readonly alarm?: string;
  readonly message?: string;
}

/** A ledger entry as parsed JSON. */
export type Entry = Readonly<Record<string, unknown>>;

export interface FactsSource {
  readonly origin: string;
  readonly line: string;
  /** The same as an object. */
  readonly entry: Entry;
  /** Its hex leaf hash, where it is known. */
  readonly leaf?: string | undefined;
  /** The `session.opened` of the same session, where there is one: who and whence. */
  readonly opened?: Entry | undefined;
  /** The `operation.decided` that an outcome belongs to. */
  readonly decided?: Entry | undefined;
  readonly duplicate: boolean;
}

/**
 * Reads a stored line, together with what it refers to. Fields that are missing or of another type are left out, never guessed.
 *
 * One object of one shape, whatever the record says: millions of them are made, and engines read what always looks the same several times faster.
 */
export function factsOf({ origin, line, entry, leaf, opened: session = {}, decided: before = {}, duplicate }: FactsSource): Facts {
  const i = number(entry['i']) ?? 0;
  const [who, earlier, first] = [object(entry['who']), object(before['who']), object(session['who'])];
  const [what, decided, opened] = [object(entry['what']), object(before['what']), object(session['what'])];
  const own = object(entry['decision']);
  const decision = 'decision' in entry ? own : object(before['decision']);
  const outcome = object(entry['outcome']);
  const facts: { readonly [Name in keyof Facts]-?: Facts[Name] | undefined } = {
    key: `${origin}#${i}`,
    origin,
    i,
    t: number(entry['t']) ?? 0,
    kind: text(entry['kind']) ?? 'unknown',
    leaf: leaf ?? leafOf(line),
    duplicate: duplicate ? 'possible' : undefined,
    build: text(entry['build']),
    session: text(entry['session']),
    operation: text(entry['operation']),
    n: number(entry['n']),
    subject: text(who['subject']) ?? text(earlier['subject']) ?? text(first['subject']) ?? text(entry['requester']),
    onBehalfOf: text(who['onBehalfOf']) ?? text(earlier['onBehalfOf']) ?? text(first['onBehalfOf']),
    groups: texts(who['groups']) ?? texts(first['groups']),
    authentication: text(who['authentication']) ?? text(first['authentication']),
    token: text(who['token']) ?? text(first['token']),
    source: text(who['source']) ?? text(first['source']),
    claimed: text(who['claimed']),
    client: text(what['client'] ?? decided['client']) ?? text(opened['client']),
    point: text(what['point'] ?? decided['point']) ?? text(opened['point']),
    target: text(what['target'] ?? decided['target']),
    resource: text(what['resource'] ?? decided['resource']) ?? text(opened['resource']),
    verb: text(what['verb'] ?? decided['verb']),
    objects: texts(what['objects'] ?? decided['objects']),
    normalized: text(what['normalized'] ?? decided['normalized']),
    certainty: text(what['certainty'] ?? decided['certainty']),
    decision: text(decision['id']),
    verdict: text(own['verdict']),
    reason: text(decision['reason']) ?? text(entry['reason']) ?? text(entry['first']),
    rules: texts(decision['rules']) ?? texts(what['rules']),
    obligations: texts(own['obligations']),
    shadow: text(object(own['shadow'])['verdict']),
    failed: Array.isArray(own['errors']) && own['errors'].length > 0 && own['verdict'] === 'deny' ? true : undefined,
    bundle: text(object(decision['bundle'])['digest']) ?? text(entry['policy']),
    reads: 'reads' in own ? readsOf(object(own['reads'])) : undefined,
    commit: text(object(entry['evidence'] ?? before['evidence'])['commit']),
    status: text(outcome['status']) ?? (entry['kind'] === 'operation.indoubt' ? 'in-doubt' : undefined),
    rows: number(outcome['rows']),
    rowsChanged: number(outcome['rowsChanged']),
    rowsWithheld: number(outcome['rowsWithheld']),
    masked: maskedOf(outcome['masked']),
    code: text(outcome['code']),
    durationMs: number(outcome['durationMs']),
    bytesUp: number(outcome['bytesUp']) ?? number(entry['bytesUp']),
    bytesDown: number(outcome['bytesDown']) ?? number(entry['bytesDown']),
    request: text(entry['request']) ?? text(object(entry['approval'])['request']),
    approvers: texts(entry['approvers']),
    comment: text(entry['comment']),
    by: text(entry['by']),
    action: text(entry['action']),
    object: objectOf(entry),
    alarm: text(entry['alarm']),
    message: text(entry['message']),
  };
  // Reason: the ones that every event has are given above; members may be there and undefined, which means that they are absent.
  return facts as Facts;
}

/** What a record is about that is about no session: a thing that was changed, a bundle, another log, a key, a range of entries. */
function objectOf(entry: Entry): string | undefined {
  const [from, to] = [number(entry['from']), number(entry['to'])];
  const range = from === undefined || to === undefined ? undefined : `${from}..${to}`;
  const named = text(entry['object']) ?? text(object(entry['bundle'])['digest']) ?? text(entry['digest']) ?? text(entry['log']);
  return named ?? text(entry['vkey']) ?? range;
}

function maskedOf(value: unknown): Readonly<Record<string, number>> | undefined {
  if (value === undefined) return undefined;
  const masked = Object.entries(object(value)).filter((one): one is [string, number] => typeof one[1] === 'number');
  return masked.length === 0 ? undefined : Object.fromEntries(masked);
}

function readsOf(reads: Entry): Record<string, string> {
  return Object.fromEntries(
    Object.entries(reads).map(([path, value]) => [path, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
}

/** SPEC: RFC 6962 §2.1, SHA-256(0x00 ‖ entry). */
function leafOf(line: string): string {
  return hash('sha256', `\0${line}`);
}

/** A stored line as an object; lines were checked when they were mirrored. */
export function parseEntry(line: string): Entry {
  const value: unknown = JSON.parse(line);
  return object(value);
}

function object(value: unknown): Entry {
  // Reason: any object that is no list is read by key.
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Entry) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : undefined;
}
