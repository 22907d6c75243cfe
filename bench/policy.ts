import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { stringify } from 'yaml';
import { compileBundle, compilingBundle, decide, type Bundle, type SourceFile } from '#policy';
import type { DecisionRequest } from '#model';
import { cedarDecider } from './peer-cedar.ts';
import { bufbuildPrograms, celDecide, celJsPrograms } from './peer-cel.ts';
import { measureCerbos } from './peer-cerbos.ts';
import { benchRequests, benchRules, warderFiles } from './peer-rules.ts';

/**
 * How fast bundles compile and decide, by number of rules, beside what a user would take instead. Absolute times depend on the machine:
 * read the ratios. Nothing here is asserted.
 *
 * In-process engines are measured in rounds that take turns, by processor time. Cerbos is a server, so it is asked over HTTP: its figures
 * include that way and are no ratio of the others.
 *
 * Usage: `node bench/policy.ts`
 */
const sizes = [10, 1_000, 10_000];
const rounds = 7;
const roundMs = 250;
const p99Ms = 1_000;
const cerbosMs = 2_000;

type Decider = (request: DecisionRequest) => unknown;

interface Engine {
  readonly name: string;
  readonly decider: Decider;
  readonly samples: number[];
}

/** Milliseconds of processor time of this process: other work on the machine disturbs it less than the clock on the wall. */
function busyMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Keeps results alive, so that nothing is optimised away. */
let kept: unknown;

/** Decisions per second of processor time over one round. */
function measure(decider: Decider, stream: readonly DecisionRequest[]): number {
  const start = busyMs();
  let decisions = 0;
  // A slow engine must not look at the clock after 512 decisions only.
  const piece = Math.max(1, Math.min(stream.length, Math.ceil(1 / Math.max(secondsOf(decider, stream[0]), 1e-9) / 200)));
  for (let at = 0; ; at = (at + piece) % stream.length) {
    for (let i = 0; i < piece; i += 1) {
      const request = stream[(at + i) % stream.length];
      if (request !== undefined) kept = decider(request);
    }
    decisions += piece;
    if (decisions % (piece * 16) !== 0 && piece === stream.length) continue;
    const elapsed = busyMs() - start;
    if (elapsed >= roundMs) return (decisions / elapsed) * 1000;
  }
}

function secondsOf(decider: Decider, request: DecisionRequest | undefined): number {
  if (request === undefined) return 0;
  const start = performance.now();
  kept = decider(request);
  return (performance.now() - start) / 1000;
}

/** Microseconds that 99 of 100 decisions take at most, each measured by itself; as many as fit the time. */
function p99Us(decider: Decider, stream: readonly DecisionRequest[]): number {
  const times: number[] = [];
  const end = performance.now() + p99Ms;
  for (let i = 0; i < 100_000 && performance.now() < end; i += 1) {
    const request = stream[i % stream.length];
    const start = process.hrtime.bigint();
    if (request !== undefined) kept = decider(request);
    times.push(Number(process.hrtime.bigint() - start));
  }
  times.sort((a, b) => a - b);
  return (times[Math.floor(times.length * 0.99)] ?? 0) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void; // V8 makes it there once the flag is set.

interface Compiled {
  readonly bundle: Bundle;
  /** Of files as people write them, and of the same as JSON. */
  readonly yamlMs: number;
  readonly jsonMs: number;
  readonly heapMiB: number;
  readonly longestStepMs: number;
}

/** Compiles several times; the heap is what one bundle keeps, with its texts. */
function compiled(make: () => SourceFile[]): Compiled {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  let bundle = compileOnce(make());
  collectGarbage();
  const heapMiB = (process.memoryUsage().heapUsed - before) / 2 ** 20;
  const asYaml = (): SourceFile[] => make().map(({ path, text }) => ({ path, text: stringify(JSON.parse(text)) }));
  const timeOf = (files: readonly SourceFile[]): number => {
    const start = busyMs();
    bundle = compileOnce(files);
    return busyMs() - start;
  };
  const yaml = [1, 2, 3].map(() => timeOf(asYaml()));
  const json = [1, 2, 3].map(() => timeOf(make()));
  return { bundle, yamlMs: median(yaml), jsonMs: median(json), heapMiB, longestStepMs: longestStep(asYaml()) };
}

function compileOnce(files: readonly SourceFile[]): Bundle {
  const result = compileBundle(files);
  if (!result.ok) throw new Error(result.problems[0]?.message);
  return result.bundle;
}

/** The longest time a gateway cannot serve while it compiles, by processor time of this thread: the 99.9th percentile of its steps. */
function longestStep(files: readonly SourceFile[]): number {
  const steps: number[] = [];
  const work = compilingBundle(files);
  for (let done = false; !done; ) {
    const start = process.threadCpuUsage();
    done = work.next().done === true;
    const { user, system } = process.threadCpuUsage(start);
    steps.push((user + system) / 1000);
  }
  return steps.toSorted((a, b) => a - b)[Math.floor(steps.length * 0.999)] ?? 0;
}

const inProcess = [];
for (const size of sizes) {
  const rules = benchRules(size);
  const found = compiled(() => warderFiles(rules));
  const { bundle } = found;
  const bufbuild = bufbuildPrograms(rules);
  const celJs = await celJsPrograms(rules);
  const engines: Engine[] = [
    { name: 'warder', decider: (request) => decide(bundle, request), samples: [] },
    { name: '@bufbuild/cel behind our index', decider: (request) => celDecide(bundle, request, bufbuild), samples: [] },
    ...(celJs === undefined
      ? []
      : [
          {
            name: '@marcbachmann/cel-js behind our index',
            decider: (request: DecisionRequest) => celDecide(bundle, request, celJs),
            samples: [],
          },
        ]),
    { name: 'Cedar WASM, preparsed', decider: cedarDecider(rules), samples: [] },
  ];
  inProcess.push({ size, rules, stream: benchRequests(rules), found, engines, celJs: celJs !== undefined });
}
for (let round = 0; round < rounds; round += 1)
  for (const { stream, engines } of inProcess) for (const { decider, samples } of engines) samples.push(measure(decider, stream));

function rateText(perSecond: number): string {
  return perSecond >= 1e6 ? `${(perSecond / 1e6).toFixed(2)} M/s` : `${(perSecond / 1e3).toFixed(1)} k/s`;
}

for (const { size, stream, found, engines, celJs } of inProcess) {
  const { yamlMs, jsonMs, heapMiB, longestStepMs } = found;
  process.stdout.write(
    `\n${size} rules: compile ${yamlMs.toFixed(0)} ms (${jsonMs.toFixed(0)} ms from JSON), ${heapMiB.toFixed(0)} MiB, longest step while others are served ${longestStepMs.toFixed(1)} ms\n`,
  );
  const own = median(engines[0]?.samples ?? []);
  for (const { name, samples, decider } of engines) {
    const rate = median(samples);
    const spread = ((Math.max(...samples) - Math.min(...samples)) / rate) * 100;
    const ratio = name === 'warder' ? '' : `; warder is ${(own / rate).toFixed(own / rate < 10 ? 2 : 0)} ×`;
    process.stdout.write(
      `  ${name.padEnd(40)} ${rateText(rate).padStart(10)} (spread ${spread.toFixed(0)} %), p99 ${p99Us(decider, stream.slice(0, 512)).toFixed(1)} µs${ratio}\n`,
    );
  }
  if (!celJs) process.stdout.write('  @marcbachmann/cel-js could not be installed\n');
}
process.stdout.write('\nover HTTP, 32 connections, processor shared with the load:\n');
for (const { size, rules, stream } of inProcess) {
  const result = await measureCerbos(rules, stream, cerbosMs);
  const text =
    result === undefined ? 'npm has no binary for this machine' : `${rateText(result.perSecond)}, p99 ${result.p99Ms.toFixed(1)} ms`;
  process.stdout.write(`  Cerbos, ${size} rules: ${text}\n`);
}
if (kept === undefined) throw new Error('nothing was decided');
process.exit(0);
