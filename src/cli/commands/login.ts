import { dirname } from 'node:path';
import { callApi, replaceFile } from '#host';
import { Fault } from '#model';
import type { MeAnswer } from '../answers.ts';
import { apiAddress, loginsFile, readLogins } from '../connection.ts';
import { paint } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { moment } from '../times.ts';

/** `warder login`, `warder logout` */
export const login: Define = (program) => {
  program
    .command('login')
    .description('save a token for this Warder; asks for it, or reads it from standard input')
    .action(async (options: CommonOptions) => {
      const base = apiAddress(options);
      const token = await readToken(base);
      // Reason: the API's response schema for /me.
      const me = (await callApi({ base, token }, { path: '/me' })) as MeAnswer;
      await save({ ...readLogins(), [base]: token });
      if (options.json === true) return printJson({ api: base, subject: me.subject, expiresAt: me.token.expiresAt });
      const { green } = paint(process.stdout);
      process.stdout.write(
        `${green('✔')} You are ${me.subject.name} (${me.subject.roles.join(', ')}) at ${base} until ${moment(me.token.expiresAt)}.\n`,
      );
    });
  program
    .command('logout')
    .description('forget the saved token')
    .action(async (options: CommonOptions) => {
      const base = apiAddress(options);
      const { [base]: forgotten, ...others } = readLogins();
      await save(others);
      if (options.json === true) return printJson({ api: base, forgotten: forgotten !== undefined });
      process.stdout.write(forgotten === undefined ? `There was no login for ${base}.\n` : `Forgotten the login for ${base}.\n`);
    });
};

async function readToken(base: string): Promise<string> {
  if (!process.stdin.isTTY) {
    let text = '';
    for await (const piece of process.stdin) text += String(piece);
    if (text.trim() === '') throw new Fault('USAGE', 'standard input held no token');
    return text.trim();
  }
  const { isCancel, password } = await import('@clack/prompts');
  const given = await password({ message: `Token for ${base}` });
  if (isCancel(given) || given.trim() === '') throw new Fault('USAGE', 'no token was given');
  return given.trim();
}

async function save(logins: Readonly<Record<string, string>>): Promise<void> {
  const { mkdirSync } = await import('node:fs');
  mkdirSync(dirname(loginsFile()), { recursive: true, mode: 0o700 });
  replaceFile(loginsFile(), `${JSON.stringify(logins, null, 2)}\n`, 0o600);
}
