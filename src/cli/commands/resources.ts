import type { ResourceAnswer } from '../answers.ts';
import { connect } from '../connection.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { printTable } from '../table.ts';

/** `warder resources` */
export const resources: Define = (program) => {
  program
    .command('resources')
    .description('list what is protected')
    .action(async (options: CommonOptions) => {
      const found = await connect(options).list<ResourceAnswer>('/resources', 1_000);
      if (options.json === true) return printJson(found);
      return printTable(
        found,
        [
          { title: 'NAME', of: (one) => one.name },
          { title: 'ID', of: (one) => one.id },
          { title: 'ENGINE', of: (one) => one.engine },
          { title: 'ENV', of: (one) => one.env },
          { title: 'OWNER', of: (one) => one.owner },
        ],
        'No resources yet.',
      );
    });
};
