import type { Target } from '#model';
import { attributePaths, requestSchema } from '../schema/index.ts';
import type { AttributePath } from '../schema/index.ts';
import { targets } from './kinds/policy.ts';

const head = `# Attributes

What policies may speak about, by target: in \`match\` as the path, in conditions as CEL. Made from the definition that checks policies
(\`warder policy schema --attributes\`).

- **?**: may be absent. A condition must guard the read: \`has(context.purpose) && …\` or \`context.?purpose.orValue("")\`.
- **public**: may stand in a message as \`{path}\`.
- A path through a list means the attribute of every element; a \`match\` holds if any of them fits. \`*\` stands for any name.
- \`now\` is the time of the request. \`data.name\` is a DataSet of the bundle, \`vars.name\` a variable of the policy or of a library.
- Facts are what producers found out before the decision; a policy that needs one says so in \`requires\`. In a gateway they are \`facts.session\`,
  \`facts.subject\` and \`facts.foreign\`, see [facts](../how-to/facts.md); other names are not checked.
`;

/** A Markdown page of all attributes of all targets. */
export function attributePage(): string {
  return `${[head, ...targets.map(sectionOf)].join('\n')}`;
}

function sectionOf(target: Target): string {
  const request = attributePaths(requestSchema(target, 'request'));
  const known = new Set(request.map(({ path }) => path));
  const response = attributePaths(requestSchema(target, 'response')).filter(({ path }) => !known.has(path));
  const lines = [`## ${target}`, '', '| attribute | type | |', '|---|---|---|', ...request.map(rowOf)];
  if (response.length > 0)
    lines.push('', 'Only in the response phase:', '', '| attribute | type | |', '|---|---|---|', ...response.map(rowOf));
  return `${lines.join('\n')}\n`;
}

function rowOf({ path, type, optional, public: shown }: AttributePath): string {
  return `| \`${path}\` | ${type} | ${[optional ? '?' : '', shown ? 'public' : ''].filter((word) => word !== '').join(', ')} |`;
}
