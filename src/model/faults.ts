/**
 * The one table of everything that can go wrong. A code is stable: clients, tests and runbooks may rely on it.
 * `remedy` tells the reader what to do next, in one line. `exit` is the exit status when it ends a process or a command.
 */
interface FaultSpec {
  readonly status: number;
  readonly exit: number;
  readonly sqlstate?: string;
  readonly remedy: string;
}

const table = {
  // Usage and configuration
  USAGE: { status: 400, exit: 2, remedy: 'See `warder help`.' },
  CONFIG_INVALID: { status: 400, exit: 2, remedy: 'Mend the named file at the named line.' },
  PORT_IN_USE: { status: 500, exit: 2, remedy: 'Stop what listens there or choose other ports with --port-base.' },
  HOME_IN_USE: { status: 500, exit: 2, remedy: 'Another Warder runs with this home; stop it or choose another with --home.' },
  HOME_UNUSABLE: { status: 500, exit: 2, remedy: 'Choose a folder that this user can write with --home.' },
  HOME_FULL: { status: 500, exit: 2, remedy: 'Free about 400 MB there, or choose a folder with more room with --home.' },
  PLATFORM_UNSUPPORTED: { status: 500, exit: 2, remedy: 'Use Linux with glibc on x64 or arm64, or point DATABASE_URL at a PostgreSQL.' },
  // Identity
  UNAUTHENTICATED: { status: 401, exit: 4, sqlstate: '28P01', remedy: 'Get a fresh token with `warder login` or `warder token`.' },
  FORBIDDEN: { status: 403, exit: 5, sqlstate: '42501', remedy: 'Ask an administrator for the role that the message names.' },
  NOT_FOUND: {
    status: 404,
    exit: 6,
    sqlstate: '3D000',
    remedy: 'Check the name; `warder sessions`, `warder requests` and `warder resources` list what exists.',
  },
  CONFLICT: { status: 409, exit: 7, remedy: 'Somebody was faster; look at the present state and decide again.' },
  INVALID_INPUT: { status: 400, exit: 2, remedy: 'Correct the named field.' },
  RATE_LIMITED: { status: 429, exit: 8, sqlstate: '53300', remedy: 'Wait a moment and try again.' },
  // Decisions
  DENIED: { status: 403, exit: 1, sqlstate: '42501', remedy: "Read the rule's message; `warder explain DECISION` shows why." },
  APPROVAL_REFUSED: { status: 403, exit: 1, sqlstate: '42501', remedy: 'A reviewer refused; talk to them before asking again.' },
  APPROVAL_TIMEOUT: { status: 403, exit: 1, sqlstate: '42501', remedy: 'Nobody answered in time; ask again when a reviewer is there.' },
  APPROVAL_WITHDRAWN: {
    status: 403,
    exit: 1,
    sqlstate: '57014',
    remedy: 'The request was cancelled; run the statement again to ask again.',
  },
  APPROVAL_TOO_LONG: {
    status: 403,
    exit: 1,
    sqlstate: '42501',
    remedy: 'Nobody can review a text this long; split it into smaller statements.',
  },
  CANNOT_ENFORCE: {
    status: 403,
    exit: 1,
    sqlstate: '42501',
    remedy: 'The rule asks for something this point cannot do; tell the policy owner.',
  },
  POLICY_INVALID: { status: 422, exit: 1, remedy: 'Mend the named line; the bundle in force did not change.' },
  POLICY_STALE: {
    status: 503,
    exit: 1,
    sqlstate: '57P03',
    remedy: 'The gateway has not heard from the control plane for too long; check `warder doctor`.',
  },
  POLICY_FAULT: {
    status: 500,
    exit: 1,
    sqlstate: '57P03',
    remedy: 'Evaluating the policy failed; the operation was refused. See the gateway log.',
  },
  CONTROL_UNREACHABLE: {
    status: 503,
    exit: 69,
    sqlstate: '57P03',
    remedy: 'The control plane is away; check that `warder up` or `warder control` runs.',
  },
  STORE_UNREACHABLE: {
    status: 503,
    exit: 69,
    sqlstate: '57P03',
    remedy: 'The control plane cannot reach its database; it tries again by itself, see its log.',
  },
  GATEWAY_UNREACHABLE: {
    status: 503,
    exit: 69,
    sqlstate: '57P03',
    remedy: 'The gateway that holds this is not connected; `warder doctor` shows which ones are.',
  },
  // Ledger
  LEDGER_SLOW: { status: 503, exit: 1, sqlstate: '57P03', remedy: 'The ledger cannot keep up; check the disk.' },
  LEDGER_FULL: { status: 503, exit: 1, sqlstate: '57P03', remedy: 'Free disk space; operations are refused until there is room.' },
  LEDGER_FAILED: { status: 503, exit: 75, sqlstate: '57P03', remedy: 'Writing the ledger failed; the gateway restarts and recovers.' },
  LEDGER_ENTRY_TOO_LARGE: { status: 500, exit: 1, sqlstate: '57P03', remedy: 'Report this: an entry did not fit its limit.' },
  LEDGER_UNWITNESSED: {
    status: 503,
    exit: 1,
    sqlstate: '57P03',
    remedy: 'A rule wants the evidence kept elsewhere first; check the link to the control plane with `warder doctor`.',
  },
  RECORDING_FAILED: {
    status: 503,
    exit: 1,
    sqlstate: '57P03',
    remedy: 'A rule wants this session recorded and that is not possible now; check the disk of the gateway, then connect again.',
  },
  LEDGER_UNSIGNED: {
    status: 503,
    exit: 69,
    sqlstate: '57P03',
    remedy: 'The process that signs the ledger does not answer; start `warder signer` again.',
  },
  LEDGER_LOCKED: { status: 500, exit: 78, remedy: 'Another process writes this ledger; stop it first.' },
  LEDGER_CORRUPT: {
    status: 500,
    exit: 78,
    remedy: 'Run `warder ledger verify` to see which index is wrong; then `warder ledger repair` to go on in a new log.',
  },
  LEDGER_ROLLBACK: {
    status: 500,
    exit: 78,
    remedy: 'The log is shorter than what was signed: an old copy was put back. Restore the newest copy, or `warder ledger repair`.',
  },
  LEDGER_SEALED: { status: 500, exit: 78, remedy: 'Run `warder ledger repair` to go on in a new log that quotes this one.' },
  LEDGER_TAMPERED: { status: 500, exit: 1, remedy: 'The log was changed after it was written; keep this copy as evidence.' },
  LEDGER_UNREADABLE: { status: 500, exit: 3, remedy: 'Name a ledger folder or a Warder home.' },
  // Protocols
  PROTOCOL_VIOLATION: { status: 400, exit: 1, sqlstate: '08P01', remedy: 'The client sent something the protocol does not allow here.' },
  PROTOCOL_UNSUPPORTED: {
    status: 501,
    exit: 1,
    sqlstate: '0A000',
    remedy: 'This protocol feature is refused by Warder; the message names it.',
  },
  MESSAGE_TOO_LARGE: { status: 413, exit: 1, sqlstate: '54000', remedy: 'Send it in smaller parts.' },
  TLS_REQUIRED: { status: 400, exit: 1, sqlstate: '28000', remedy: 'Connect with sslmode=require.' },
  TOO_MANY_SESSIONS: { status: 503, exit: 1, sqlstate: '53300', remedy: 'Close idle sessions and try again.' },
  UPSTREAM_UNREACHABLE: {
    status: 502,
    exit: 1,
    sqlstate: '08001',
    remedy: 'The target does not answer; check that it runs and that Warder may reach it.',
  },
  UPSTREAM_REFUSED: { status: 502, exit: 1, sqlstate: '08004', remedy: "The target refused Warder's own credentials; check the resource." },
  RESOURCE_CHANGED: {
    status: 409,
    exit: 1,
    sqlstate: '57P01',
    remedy: 'How Warder reaches or protects the resource was changed; connect again.',
  },
  RESPONSE_CUT: {
    status: 502,
    exit: 1,
    sqlstate: '58000',
    remedy: 'The response could not be checked, so it was cut; see the gateway log.',
  },
  SHUTTING_DOWN: { status: 503, exit: 1, sqlstate: '57P01', remedy: 'Warder is stopping; connect again in a moment.' },
  INTERNAL: { status: 500, exit: 70, sqlstate: 'XX000', remedy: 'Report this with the log line that has the same id.' },
} as const satisfies Record<string, FaultSpec>;

export type FaultCode = keyof typeof table;
export const faultTable: Readonly<Record<FaultCode, FaultSpec>> = table;

/** Something went wrong in a way the table names. The message says what failed, with what; lower case, no secrets. */
export class Fault extends Error {
  readonly code: FaultCode;
  /** Structured context for logs and `problem+json`; never secrets. */
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(code: FaultCode, message: string, options: { detail?: Record<string, unknown>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.code = code;
    this.detail = options.detail ?? {};
  }

  get status(): number {
    return faultTable[this.code].status;
  }

  get exit(): number {
    return faultTable[this.code].exit;
  }

  get sqlstate(): string {
    return faultTable[this.code].sqlstate ?? 'XX000';
  }

  get remedy(): string {
    return faultTable[this.code].remedy;
  }
}

/** The fault inside an unknown thrown value; anything unexpected becomes INTERNAL and keeps its cause. */
export function asFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new Fault('INTERNAL', message, { cause: thrown });
}
