import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { Fault } from '#model';
import { connect } from '../connection.ts';
import { paint } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';

interface ExportOptions extends CommonOptions {
  readonly out?: string;
}

/** `warder export SESSION` */
export const exportSession: Define = (program) => {
  program
    .command('export')
    .description('write all evidence of a session into one file that a stranger can verify')
    .argument('<session>', 'such as ses_…')
    .option('--out <file>', 'where to; default <session>.tar; must not exist')
    .action(async (id: string, options: ExportOptions) => {
      const pieces = connect(options).download(`/sessions/${encodeURIComponent(id)}/export`);
      const { file, bytes, digest } = await save(pieces, options.out ?? `${id}.tar`);
      if (options.json === true) return printJson({ ok: true, file, bytes, sha256: digest });
      const { bold, dim, green } = paint(process.stdout);
      process.stdout.write(
        `${green('✔')} ${bold(file)}  ${bytes} bytes\n  sha256 ${digest}\n${dim(`  warder ledger verify --evidence ${file}, or unpack it and read README.md`)}\n`,
      );
    });
};

/** Written beside nothing: a file that is there is not overwritten, and nothing is left of a download that failed. */
async function save(pieces: AsyncIterable<Uint8Array>, file: string): Promise<{ file: string; bytes: number; digest: string }> {
  const iterator = pieces[Symbol.asyncIterator]();
  let next = await iterator.next();
  const target = await open(file, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw new Fault('INVALID_INPUT', `${file} cannot be written (${cause.code ?? 'unknown error'}); name another with --out`, { cause });
  });
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for (; next.done !== true; next = await iterator.next()) {
      hash.update(next.value);
      bytes += next.value.length;
      await target.write(next.value);
    }
  } catch (error) {
    // A part of an archive proves nothing, and must not be taken for one.
    await target.close();
    await rm(file, { force: true });
    throw error;
  }
  await target.close();
  return { file, bytes, digest: hash.digest('hex') };
}
