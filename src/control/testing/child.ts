import { text } from 'node:stream/consumers';
import { runControl } from '../run-control.ts';

// A control plane in a process of its own, for tests that kill it: the configuration on standard input, one line when it is ready.
const { ready } = await runControl(JSON.parse(await text(process.stdin)));
process.stdout.write(`${JSON.stringify(ready)}\n`);
