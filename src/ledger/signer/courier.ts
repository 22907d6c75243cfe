import { asFault, Fault, limits, type RecordDraft, type World } from '#model';
import { growthProof } from '../growth-proof.ts';
import type { LedgerSigner } from './signer-client.ts';

export interface SignerSetting {
  readonly signer: LedgerSigner;
  /** Nothing more is recorded after so long without a signature. */
  readonly refuseAfterMs: number;
}

interface Parts extends SignerSetting {
  readonly origin: string;
  /** The key that is to sign, by the log. */
  readonly vkey: string;
  /** Number of entries when it was opened. */
  readonly size: number;
  /** Of the log. */
  readonly directory: string;
  readonly world: World;
  /** Hands the signature line for this size to the writer. */
  readonly deliver: (size: number, line: string) => void;
  /** The signer contradicts the log: one of them is not what it was. */
  readonly onContradiction: (fault: Fault) => void;
  readonly record: (draft: RecordDraft) => Promise<unknown>;
}

/**
 * Carries checkpoints to the signer and signatures back, one at a time, the newest first. While the signer does not answer the log goes on
 * without signatures, for as long as the setting allows; that is an alarm at once.
 */
export class Courier {
  readonly #parts: Parts;
  #next: { readonly text: string; readonly size: number } | undefined;
  #running: Promise<void> | undefined;
  /** What the signer signed last; it says so when this is wrong. */
  #known = 0;
  /** The largest size that was to be signed. */
  #asked = 0;
  /** Monotonic ns since when something waits to be signed. */
  #since: bigint | undefined;
  #alarm = false;
  /** The signer signs with the key that the log wants. */
  #agreed = false;
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The writer wants this signed. It asks again every second until it is. */
  ask(question: { readonly text: string; readonly size: number }): void {
    if (this.#closed) return;
    this.#next = question;
    this.#asked = question.size;
    this.#since ??= this.#parts.world.monotonicNs();
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Why nothing more may be recorded now. */
  refusal(): Fault | undefined {
    const { world, refuseAfterMs, size } = this.#parts;
    const behind = this.#asked - Math.max(this.#known, size);
    if (behind > limits.signerUnsignedEntriesMax)
      return new Fault('LEDGER_UNSIGNED', `the last ${behind} entries of the log are not signed`);
    if (this.#since === undefined || world.monotonicNs() - this.#since < BigInt(refuseAfterMs) * 1_000_000n) return undefined;
    return new Fault('LEDGER_UNSIGNED', `the log was not signed for ${Math.round(refuseAfterMs / 1000)} s`);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  close(): void {
    this.#closed = true;
    this.#parts.signer.close();
  }

  async #run(): Promise<void> {
    for (let question = this.#take(); question !== undefined; question = this.#take()) {
      try {
        const line = await this.#sign(question);
        if (line === undefined) continue;
        this.#known = question.size;
        if (this.#next === undefined) this.#since = undefined;
        if (this.#alarm) this.#tell('alarm.cleared', 'checkpoints are signed again');
        this.#alarm = false;
        this.#parts.deliver(question.size, line);
      } catch (thrown) {
        const fault = asFault(thrown);
        if (fault.code === 'LEDGER_ROLLBACK') return this.#parts.onContradiction(fault);
        if (!this.#alarm && !this.#closed) this.#tell('alarm.raised', `checkpoints cannot be signed: ${fault.message}`);
        this.#alarm = true;
        return;
      }
    }
  }

  #take(): { readonly text: string; readonly size: number } | undefined {
    const question = this.#next;
    this.#next = undefined;
    return question;
  }

  async #sign({ text, size }: { readonly text: string; readonly size: number }): Promise<string | undefined> {
    const { signer, directory, vkey } = this.#parts;
    if (!this.#agreed) await agree(signer, vkey);
    this.#agreed = true;
    for (let tries = 0; tries < 3; tries += 1) {
      // A signer that knows more than there is refuses, and is right to.
      const old = Math.min(this.#known, size);
      const answer = await signer.sign({ text, old, proof: growthProof(directory, { from: old, to: size }) });
      if (answer.line !== undefined) return answer.line;
      this.#known = answer.size;
    }
    throw new Fault('LEDGER_UNSIGNED', 'the signer changes its mind about what it signed');
  }

  #tell(kind: 'alarm.raised' | 'alarm.cleared', message: string): void {
    this.#parts.record({ kind, alarm: 'ledger.signer', object: this.#parts.origin, message }).catch(() => undefined); // The ledger has failed, and says so itself.
  }
}

/** Has the signer adopt a change of keys that the log has recorded: a crash may have come between the two. */
export async function agree(signer: LedgerSigner, vkey: string): Promise<void> {
  const held = await signer.key();
  if (held.vkey !== vkey && held.next?.vkey === vkey) await signer.adopt(vkey);
}
