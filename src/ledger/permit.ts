import { Fault, type Receipt } from '#model';

// Only this module can name the constructor: `make` is set in the class's static block and handed to the ledger alone, which
// the door does not pass on. So a Permit proves that the ledger saw the record become durable, or let it run ahead as its rule allows.
let make: (receipt: Receipt | Promise<Receipt>, operation: string, decision: string) => Permit;
let spend: (permit: Permit, operation: string) => void;

/**
 * Proof that this decision for this operation is durable, or, where its rule says `evidence: buffered`, on its way. Made by the ledger only,
 * and good for one release.
 */
export class Permit {
  /** Where the decision is durable; rejects only when the ledger fails, which ends the process. */
  readonly recorded: Promise<Receipt>;
  readonly operation: string;
  /** Public id of the decision. */
  readonly decision: string;
  #unspent = true;

  #receipt: Receipt | undefined;

  private constructor(receipt: Receipt | Promise<Receipt>, operation: string, decision: string) {
    // TypeScript's `private` ends at run time; `makePermit` is the only caller that sets the gate.
    if (!gate) throw new Fault('INTERNAL', 'a permit was made outside the ledger');
    if (receipt instanceof Promise) {
      this.recorded = receipt.then((durable) => (this.#receipt = Object.freeze({ ...durable })));
      // Whoever settles the operation hears of it.
      this.recorded.catch(() => undefined);
    } else {
      this.#receipt = Object.freeze({ ...receipt });
      this.recorded = Promise.resolve(this.#receipt);
    }
    this.operation = operation;
    this.decision = decision;
  }

  /** Where it is durable, when it is by now. */
  get durable(): Receipt | undefined {
    return this.#receipt;
  }

  /** The same as `recorded`, where nothing runs ahead. */
  get receipt(): Receipt {
    if (this.#receipt === undefined) throw new Fault('INTERNAL', `the decision of operation ${this.operation} is not durable yet`);
    return this.#receipt;
  }

  static {
    make = (receipt, operation, decision) => new Permit(receipt, operation, decision);
    spend = (permit, operation) => {
      if (typeof permit !== 'object' || permit === null || !(#unspent in permit)) {
        throw new Fault('INTERNAL', 'this is not a permit of the ledger');
      }
      if (permit.operation !== operation) {
        throw new Fault('INTERNAL', `permit of operation ${permit.operation} was offered for operation ${operation}`);
      }
      if (!permit.#unspent) throw new Fault('INTERNAL', `permit of operation ${operation} was spent before`);
      permit.#unspent = false;
    };
  }
}

let gate = false;

/**
 * Makes a permit. INVARIANT: called by the ledger after the decision is durable, or for one that `Ahead` let run ahead, from nowhere else.
 */
export function makePermit(receipt: Receipt | Promise<Receipt>, operation: string, decision: string): Permit {
  gate = true;
  try {
    const permit = make(receipt, operation, decision);
    Object.freeze(permit);
    return permit;
  } finally {
    gate = false;
  }
}

/**
 * Uses the permit up. Throws a Fault (INTERNAL, which ends the session) unless it is genuine, unspent and for this operation.
 * Whoever sends an operation calls this immediately before the first byte.
 */
export function spendPermit(permit: Permit, operation: string): void {
  spend(permit, operation);
}
