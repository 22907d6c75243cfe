import { resolve } from 'node:path';
import type { CommonOptions, Define } from '../program.ts';

interface SignerOptions extends CommonOptions {
  readonly socket: string;
  readonly keys: string;
  readonly origin: string;
}

/** `warder signer`: holds the key of one ledger, in the foreground, under a user of its own. */
export const signer: Define = (program, parts, exit) => {
  program
    .command('signer')
    .description('hold the key of one ledger and sign what grew from what was signed before; the ledger asks on a socket (ledger.yaml)')
    .requiredOption('--socket <path>', 'unix socket on which the ledger asks; who may open it may ask')
    .requiredOption('--keys <folder>', 'folder of the key and of what was signed, for nobody else; a key is made when there is none')
    .option('--origin <name>', 'the ledger', 'ledger.local/gateway-1')
    .action(async (options: SignerOptions) => {
      const { serveProcess } = await import('#host');
      exit(
        await serveProcess<SignerOptions, { vkey: string; size: number }>({
          run: async ({ socket, keys, origin }) => {
            const { vkey, size, stop } = await parts.ledgers.serveSigner({
              socket: resolve(socket),
              keys: resolve(keys),
              origin,
              onRefused: ({ code, message }) => process.stderr.write(`${JSON.stringify({ refused: code, message })}\n`),
            });
            return { ready: { vkey, size }, stop };
          },
          standalone: async () => options,
          announce: ({ vkey, size }) => process.stdout.write(`${JSON.stringify({ ready: true, vkey, signed: size })}\n`),
        }),
      );
    });
};
