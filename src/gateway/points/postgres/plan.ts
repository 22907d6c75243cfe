import type { Inspection } from '#inspect';
import { Fault } from '#model';
import type { Trust } from './catalog-view.ts';
import type { ClientMessage } from './client-messages.ts';
import { changesCatalog, isEmpty, replacesNames, taints } from './consequences.ts';
import { closeNamed, describePortal } from './encode.ts';
import type { Draft } from './operations.ts';
import type { Portal, Prepared, Statement } from './prepared.ts';
import type { LocalError } from './respond.ts';

/** What is sent to the target for a batch, in order. `shown` is false for what Warder adds: its reply is not passed on. */
export type Step =
  | { readonly kind: 'query'; readonly bytes: Buffer; readonly draft: Draft }
  | {
      readonly kind: 'parse';
      readonly bytes: Buffer;
      readonly statement: Statement;
      readonly shown: boolean;
      readonly draft: Draft | undefined;
    }
  | { readonly kind: 'bind'; readonly bytes: Buffer; readonly portal: Portal; readonly draft: Draft | undefined }
  | { readonly kind: 'describe-statement'; readonly bytes: Buffer; readonly draft: Draft | undefined }
  | {
      readonly kind: 'describe-portal';
      readonly bytes: Buffer;
      readonly portal: Portal;
      readonly shown: boolean;
      readonly draft: Draft | undefined;
    }
  | { readonly kind: 'execute'; readonly bytes: Buffer; readonly portal: Portal; readonly draft: Draft | undefined }
  | { readonly kind: 'close'; readonly bytes: Buffer; readonly of: 'statement' | 'portal'; readonly name: string; readonly shown: boolean }
  | { readonly kind: 'flush' | 'sync'; readonly bytes: Buffer };

export interface Plan {
  readonly steps: readonly Step[];
  readonly drafts: readonly Draft[];
}

export interface PlanContext {
  readonly prepared: Prepared;
  /** The transaction changed settings that its end may change back. */
  readonly unsettled: boolean;
  readonly trust: Trust;
  inspect(text: string, parameters: readonly (string | null)[]): Inspection;
}

/** The plan for a Query message. All statements of the text are one operation: they are decided and run together. */
export function planQuery(
  message: Extract<ClientMessage, { kind: 'query' }>,
  inspection: Inspection,
  { unsettled, trust }: Pick<PlanContext, 'unsettled' | 'trust'>,
): Plan {
  const several = inspection.outputs.length !== 1;
  const tainted = [...trust.doubts, ...(several ? taints(inspection, unsettled) : [])];
  const originsHold = trust.originsHold && (!several || (tainted.length === 0 && !changesCatalog(inspection.facts)));
  const draft: Draft = { kind: 'run', text: message.text, parameters: [], inspection, tainted, originsHold };
  return { steps: [{ kind: 'query', bytes: message.bytes, draft }], drafts: [draft] };
}

/**
 * Turns the messages of an extended-protocol batch into steps and operations. Pure: names are looked up in `prepared` and in what the batch
 * itself would define; nothing changes before the target confirms. Errors the server would find by itself are found here, because a name
 * that Warder does not know must not reach a target that might know it (`PREPARE` and `DECLARE` share the names of the protocol).
 */
export function planBatch(messages: readonly ClientMessage[], context: PlanContext): Plan | LocalError {
  const planner = new Planner(context);
  for (const message of messages) {
    const error = planner.add(message);
    if (error) return error;
  }
  return planner.finish();
}

class Planner {
  readonly #context: PlanContext;
  readonly #steps: (Step & { draft?: Draft | undefined })[] = [];
  readonly #drafts: Draft[] = [];
  readonly #statements = new Map<string, Statement | null>();
  readonly #portals = new Map<string, Portal | null>();
  /** Portals executed or described in this batch. */
  readonly #executed = new Map<Portal, Draft | undefined>();
  readonly #described = new Set<Portal>();
  /** Statements that are planned or described here; those that are not executed too become operations of their own. */
  readonly #touched = new Map<
    Statement,
    { readonly inspection: Inspection; readonly parameters: readonly (string | null)[]; readonly tainted: readonly string[] }
  >();
  #tainted: readonly string[] = [];
  #originsHold = true;
  /** An operation of this batch may have put something else under the names in it. */
  #replaced = false;

  constructor(context: PlanContext) {
    this.#context = context;
    this.#tainted = context.trust.doubts;
    this.#originsHold = context.trust.originsHold;
  }

  add(message: ClientMessage): LocalError | undefined {
    switch (message.kind) {
      case 'parse':
        return this.#parse(message);
      case 'bind':
        return this.#bind(message);
      case 'describe':
        return this.#describe(message);
      case 'execute':
        return this.#execute(message);
      case 'close':
        if (isTooLong(message.name)) return nameTooLong(message.name);
        if (message.of === 'statement') this.#statements.set(message.name, null);
        else this.#portals.set(message.name, null);
        this.#steps.push({ kind: 'close', bytes: message.bytes, of: message.of, name: message.name, shown: true });
        return undefined;
      case 'flush':
      case 'sync':
        this.#steps.push({ kind: message.kind, bytes: message.bytes });
        return undefined;
      default:
        throw new Fault('PROTOCOL_VIOLATION', `a ${message.kind} message is not allowed in the middle of a batch`);
    }
  }

  finish(): Plan {
    const run = new Map<Statement, Draft>();
    for (const [portal, draft] of this.#executed) if (draft) run.set(portal.statement, draft);
    for (const [statement, { inspection, parameters, tainted }] of this.#touched) {
      if (run.has(statement) || isEmpty(inspection)) continue;
      const draft: Draft = { kind: 'prepare', text: statement.text, parameters, inspection, tainted, originsHold: true };
      this.#drafts.push(draft);
      run.set(statement, draft);
    }
    // Errors of Parse, Bind and Describe belong to the operation of their statement.
    const steps = this.#steps.map((step): Step => {
      if (step.kind === 'parse') return { ...step, draft: run.get(step.statement) };
      if (step.kind === 'bind' || step.kind === 'describe-portal') return { ...step, draft: run.get(step.portal.statement) };
      return step;
    });
    return { steps, drafts: this.#drafts };
  }

  #parse(message: Extract<ClientMessage, { kind: 'parse' }>): LocalError | undefined {
    const { name, text, bytes } = message;
    if (isTooLong(name)) return nameTooLong(name);
    const known = name === '' ? undefined : this.#statement(name);
    if (known && !this.#isSuspect(known)) return { sqlstate: '42P05', message: `prepared statement "${name}" already exists` };
    // SQL may have deallocated it; the client says so by making it again.
    if (known) this.#steps.push({ kind: 'close', bytes: closeNamed('S', name), of: 'statement', name, shown: false });
    this.#context.prepared.checkRoom(bytes.length);
    const statement: Statement = { name, text, bytes, suspect: false };
    this.#statements.set(name, statement);
    this.#touch(statement, [], this.#context.inspect(text, []));
    this.#steps.push({ kind: 'parse', bytes, statement, shown: true, draft: undefined });
    return undefined;
  }

  #bind(message: Extract<ClientMessage, { kind: 'bind' }>): LocalError | undefined {
    const statement = this.#statement(message.statement);
    if (!statement) return unknownStatement(message.statement);
    if (isTooLong(message.portal)) return nameTooLong(message.portal);
    const taken = message.portal === '' ? undefined : this.#portal(message.portal);
    if (taken && !this.#isSuspect(taken)) return { sqlstate: '42P03', message: `cursor "${message.portal}" already exists` };
    if (taken) this.#steps.push({ kind: 'close', bytes: closeNamed('P', taken.name), of: 'portal', name: taken.name, shown: false });
    this.#context.prepared.checkRoom(message.bytes.length);
    if (this.#isSuspect(statement)) this.#makeAnew(statement);
    const inspection = this.#context.inspect(statement.text, message.parameters);
    const portal: Portal = {
      name: message.portal,
      statement,
      parameters: message.parameters,
      inspection,
      tainted: this.#tainted,
      size: message.bytes.length,
      fields: undefined,
      run: undefined,
      suspect: false,
    };
    this.#portals.set(message.portal, portal);
    this.#touch(statement, message.parameters, inspection);
    this.#steps.push({ kind: 'bind', bytes: message.bytes, portal, draft: undefined });
    return undefined;
  }

  /** EVASION: SQL may have put another statement under this name since it was decided; the text we know is parsed again under it. */
  #makeAnew(statement: Statement): void {
    this.#steps.push({ kind: 'close', bytes: closeNamed('S', statement.name), of: 'statement', name: statement.name, shown: false });
    this.#steps.push({ kind: 'parse', bytes: statement.bytes, statement, shown: false, draft: undefined });
  }

  #isSuspect({ name, suspect }: Statement | Portal): boolean {
    return suspect || (this.#replaced && name !== '');
  }

  #describe(message: Extract<ClientMessage, { kind: 'describe' | 'close' }>): LocalError | undefined {
    if (message.of === 'statement') {
      const statement = this.#statement(message.name);
      if (!statement) return unknownStatement(message.name);
      if (this.#isSuspect(statement)) this.#makeAnew(statement);
      if (!this.#touched.has(statement)) this.#touch(statement, [], this.#context.inspect(statement.text, []));
      this.#steps.push({ kind: 'describe-statement', bytes: message.bytes, draft: undefined });
      return undefined;
    }
    const portal = this.#portal(message.name);
    if (!portal || this.#isSuspect(portal)) return unknownPortal(message.name);
    if (!portal.run && !this.#touched.has(portal.statement)) this.#touch(portal.statement, portal.parameters, portal.inspection);
    this.#described.add(portal);
    this.#steps.push({ kind: 'describe-portal', bytes: message.bytes, portal, shown: true, draft: undefined });
    return undefined;
  }

  #execute(message: Extract<ClientMessage, { kind: 'execute' }>): LocalError | undefined {
    const portal = this.#portal(message.portal);
    if (!portal || this.#isSuspect(portal)) return unknownPortal(message.portal);
    // INVARIANT: the columns of a portal are known before its first row comes.
    if (!portal.fields && !this.#described.has(portal)) {
      this.#described.add(portal);
      this.#steps.push({ kind: 'describe-portal', bytes: describePortal(portal.name), portal, shown: false, draft: undefined });
    }
    const draft = this.#executed.has(portal) || portal.run ? this.#executed.get(portal) : this.#draft(portal);
    this.#steps.push({ kind: 'execute', bytes: message.bytes, portal, draft });
    return undefined;
  }

  #draft(portal: Portal): Draft | undefined {
    const { inspection, statement, parameters } = portal;
    const draft: Draft | undefined = isEmpty(inspection)
      ? undefined
      : {
          kind: 'run',
          text: statement.text,
          parameters,
          inspection,
          tainted: [...new Set([...portal.tainted, ...this.#tainted])],
          originsHold: this.#originsHold,
        };
    this.#executed.set(portal, draft);
    if (!draft) return undefined;
    this.#drafts.push(draft);
    this.#tainted = [...new Set([...this.#tainted, ...taints(inspection, this.#context.unsettled)])];
    if (changesCatalog(inspection.facts) || this.#tainted.length > 0) this.#originsHold = false;
    if (replacesNames(inspection.facts)) this.#replaced = true;
    return draft;
  }

  #touch(statement: Statement, parameters: readonly (string | null)[], inspection: Inspection): void {
    this.#touched.set(statement, { inspection, parameters, tainted: this.#tainted });
  }

  #statement(name: string): Statement | undefined {
    const own = this.#statements.get(name);
    return own === null ? undefined : (own ?? this.#context.prepared.statements.get(name));
  }

  #portal(name: string): Portal | undefined {
    const own = this.#portals.get(name);
    return own === null ? undefined : (own ?? this.#context.prepared.portals.get(name));
  }
}

/** SPEC: NAMEDATALEN. EVASION: the target cuts names here, so that two of ours would be one of its. */
const nameBytesMax = 63;

function isTooLong(name: string): boolean {
  return Buffer.byteLength(name) > nameBytesMax;
}

function nameTooLong(name: string): LocalError {
  return { sqlstate: '42622', message: `the name "${name.slice(0, 32)}…" is longer than ${nameBytesMax} bytes` };
}

function unknownStatement(name: string): LocalError {
  const message = name === '' ? 'unnamed prepared statement does not exist' : `prepared statement "${name}" does not exist`;
  return { sqlstate: '26000', message, hint: 'Statements made with SQL PREPARE are run with SQL EXECUTE.' };
}

function unknownPortal(name: string): LocalError {
  return { sqlstate: '34000', message: `portal "${name}" does not exist`, hint: 'Cursors made with DECLARE are read with FETCH.' };
}
