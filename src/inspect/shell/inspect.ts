import { limits } from '#model';
import { tokensOf } from './lexer.ts';
import type { Token, Word } from './lexer.ts';
import { openEnded, programFolders, shells, tellingVariables, wrappers } from './programs.ts';
import type { Wrapper } from './programs.ts';
import { sweptBy } from './sweeps.ts';

/** What a text that is handed to a shell would start, as far as the text tells. */
export interface ShellFacts {
  /** Names of the programs without their folder, in order of appearance, each once; those that others start as well. */
  readonly programs: readonly string[];
  /** Trees that would be removed or changed as a whole: `/`, `/etc`, `~`. */
  readonly sweeps: readonly string[];
  /** All of the programs are known, and the shell itself writes no file. */
  readonly complete: boolean;
  /** Why not: `program:./x`, `expansion`, `writes:/etc/passwd`, `variable:LD_PRELOAD`, `syntax`… */
  readonly unknown: readonly string[];
}

/**
 * What an `exec` over SSH runs. The text goes to the login shell of the account, which decides what it means: this is a reading of POSIX
 * shell and bash. A program that runs others (`sudo`, `xargs`, `sh -c`, `find -exec`) is looked into; what only the shell can know makes the
 * facts incomplete. Total: whatever the text, the answer is a value.
 *
 * EVASION: quotes inside names (`r"m"`), escapes (`\rm`), variables (`$x`), globs (`/bin/r?`), braces (`{rm,-rf}`), substitutions, a
 * program of the same name elsewhere (`./ls`), variables that change what a name means (`PATH=. ls`).
 */
export function inspectShell(text: string): ShellFacts {
  const reading = new Reading();
  if (text.length > limits.shellTextCharactersMax) reading.unknown.add('length');
  else reading.text(text, 0);
  return {
    programs: [...reading.programs],
    sweeps: [...reading.sweeps],
    complete: reading.unknown.size === 0,
    unknown: [...reading.unknown],
  };
}

/** Words after which a program may stand, and that are none themselves. */
const transparent: ReadonlySet<string> = new Set(['if', 'then', 'else', 'elif', 'while', 'until', 'do', '!', '{', '(', 'coproc']);
const closing: ReadonlySet<string> = new Set(['fi', 'done', 'esac', '}', ')']);
const redirections: ReadonlySet<string> = new Set(['<', '>', '>>', '>|', '<>', '&>', '&>>', '<&', '>&', '<<', '<<-', '<<<']);
const writing: ReadonlySet<string> = new Set(['>', '>>', '>|', '<>', '&>', '&>>']);
/** Builtins that set variables for what comes after. */
const declaring: ReadonlySet<string> = new Set(['export', 'declare', 'typeset', 'readonly', 'local']);
const nowhere: ReadonlySet<string> = new Set(['/dev/null', '/dev/stdout', '/dev/stderr']);

class Reading {
  readonly programs = new Set<string>();
  readonly sweeps = new Set<string>();
  readonly unknown = new Set<string>();
  #folder: string | undefined = '~';

  text(text: string, depth: number): void {
    const tokens = depth > limits.shellDepthMax ? undefined : tokensOf(text);
    if (tokens === undefined) {
      this.unknown.add(depth > limits.shellDepthMax ? 'depth' : 'syntax');
      return;
    }
    for (const token of tokens) if (token.kind === 'word') for (const inner of token.inner) this.text(inner, depth + 1);
    // `f() { … }` gives a name another meaning, whenever it is called.
    if (tokens.some((token, at) => token.kind === 'word' && isOperator(tokens[at + 1], '(') && isOperator(tokens[at + 2], ')')))
      this.unknown.add('function');
    for (const command of commandsIn(tokens)) this.#command(command, depth);
  }

  #command(tokens: readonly Token[], depth: number): void {
    const words = this.#withoutRedirections(tokens);
    while (words[0] !== undefined && !words[0].quoted && transparent.has(words[0].raw)) words.shift();
    const [first] = words;
    if (first === undefined || (!first.quoted && closing.has(first.raw))) return;
    if (!first.quoted && ['for', 'select', 'case', 'function'].includes(first.raw)) {
      // Their words are values and patterns; a function or a pattern may hide anything.
      if (first.raw !== 'for') this.unknown.add(first.raw);
      return;
    }
    this.#run(words, depth);
  }

  /** The words of a command without `> file` and its like; what it writes is noted. */
  #withoutRedirections(tokens: readonly Token[]): Word[] {
    const words: Word[] = [];
    for (let at = 0; at < tokens.length; at += 1) {
      const token = tokens[at];
      if (token?.kind === 'word') words.push(token);
      else if (token !== undefined && redirections.has(token.text)) {
        at += 1;
        const target = tokens[at];
        const name = target?.kind === 'word' ? target.text : undefined;
        if (writing.has(token.text) && (name === undefined || !nowhere.has(name))) this.unknown.add(`writes:${name ?? '?'}`);
        // `>&2` names a descriptor, `>&file` a file.
        if (token.text === '>&' && !/^(\d+|-)$/.test(name ?? '')) this.unknown.add(`writes:${name ?? '?'}`);
        if (token.text.startsWith('<<') && token.text !== '<<<') this.unknown.add('here-document');
        // The descriptor in front: `2> x`.
        if (/^\d$/.test(words.at(-1)?.raw ?? '')) words.pop();
      }
    }
    return words;
  }

  /** A program with its arguments, as words. */
  #run(words: readonly Word[], depth: number): void {
    if (depth > limits.shellDepthMax) {
      this.unknown.add('depth');
      return;
    }
    const rest = this.#withoutAssignments(words);
    const [word, ...args] = rest;
    if (word === undefined) return;
    if (word.text === undefined) {
      this.unknown.add('expansion');
      return;
    }
    const name = this.#named(word.text);
    const swept = sweptBy(
      name,
      args.map((argument) => argument.text ?? argument.raw),
      this.#folder,
    );
    for (const tree of swept) this.sweeps.add(tree);
    if (name === 'cd') this.#folder = args[0] === undefined ? '~' : args[0].text;
    this.#started(name, args, depth);
  }

  #withoutAssignments(words: readonly Word[]): readonly Word[] {
    const end = words.findIndex((word) => !/^[A-Za-z_]\w*\+?=/.test(word.raw));
    for (const { raw } of end < 0 ? words : words.slice(0, end)) {
      const variable = raw.slice(0, raw.indexOf('=')).replace('+', '');
      if (tellingVariables.test(variable)) this.unknown.add(`variable:${variable}`);
    }
    return end < 0 ? [] : words.slice(end);
  }

  #named(text: string): string {
    const slash = text.lastIndexOf('/');
    const name = text.slice(slash + 1);
    if (slash >= 0 && !programFolders.has(text.slice(0, slash))) this.unknown.add(`program:${text}`);
    this.programs.add(name);
    return name;
  }

  /** What a program starts in its turn. */
  #started(name: string, args: readonly Word[], depth: number): void {
    const wrapper = wrappers.get(name);
    if (wrapper !== undefined) return this.#wrapped(name, args, { wrapper, depth });
    if (declaring.has(name)) this.#withoutAssignments(args);
    if (shells.has(name)) return this.#shell(args, depth);
    if (name === 'eval') return this.#joined(args, depth);
    if (name === 'find') return this.#find(args, depth);
    if (openEnded.has(name) || /^(python|perl|ruby|node|php|lua)[\d.]+$/.test(name)) this.unknown.add(`runs:${name}`);
    if (name === 'alias' || name === 'function') this.unknown.add(name);
    if (name === 'tee' || name === 'dd' || name === 'install') this.unknown.add(`writes:${name}`);
  }

  #wrapped(name: string, args: readonly Word[], { wrapper, depth }: { readonly wrapper: Wrapper; readonly depth: number }): void {
    const rest = afterOptions(args, wrapper);
    // `sudo -i` is a shell that reads what comes; `env -S text` takes a text apart by rules of its own.
    const shell = rest.length === 0 && args.some(({ raw }) => /^-[a-zA-Z]*[is]|^--(login|shell)$/.test(raw));
    if (shell || args.some(({ raw }) => /^(-[a-zA-Z]*S|--split-string)/.test(raw) && name === 'env')) this.unknown.add(`runs:${name}`);
    this.#run(rest, depth + 1);
  }

  /** `sh -c text`; a shell with a file or its standard input runs what nobody sees. */
  #shell(args: readonly Word[], depth: number): void {
    const option = args.findIndex(({ raw }) => /^-[a-z]*c[a-z]*$/.test(raw));
    const text = option < 0 ? undefined : args[option + 1]?.text;
    if (text === undefined) this.unknown.add(option < 0 ? 'runs:sh' : 'expansion');
    else this.text(text, depth + 1);
  }

  #joined(args: readonly Word[], depth: number): void {
    if (args.some((argument) => argument.text === undefined)) this.unknown.add('expansion');
    else this.text(args.map((argument) => argument.text).join(' '), depth + 1);
  }

  /** `find … -exec program args ;` */
  #find(args: readonly Word[], depth: number): void {
    for (const [at, { raw }] of args.entries()) {
      if (!/^-(exec|execdir|ok|okdir)$/.test(raw)) continue;
      const rest = args.slice(at + 1);
      const end = rest.findIndex(({ text }) => text === ';' || text === '+');
      this.#run(
        (end < 0 ? rest : rest.slice(0, end)).map((word) => (word.raw === '{}' ? { ...word, text: '{}' } : word)),
        depth + 1,
      );
    }
    if (args.some(({ raw }) => raw === '-delete')) this.programs.add('rm');
    if (args.some(({ raw }) => /^-(fprint|fls|fprintf|fprint0)$/.test(raw))) this.unknown.add('writes:find');
  }
}

function isOperator(token: Token | undefined, text: string): boolean {
  return token?.kind === 'operator' && token.text === text;
}

/** The parts between `;`, `&&`, `|` and their like. */
function commandsIn(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const commands: Token[][] = [[]];
  for (const token of tokens) {
    if (token.kind === 'operator' && !redirections.has(token.text)) commands.push([]);
    else commands.at(-1)?.push(token);
  }
  return commands.filter((command) => command.length > 0);
}

function afterOptions(args: readonly Word[], { valued, skip = 0, assignments }: Wrapper): readonly Word[] {
  let at = 0;
  while (at < args.length) {
    const raw = args[at]?.raw ?? '';
    if (raw === '--') {
      at += 1;
      break;
    }
    if (assignments === true && /^[A-Za-z_]\w*=/.test(raw)) break;
    if (!raw.startsWith('-') || raw === '-') break;
    at += valued.includes(raw) ? 2 : 1;
  }
  return args.slice(at + skip);
}
