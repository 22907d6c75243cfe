import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { Fault } from '#model';
import { readJson, replaceFile } from './home.ts';

/** How far the ledgers are beyond their own folders: written by the control plane, read by whoever removes old entries. */
export interface Delivered {
  /** Wall clock, ms. */
  readonly at: number;
  /** By origin. */
  readonly ledgers: Readonly<Record<string, DeliveredLedger>>;
}

export interface DeliveredLedger {
  readonly vkey: string;
  /** Entries before this one are in the mirror. */
  readonly mirrored: number;
  /** Each sink with the first entry that it may still need. */
  readonly sinks: Readonly<Record<string, number>>;
}

export function writeDelivered(path: string, delivered: Delivered): void {
  replaceFile(path, `${JSON.stringify(delivered, null, 2)}\n`, 0o600);
}

/** Which ledger is asked about, and the `sinks.yaml` of the installation: what it names now may be more than was known then. */
export interface DeliveredQuestion {
  readonly origin: string;
  readonly vkey: string;
  readonly sinksFile: string;
}

/**
 * The first entry of a ledger that the mirror or a sink does not have yet, and who that is. 0 when nobody ever said: then nothing may go. Throws
 * CONFIG_INVALID when `sinks.yaml` cannot be read.
 */
export function deliveredBelow(path: string, { origin, vkey, sinksFile }: DeliveredQuestion): { below: number; waitsFor: string } {
  const known = ledgerIn(readJson(path), origin);
  if (known === undefined || known.vkey !== vkey) return { below: 0, waitsFor: 'the control plane, which has not said yet how far it is' };
  const fresh = sinksIn(sinksFile).find((name) => known.sinks[name] === undefined);
  if (fresh !== undefined) return { below: 0, waitsFor: `the sink ${fresh}, which is new` };
  return Object.entries(known.sinks).reduce(
    (least, [name, next]) => (next < least.below ? { below: next, waitsFor: `the sink ${name}` } : least),
    { below: known.mirrored, waitsFor: 'the mirror' },
  );
}

/** The names of the sinks that are configured; whether all else is right is the control plane's question. */
function sinksIn(path: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw new Fault('CONFIG_INVALID', `${path} cannot be read`, { cause });
  }
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new Fault('CONFIG_INVALID', `${path} is not YAML`);
  const sinks = at(document.toJS(), 'sinks');
  return Array.isArray(sinks) ? sinks.map((sink: unknown) => String(at(sink, 'name'))) : [];
}

/** What is not as it was written counts as missing. */
function ledgerIn(value: unknown, origin: string): DeliveredLedger | undefined {
  const ledger = at(at(value, 'ledgers'), origin);
  const [vkey, mirrored, sinks] = [at(ledger, 'vkey'), at(ledger, 'mirrored'), at(ledger, 'sinks')];
  if (typeof vkey !== 'string' || typeof mirrored !== 'number' || typeof sinks !== 'object' || sinks === null) return undefined;
  const positions = Object.entries(sinks).map(([name, next]) => [name, typeof next === 'number' ? next : 0] as const);
  return { vkey, mirrored, sinks: Object.fromEntries(positions) };
}

function at(value: unknown, name: string): unknown {
  // Reason: an object read by key.
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
