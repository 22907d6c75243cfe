import { realWorld } from '#host';
import type { RequestAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { paint } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { flat, requestText } from './requests.ts';

interface AnswerOptions extends CommonOptions {
  readonly comment?: string;
}

/** `warder approve ID`, `warder refuse ID` */
export const answer: Define = (program) => {
  for (const say of ['approve', 'refuse'] as const) {
    program
      .command(say)
      .description(say === 'approve' ? 'let a held operation run: exactly this text, once' : 'refuse a held operation')
      .argument('<request>', 'such as req_…')
      .option('--comment <text>', 'a reason, kept in the ledger and shown to the requester')
      .action(async (id: string, options: AnswerOptions) => {
        const request = await connect(options).call<RequestAnswer>({
          method: 'POST',
          path: `/requests/${encodeURIComponent(id)}/${say}`,
          body: options.comment === undefined ? {} : { comment: options.comment },
        });
        if (options.json === true) return printJson(flat(request));
        const { bold, green, red, yellow } = paint(process.stdout);
        const heads = {
          approve: request.status === 'waiting' ? yellow('Your approval is recorded; more are needed.') : green('Approved.'),
          refuse: red('Refused.'),
        };
        process.stdout.write(`${bold(heads[say])}\n${requestText(request, realWorld.now())}\n`);
      });
  }
};
