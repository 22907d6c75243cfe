import { compile, type Environment } from '#policy/cel';

/**
 * How long one evaluation of a typical rule takes, on plain data: `node bench/cel-micro.ts`.
 * The last line is a hand-written closure for the first rule, the floor that no interpreter can beat.
 */
const text = { kind: 'string' } as const;
const texts = { kind: 'list', element: text } as const;

const environment: Environment = {
  variables: {
    subject: { type: { kind: 'object', name: 'subject', fields: { type: { type: text }, groups: { type: texts } } } },
    resource: { type: { kind: 'object', name: 'resource', fields: { env: { type: text }, port: { type: { kind: 'int' } } } } },
    sql: { type: { kind: 'object', name: 'sql', fields: { verbs: { type: texts } } } },
  },
};

const data = {
  subject: { type: 'user', groups: ['engineering', 'dba'] },
  resource: { env: 'prod', port: 5432 },
  sql: { verbs: ['select', 'drop'] },
};

const rules = [
  'subject.type == "user" && "dba" in subject.groups && resource.env == "prod" && sql.verbs.exists(v, v == "drop")',
  'resource.port >= 5000 && size(subject.groups) > 1',
  'subject.groups.exists(g, g.startsWith("d")) && resource.env in ["prod", "staging"]',
  'sql.verbs.exists(v, v.matches("^(drop|truncate)$"))',
];

const rounds = 1_000_000;

function measure(name: string, run: () => boolean): void {
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < rounds; i += 1) run();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / rounds);
  }
  process.stdout.write(`${best.toFixed(0).padStart(6)} ns  ${name}\n`);
}

for (const rule of rules) {
  const compiled = compile(rule, environment);
  if (!compiled.ok) throw new Error(compiled.problems[0]?.caret);
  measure(rule, () => compiled.program.test(data));
}
measure('closure written by hand', () => {
  const { subject, resource, sql } = data;
  return subject.type === 'user' && subject.groups.includes('dba') && resource.env === 'prod' && sql.verbs.some((verb) => verb === 'drop');
});
