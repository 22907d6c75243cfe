import { Fault, type Receipt } from '#model';

// Only this module can name the constructor: `make` is set in the class's static block and handed to the ledger alone, which
// the door does not pass on. So a Permit proves that the ledger saw the record become durable.
let make: (receipt: Receipt, operation: string, decision: string) => Permit;
let spend: (permit: Permit, operation: string) => void;

/** Proof that this decision for this operation is durable. Made by the ledger only, and good for one release. */
export class Permit {
  readonly receipt: Receipt;
  readonly operation: string;
  /** Public id of the decision. */
  readonly decision: string;
  #unspent = true;

  private constructor(receipt: Receipt, operation: string, decision: string) {
    // TypeScript's `private` ends at run time; `makePermit` is the only caller that sets the gate.
    if (!gate) throw new Fault('INTERNAL', 'a permit was made outside the ledger');
    this.receipt = Object.freeze({ ...receipt });
    this.operation = operation;
    this.decision = decision;
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

/** Makes a permit. INVARIANT: called by the ledger after the decision is durable, from nowhere else. */
export function makePermit(receipt: Receipt, operation: string, decision: string): Permit {
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
