import type { CommonOptions, Define } from '../program.ts';

/** `warder version` */
export const version: Define = (program, parts) => {
  program
    .command('version')
    .description('print the version')
    .action((options: CommonOptions) => {
      const facts = { warder: parts.version, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
      process.stdout.write(
        options.json === true ? `${JSON.stringify(facts)}\n` : `warder ${facts.warder} (Node ${facts.node}, ${facts.platform})\n`,
      );
    });
};
