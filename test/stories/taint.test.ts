/** No byte of a labelled cell reaches a client, whatever statement asks for it, through whichever protocol, in whichever format. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { parse as parseYaml } from 'yaml';
import { extended, RawClient, type Reply } from '../../src/gateway/points/postgres/testing/raw-client.ts';
import { classification, fill, schema, secretIn } from './canaries.ts';
import { startLaboratory, type Laboratory, type Person } from './laboratory.ts';
import { statement } from './statements.ts';

type Protocol = 'simple' | 'extended' | 'binary';
const protocols: readonly Protocol[] = ['simple', 'extended', 'binary'];
const persons: readonly Person[] = ['engineer', 'auditor'];

let laboratory: Laboratory;
before(async () => {
  laboratory = await startLaboratory(schema + fill, classification);
});
after(() => laboratory.close());

/** A client of which every byte received is kept until it is looked at. */
class Watched {
  readonly #person: Person;
  #raw: RawClient | undefined;
  #chunks: Buffer[] = [];

  constructor(person: Person) {
    this.#person = person;
  }

  /** Runs a statement in a transaction that is undone, and gives all bytes that came and whether the statement was allowed. */
  async run(text: string, protocol: Protocol): Promise<{ readonly bytes: Buffer; readonly allowed: boolean }> {
    this.#chunks = [];
    let replies: readonly Reply[] = [];
    try {
      const raw = await this.#connected();
      raw.send(extended.raw('Q', Buffer.from('BEGIN\0')));
      await this.#ready(raw);
      raw.send(...messages(text, protocol));
      replies = await this.#ready(raw);
      raw.send(extended.raw('Q', Buffer.from('ROLLBACK\0')));
      await this.#ready(raw);
    } catch {
      // The session was ended: what came before counts all the same.
      this.#raw = undefined;
    }
    const refused = replies.some(({ type, body }) => type === 'E' && body.includes('Mwarder: '));
    return { bytes: Buffer.concat(this.#chunks), allowed: !refused && replies.length > 0 };
  }

  end(): void {
    this.#raw?.close();
  }

  async #connected(): Promise<RawClient> {
    if (this.#raw) return this.#raw;
    const raw = await RawClient.login(laboratory.port, laboratory.password, { user: this.#person, database: 'orders-demo' });
    raw.socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    await raw.query("SET statement_timeout TO '200ms'");
    this.#raw = raw;
    return raw;
  }

  /** Everything up to ReadyForQuery; what is held is approved meanwhile. */
  async #ready(raw: RawClient): Promise<readonly Reply[]> {
    const all: Reply[] = [];
    for (;;) {
      const some = await raw.until(({ type, body }) => type === 'Z' || (type === 'N' && body.includes('waiting for approval')));
      all.push(...some);
      if (some.at(-1)?.type === 'Z') return all;
      const { id } = laboratory.holds.asked.at(-1) ?? assert.fail('a hold that nobody was asked about');
      laboratory.holds.resolve(id, 'approved');
    }
  }
}

function messages(text: string, protocol: Protocol): Buffer[] {
  if (protocol === 'simple') return [extended.raw('Q', Buffer.from(`${text}\0`))];
  const parameters = Math.max(0, ...[...text.matchAll(/\$(\d)/g)].map(([, number]) => Number(number)));
  const values = Array.from({ length: parameters }, () => '1');
  const bind = extended.bind('', '', values, { resultFormat: protocol === 'binary' ? 1 : 0 });
  return [
    extended.parse('', text),
    extended.describe('S', ''),
    bind,
    extended.describe('P', ''),
    extended.execute('', 2),
    extended.execute(''),
    extended.sync,
  ];
}

/** Runs a statement every way as everybody; throws with the first leak. Gives how many runs were allowed. */
async function probe(watched: readonly Watched[], text: string): Promise<number> {
  let allowed = 0;
  for (const [i, client] of watched.entries()) {
    for (const protocol of protocols) {
      const seen = await client.run(text, protocol);
      const leak = secretIn(seen.bytes);
      assert.equal(
        leak,
        undefined,
        `${persons[i]} (${protocol}) saw ${leak} with: ${text}\n${seen.bytes.toString('latin1').slice(0, 2_000)}`,
      );
      if (seen.allowed) allowed += 1;
    }
  }
  return allowed;
}

/** The corpora are this project's own files; their shape is checked by the tests of the inspector. */
function corpus(name: 'ordinary' | 'bypass'): readonly string[] {
  const text = readFileSync(new URL(`../corpus/sql/${name}.yaml`, import.meta.url), 'utf8');
  const cases = parseYaml(text) as readonly { sql?: string; describe?: string }[];
  return cases.map(({ sql, describe }) => sql ?? describe ?? '');
}

test('the canaries are found where nothing is masked', async () => {
  const rows = await laboratory.direct('select * from customers c, staff s limit 1');
  for (const [column, value] of Object.entries(rows[0] ?? {})) {
    const form = value instanceof Date ? value.toISOString().slice(0, 10) : String(value);
    const labelled = ['email', 'ssn', 'phone', 'card', 'iban', 'date_of_birth', 'salary'].includes(column);
    if (labelled && column !== 'date_of_birth') assert.ok(secretIn(Buffer.from(form)), `${column}: ${form}`);
    if (!labelled) assert.equal(secretIn(Buffer.from(form)), undefined, column);
  }
});

for (const name of ['ordinary', 'bypass'] as const) {
  test(`PG-19 nothing labelled comes out of the statements of the ${name} corpus`, async () => {
    const watched = persons.map((person) => new Watched(person));
    let allowed = 0;
    for (const text of corpus(name)) {
      allowed += await probe(watched, text);
      if (/commit|\bend\b|abort|rollback/i.test(text)) await laboratory.direct(fill);
    }
    for (const client of watched) client.end();
    assert.ok(allowed > 500, `only ${allowed} runs were allowed`);
  });
}

test('PG-18 PG-19 nothing labelled comes out of generated statements', async () => {
  const watched = persons.map((person) => new Watched(person));
  let allowed = 0;
  await fc.assert(
    fc.asyncProperty(statement, async (text) => {
      allowed += await probe(watched, text);
    }),
    { numRuns: Number(process.env['WARDER_TAINT_RUNS'] ?? 300), endOnFailure: true },
  );
  for (const client of watched) client.end();
  assert.ok(allowed > 300, `only ${allowed} runs were allowed`);
});
