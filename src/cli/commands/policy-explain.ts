import { Fault } from '#model';
import { paint, visible } from '../paint.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { showProblems } from '../policy-problems.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';

const shownMax = 20;

/** `warder policy explain CASE [DIR]` */
export const policyExplain: Define = (group) => {
  group
    .command('explain')
    .description('say for a test case why every rule applies or does not')
    .argument('<case>', 'its name, or a part of it')
    .argument('[folder]', 'folder or file', 'policies')
    .action(async (wanted: string, folder: string, options: CommonOptions) => {
      const [{ findCases }, { explain, formatExplanation }] = await Promise.all([import('#policy/cases'), import('#policy')]);
      const { cases, mistakes, problems } = await findCases(readPolicyFiles(folder), wanted);
      if (options.json !== true) await showProblems(problems, folder);
      const [only, ...others] = cases;
      if (only === undefined) throw new Fault('NOT_FOUND', mistakes[0] ?? `no test case in ${folder} is called "${wanted}"`);
      if (others.length > 0) {
        const names = cases.slice(0, shownMax).map(({ test, name }) => `${test}: ${name}`);
        throw new Fault('USAGE', `${cases.length} cases are called like that: ${names.join('; ')}`);
      }
      const explanation = explain(only.bundle, only.request);
      if (options.json === true)
        return printJson({
          test: only.test,
          name: only.name,
          decision: explanation.decision,
          rules: explanation.rules.map(({ errors: _errors, ...rule }) => rule),
        });
      const { bold, dim } = paint(process.stdout);
      process.stdout.write(`${bold(only.name)}  ${dim(`${only.test}, ${only.path}`)}\n${visible(formatExplanation(explanation), true)}\n`);
    });
};
