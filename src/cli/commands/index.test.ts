import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import type { Program } from '../context.ts';
import { commandFiles } from './index.ts';

test('every command is found by the file that defines it', async () => {
  // Reason: defining commands only keeps the parts for when one is called.
  const parts = { root: '/', entry: '/main', version: '0' } as Program;
  for (const { names, load } of commandFiles) {
    const program = new Command();
    (await load())(program, parts, () => {});
    assert.deepEqual(
      program.commands.map((command) => command.name()),
      names,
    );
  }
});
