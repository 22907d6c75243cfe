import { connect } from '../connection.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';

interface TerminateOptions extends CommonOptions {
  readonly reason?: string;
}

/** `warder terminate SESSION` */
export const terminate: Define = (program) => {
  program
    .command('terminate')
    .description('end a live session now')
    .argument('<session>', 'such as ses_…')
    .option('--reason <text>', 'kept in the ledger and shown to the person')
    .action(async (id: string, options: TerminateOptions) => {
      const { found } = await connect(options).call<{ found: boolean }>({
        method: 'POST',
        path: `/sessions/${encodeURIComponent(id)}/terminate`,
        body: options.reason === undefined ? {} : { reason: options.reason },
      });
      if (options.json === true) return printJson({ session: id, found });
      process.stdout.write(found ? `${id} was ended.\n` : `${id} is not live on any gateway now.\n`);
    });
};
