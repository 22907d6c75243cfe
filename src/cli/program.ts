import { Command, CommanderError } from 'commander';
import { asFault, Fault } from '#model';
import { commandFiles } from './commands/index.ts';
import type { CommonOptions, Program } from './context.ts';
import { showFault } from './failure.ts';

const notes = `The identity comes from WARDER_TOKEN, else from \`warder login\`, else from the home.
The control plane is that of the home (--home, WARDER_HOME), or WARDER_API.

Exit status: 0 good · 1 refused, failed or tampered · 2 usage, configuration or (ledger verify) holes
  3 unreadable ledger · 4 no valid identity · 5 not allowed · 6 not found · 7 somebody was faster
  8 too often · 69 control plane away · 70 a bug · 75 failed, try again · 78 needs repair first`;

/** Runs one command line. Resolves with the exit status; everything that fails has been shown. */
export async function runCli(argv: readonly string[], parts: Program): Promise<number> {
  const json = argv.includes('--json');
  let status = 0;
  const program = new Command('warder')
    .description('Policy enforcement in the path of the traffic, with evidence a stranger can verify.')
    .version(parts.version, '-V, --version')
    .helpCommand(true)
    .showHelpAfterError(false)
    .showSuggestionAfterError(true)
    .configureOutput({ writeErr: (text) => json || process.stderr.write(text.replace(/^error: /, 'warder: ')) })
    .addHelpText('after', `\n${notes}`);
  for (const define of await commandsFor(argv))
    define(program, parts, (code) => {
      status = code;
    });
  for (const command of leaves(program)) addCommon(command);
  throwInsteadOfExit(program);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return status;
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      if (thrown.exitCode === 0) return 0;
      const message = thrown.code === 'commander.help' ? 'a command is missing' : thrown.message.replace(/^error: /, '');
      const fault = new Fault('USAGE', message);
      // People were told by Commander, with a suggestion, or were shown the help.
      if (json) showFault(fault, { json });
      return fault.exit;
    }
    const fault = asFault(thrown);
    showFault(fault, { json });
    return fault.exit;
  }
}

/** The commands that this line may mean: one, or all of them for the help and for what is misspelt. */
async function commandsFor(argv: readonly string[]): Promise<readonly Define[]> {
  const [word = ''] = argv;
  if (word === '-V' || word === '--version') return [];
  const named = commandFiles.find(({ names }) => names.includes(word));
  return Promise.all((named === undefined ? commandFiles : [named]).map(({ load }) => load()));
}

/** Adds what every command has, after its own options. */
function addCommon(command: Command): void {
  command.option('--json', 'print JSON for programs');
  command.option('--home <folder>', 'folder of the installation (WARDER_HOME; default .warder)');
}

function leaves(command: Command): Command[] {
  return command.commands.flatMap((inner) => (inner.commands.length === 0 ? [inner] : leaves(inner)));
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  for (const inner of command.commands) throwInsteadOfExit(inner);
}

/** A command's file: adds itself to the program; `exit` sets a status other than 0 without a fault. */
export type Define = (program: Command, parts: Program, exit: (status: number) => void) => void;
export type { CommonOptions };
