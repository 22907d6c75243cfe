/** The README's two minutes, done as they stand there: what it shows is what comes, but for ids, times, ports and counts of records. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkout, startInstallation, waitFor, type Account, type Installation } from './installation.ts';

let installation: Installation;
let blocks: readonly string[];
before(async () => {
  installation = await startInstallation();
  const readme = await readFile(join(checkout, 'README.md'), 'utf8');
  const section = readme.split(/^## /m).find((one) => one.startsWith('Two minutes\n')) ?? assert.fail('no section "Two minutes"');
  blocks = [...section.matchAll(/^```\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
  assert.equal(blocks.length, 3);
});
after(() => installation.destroy());

interface Step {
  readonly say: string;
  readonly shown: string;
}

/** What a person types after `prompt` in a block, and what the block shows then. */
function steps(block: string | undefined, prompt: string): readonly Step[] {
  const [, ...parts] = `\n${block ?? ''}`.split(`\n${prompt} `);
  return parts.map((part) => {
    const end = part.indexOf('\n');
    return { say: part.slice(0, end), shown: part.slice(end + 1).trim() };
  });
}

/** The same for two runs: what cannot be the same is taken out. */
function lasting(text: string): string {
  return text
    .replace(/(req|dec|ses)_[0-9a-z]{26}/g, '$1_…')
    .replace(/\d{4}-\d\d-\d\d[ T]/g, '')
    .replace(/\d\d:\d\d:\d\d(\.\d+Z?)?/g, 'TIME')
    .replace(/127\.0\.0\.1:\d+/g, 'ADDRESS')
    .replace(/\b[\d.]+ (ms|s)\b/g, 'DURATION')
    .replace(/expires in .*? ·/g, 'expires ·')
    .replace(/(lasted )?\b(\d+[hms] ?)+(?=[, ])|still open|\bopen\b/g, 'A WHILE')
    .replace(/\d+ records/g, 'N records')
    .replace(/[ \t]+/g, ' ')
    .replace(/ $/gm, '')
    .trim();
}

/** The lines that the README shows come, in order, and no others but where it shows `…`. */
function assertShown(shown: string, come: string): void {
  const lines = lasting(come).split('\n');
  let others = false;
  for (const wanted of lasting(shown).split('\n')) {
    if (wanted.trim() === '…') others = true;
    else {
      while (others && lines.length > 0 && lines[0] !== wanted) lines.shift();
      assert.equal(lines.shift(), wanted, come);
      others = false;
    }
  }
  if (!others) assert.deepEqual(lines, [], `more comes than the README shows:\n${come}`);
}

const ids = (text: string, kind: string): string => new RegExp(`${kind}_[0-9a-z]{26}`).exec(text)?.[0] ?? assert.fail(`no ${kind} id`);

async function command(say: string, as: Account, id: string): Promise<string> {
  const args = say.replace(/^npm exec -- warder /, '').replace(/(req|ses)_[0-9a-z]{26}/, id);
  const { status, stdout, stderr } = await installation.warder(args.split(' '), as);
  assert.equal(status, 0, stderr);
  return stdout;
}

test('the two minutes show what comes', async () => {
  const [asEngineer, asReviewer, asAuditor] = blocks;
  const talk = installation.open('engineer');
  const said = steps(asEngineer, 'orders-demo=>');
  assert.equal(said.length, 3);
  let request = '';
  for (const { say, shown } of said) {
    talk.say(say);
    // psql says things on both of its streams; the last line that is shown ends them all.
    const last = lasting(shown).split('\n').at(-1) ?? '';
    let heard = '';
    await waitFor(`what ends with ${last}`, async () => {
      heard += await talk.hear(/\n/).catch(() => '');
      return lasting(heard).includes(last);
    });
    assertShown(shown, heard);
    if (heard.includes('req_')) request = ids(heard, 'req');
  }
  const review = steps(asReviewer, '$');
  assert.equal(review.length, 2);
  for (const { say, shown } of review) assertShown(shown, await command(say, 'reviewer', request));
  await talk.hear('UPDATE 120000');
  await talk.end();
  const [sessions, replay, verify] = steps(asAuditor, '$');
  assert.ok(sessions && replay && verify);
  let listed = '';
  await waitFor('the session to be indexed', async () => {
    listed = await command(sessions.say, 'auditor', '');
    return / 3 +1\n/.test(listed) && !/ open /.test(listed);
  });
  assertShown(sessions.shown, listed);
  const session = ids(listed, 'ses');
  assertShown(replay.shown, await command(replay.say, 'auditor', session));
  assertShown(verify.shown, await command(verify.say, 'auditor', ''));
});
