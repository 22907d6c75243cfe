import { cosignedAt, growthProof, type Ledger, ledgerRotations, readCheckpoint } from '#ledger';
import { asFault, Fault, limits } from '#model';
import type { Timer, World } from '#model';
import type { Log } from '../log.ts';
import type { Fleet, Member } from './fleet.ts';

interface Parts {
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  /** Folder of the control plane's ledger. */
  readonly folder: string;
  readonly world: World;
  readonly log: Log;
  /** Called with LEDGER_ROLLBACK when a gateway shows a checkpoint that our own key has signed and that this log contradicts. */
  readonly onFatal: (fault: Fault) => void;
}

/**
 * Has the control plane's own log witnessed by the gateways: each checks that it only grew since the last time, and signs. So even the
 * smallest installation has two parties who would have to lie together.
 */
export function witnessByGateways(parts: Parts): { stop(): Promise<void> } {
  const { ledger, world, fleet } = parts;
  /** Node → size that it witnessed last; gateways start at their own word. */
  const sizes = new Map<string, number>();
  let timer: Timer | undefined;
  let round: Promise<void> = Promise.resolve();
  let shown = '';
  let stopped = false;

  async function ask(member: Member, note: string): Promise<string | undefined> {
    const { witness } = member;
    if (witness === undefined) return undefined;
    const to = readCheckpoint(note, ledger.vkey).size;
    for (let tries = 0; tries < 2; tries += 1) {
      const old = sizes.get(member.node) ?? 0;
      const proof = old > to ? [] : growthProof(parts.folder, { from: old, to });
      const asked = { vkey: ledger.vkey, rotations: ledgerRotations(parts.folder), old, note, proof };
      const answer = await member.link.call('ledger.witness', asked);
      if (answer.note !== undefined) refuse(answer.note, to);
      if (answer.cosignature === undefined) {
        sizes.set(member.node, answer.size);
        continue;
      }
      if (cosignedAt(textOf(note), answer.cosignature, witness) === undefined)
        throw new Fault('LEDGER_TAMPERED', 'its signature does not verify');
      sizes.set(member.node, to);
      return answer.cosignature;
    }
    return undefined;
  }

  /** Only what our own key has signed counts against us. */
  function refuse(note: string, size: number): void {
    const other = readCheckpoint(note, ledger.vkey);
    const message = `a gateway witnessed size ${other.size} of this log, which shows another history at size ${size}: an old copy was put back`;
    parts.onFatal(new Fault('LEDGER_ROLLBACK', message, { detail: { witnessed: other.size, size } }));
  }

  async function show(): Promise<void> {
    const note = ledger.checkpoint;
    if (note === undefined || note === shown) return;
    const lines = await Promise.all(
      fleet.members().map((member) =>
        ask(member, note).catch((error: unknown) => {
          parts.log.warn(
            { node: member.node, fault: asFault(error).code, what: asFault(error).message },
            'a gateway did not witness this log',
          );
          return undefined;
        }),
      ),
    );
    const signed = lines.filter((line) => line !== undefined);
    if (signed.length === 0) return;
    shown = note;
    if (!stopped) ledger.keepCosigned(`${note}${signed.join('')}`);
  }

  function again(): void {
    if (stopped) return;
    timer = world.after(limits.ledgerWitnessMs, () => {
      round = show().catch((error: unknown) =>
        parts.log.warn({ fault: asFault(error).code }, 'this log could not be shown to its witnesses'),
      );
      void round.then(again);
    });
  }

  again();
  return {
    async stop() {
      stopped = true;
      timer?.cancel();
      await round;
    },
  };
}

function textOf(note: string): string {
  return note.slice(0, note.indexOf('\n\n') + 1);
}
