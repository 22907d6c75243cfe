import { asFault, Fault } from '#model';
import type { ChangedResourceAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { paint, visible } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';

interface ApplyOptions extends CommonOptions {
  readonly file: readonly string[];
}

/** `warder apply -f FILE…` */
export const apply: Define = (program) => {
  program
    .command('apply')
    .description('make resources what documents of kind Resource say')
    .requiredOption('-f, --file <files...>', 'YAML files; - reads standard input')
    .action(async (options: ApplyOptions) => {
      const { bodyOf, placed, readResourceDocuments } = await import('../resource-document.ts');
      const connection = connect(options);
      const documents = readResourceDocuments(options.file);
      // Every document is read, with its password, before the first one takes effect.
      const ready = [];
      for (const document of documents) ready.push({ document, body: await bodyOf(document, askPassword) });
      const changed: ChangedResourceAnswer[] = [];
      for (const { document, body } of ready) {
        const path = `/resources/${encodeURIComponent(document.name)}`;
        try {
          changed.push(await connection.call<ChangedResourceAnswer>({ method: 'PUT', path, body }));
        } catch (thrown) {
          if (options.json !== true) show(changed);
          throw placed(asFault(thrown), document);
        }
      }
      if (options.json === true) return printJson(changed);
      return show(changed);
    });
};

async function askPassword(question: string): Promise<string> {
  if (!process.stdin.isTTY)
    throw new Fault('USAGE', 'a password is to be typed, and standard input is no terminal; use passwordFrom: { file } or { env }');
  const { isCancel, password } = await import('@clack/prompts');
  const given = await password({ message: visible(question) });
  if (isCancel(given)) throw new Fault('USAGE', 'no password was given');
  return given ?? '';
}

function show(changed: readonly ChangedResourceAnswer[]): void {
  const { green, yellow } = paint(process.stdout);
  for (const { name, change, gateways } of changed) {
    const away = gateways.filter(({ current }) => !current).map(({ gateway }) => gateway);
    const served = gateways.length === 0 ? yellow('; no gateway is connected, each gets it when it comes') : '';
    const late = away.length === 0 ? '' : yellow(`; not confirmed by ${away.join(', ')}`);
    process.stdout.write(`${green('✔')} ${name} ${change}${served}${late}\n`);
  }
}
