import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { homePath, type Trust, trustedKeys } from '#host';
import { Fault } from '#model';
import { paint } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions } from '../program.ts';
import { findLogs, trustFor } from './ledger-folders.ts';

interface ProveOptions extends CommonOptions {
  readonly origin?: string;
  readonly folder?: string;
  readonly out?: string;
}

/** `warder ledger prove INDEX`: writes what a stranger needs to check one record with nothing but the log's key. */
export function defineProve(group: Command, exit: (status: number) => void): void {
  group
    .command('prove')
    .description('write the proof of one record, to be checked with `warder ledger verify --proof FILE --key VKEY` or verify.py')
    .argument('<index>', 'index of the record, as `warder replay --json` shows it')
    .option('--origin <name>', 'the log, when there are several: its origin or the end of it, such as gateway-1')
    .option('--folder <folder>', 'a home, a copy of one, or one ledger; the home when left out')
    .option('--out <file>', 'where to write it; `-` for standard output (default: ORIGIN-INDEX.tlog-proof here)')
    .action(async (position: string, options: ProveOptions) => {
      const index = /^\d{1,15}$/.test(position) ? Number(position) : undefined;
      if (index === undefined) throw new Fault('INVALID_INPUT', `${position} is no index; write a whole number from 0`);
      const made = await prove(index, options);
      const file = options.out ?? `${made.origin.split('/').at(-1) ?? 'log'}-${index}.tlog-proof`;
      if (file === '-') process.stdout.write(made.text);
      else writeFileSync(file, made.text);
      if (options.json === true) printJson({ ok: true, origin: made.origin, index, size: made.size, file });
      else if (file !== '-') process.stdout.write(`${file}: record ${index} of ${made.origin}, in its signed size ${made.size}\n`);
      exit(0);
    });
}

async function prove(index: number, options: ProveOptions): Promise<{ text: string; origin: string; size: number }> {
  const { directorySource, nodeCrypto, proveRecord, verifyProof } = await import('#ledger/verify');
  const root = resolve(options.folder ?? homePath(options.home));
  const known = trustFor(root, undefined);
  const trust = known === undefined ? undefined : trustedKeys(known);
  const wanted = options.origin ?? 'gateway';
  let size = 0;
  for (const { directory } of findLogs(root, undefined)) {
    const [origin = '', signed] = noteIn(directory).split('\n');
    const named = origin === wanted || origin.endsWith(`/${wanted}`) || (options.origin === undefined && directory.includes(wanted));
    if (!named && directory !== root) continue;
    size = Number(signed);
    const text = await proveRecord(directorySource(directory), index, { crypto: nodeCrypto, ...(trust === undefined ? {} : { trust }) });
    if (text === undefined) break;
    return { text, origin, size: (await verifyProof(text, { crypto: nodeCrypto, trust: trust ?? [] })).size || size };
  }
  if (size === 0) throw new Fault('NOT_FOUND', `there is no signed log ${wanted} in ${root}; name one with --origin`);
  if (index >= size) throw new Fault('NOT_FOUND', `the signed size of the log is ${size}; record ${index} is not signed yet, or never was`);
  throw new Fault('LEDGER_TAMPERED', `record ${index} cannot be proven; \`warder ledger verify\` says what is wrong`);
}

function noteIn(directory: string): string {
  try {
    return readFileSync(`${directory}/checkpoint`, 'utf8');
  } catch {
    return '';
  }
}

/** `warder ledger verify --proof FILE`. Resolves with the exit status. */
export async function checkProof(asked: {
  readonly file: string;
  readonly trust: Trust | undefined;
  readonly json: boolean;
}): Promise<number> {
  const { nodeCrypto, verifyProof } = await import('#ledger/verify');
  if (asked.trust === undefined)
    throw new Fault('CONFIG_INVALID', 'a proof is checked with the key of its log, which must come from elsewhere; give it with --key');
  const text = readKept(asked.file);
  const report = await verifyProof(text, { crypto: nodeCrypto, trust: trustedKeys(asked.trust) });
  const status = { proven: 0, tampered: 1, unreadable: 3 }[report.status];
  if (asked.json) {
    printJson({ ok: status === 0, ...report });
    return status;
  }
  const { bold, dim, green, red } = paint(process.stdout);
  if (status !== 0) process.stdout.write(`${red(`✘ not proven: ${report.problem ?? report.status}`)}\n`);
  else {
    const witnesses = Object.keys(report.witnesses);
    const seen = witnesses.length === 0 ? 'no known witness' : `witnessed by ${witnesses.join(', ')}`;
    process.stdout.write(
      `${green(`✔ proven: record ${report.index} of ${bold(report.origin)}`)} ${dim(`in its signed size ${report.size}; ${seen}`)}\n${report.record}\n`,
    );
  }
  return status;
}

/** The notes in a file: one as text, or many as an anchor keeps them, a JSON string a line. */
export function keptNotes(file: string): readonly string[] {
  const text = readKept(file);
  if (!text.startsWith('"')) return [text];
  // A crash of the anchor's machine can leave a line unfinished; nothing was promised by it.
  const lines = text.split('\n').filter((line) => line.length > 1 && line.endsWith('"'));
  return lines.map((line, k) => {
    try {
      return String(JSON.parse(line));
    } catch (cause) {
      throw new Fault('INVALID_INPUT', `checkpoint ${k + 1} of ${file} is damaged`, { cause });
    }
  });
}

function readKept(file: string): string {
  try {
    return readFileSync(resolve(file), 'utf8');
  } catch (cause) {
    throw new Fault('LEDGER_UNREADABLE', `${file} cannot be read`, { cause });
  }
}
