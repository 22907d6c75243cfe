import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DecisionRequest } from '#model';
import { peerFile } from './peer-install.ts';
import type { BenchRule } from './peer-rules.ts';

export interface CerbosResult {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** The rules of one resource as a policy of its own kind, groups as roles: what Cerbos tells apart by itself. */
function policyOf(resource: string, rules: readonly BenchRule[]): unknown {
  return {
    apiVersion: 'api.cerbos.dev/v1',
    resourcePolicy: {
      version: 'default',
      resource: kindOf(resource),
      rules: rules.map(({ n, group, kind }) => ({
        name: `r${n}`,
        actions: ['execute'],
        effect: kind === 'allow' ? 'EFFECT_ALLOW' : 'EFFECT_DENY',
        roles: [group],
        condition: { match: { expr: conditionOf(n, kind) } },
      })),
    },
  };
}

function conditionOf(n: number, kind: BenchRule['kind']): string {
  if (kind === 'destructive') return 'R.attr.effects.exists(e, e.startsWith("drop.") || e == "truncate")';
  return kind === 'purpose' ? `R.attr.verbs.exists(v, v == "verb-${n}")` : 'R.attr.verbs.exists(v, v in ["select", "update"])';
}

function kindOf(resource: string): string {
  return resource.replaceAll(/[^a-z0-9]/g, '_');
}

function bodyOf({ subject, resource, attributes }: DecisionRequest): string {
  const { verbs, effects } = attributes['sql'] as { verbs: string[]; effects: string[] }; // As the benchmark made it.
  const id = String(resource.id);
  return JSON.stringify({
    principal: { id: subject.id, roles: subject.groups, attr: {} },
    resources: [{ resource: { kind: kindOf(id), id, attr: { verbs, effects } }, actions: ['execute'] }],
  });
}

const connections = 32;

/** Runs the official binary with the rules and asks it over HTTP; undefined where npm has no binary for this machine. */
export async function measureCerbos(
  rules: readonly BenchRule[],
  requests: readonly DecisionRequest[],
  measureMs: number,
): Promise<CerbosResult | undefined> {
  const manifest = peerFile(`@cerbos/cerbos-${process.platform}-${process.arch}/package.json`);
  if (manifest === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'warder-bench-cerbos-'));
  const [http, grpc] = [await freePort(), await freePort()];
  for (const [resource, own] of Map.groupBy(rules, (rule) => rule.resource))
    writeFileSync(join(folder, `${kindOf(resource)}.json`), JSON.stringify(policyOf(resource, own)));
  const binary = join(manifest, '..', `cerbos-${process.platform}-${process.arch}`);
  const settings = [
    ...[`server.httpListenAddr=127.0.0.1:${http}`, `server.grpcListenAddr=127.0.0.1:${grpc}`, 'telemetry.disabled=true'],
    ...['storage.driver=disk', `storage.disk.directory=${folder}`, 'audit.enabled=false'],
  ];
  const server = spawn(binary, ['server', '--log-level=error', ...settings.map((one) => `--set=${one}`)], { stdio: 'ignore' });
  try {
    await answering(http, requests[0] === undefined ? '' : bodyOf(requests[0]));
    return await load(http, requests.map(bodyOf), measureMs);
  } finally {
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const agent = new Agent({ keepAlive: true, maxSockets: connections });

function ask(port: number, body: string): Promise<number> {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, path: '/api/check/resources', method: 'POST', headers, agent }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.once('error', reject).end(body);
  });
}

async function answering(port: number, body: string): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const status = await ask(port, body).catch(() => 0);
    if (status === 200) return;
    if (status >= 400) throw new Error(`Cerbos answers ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('Cerbos did not start');
}

async function load(port: number, bodies: readonly string[], measureMs: number): Promise<CerbosResult> {
  const times: number[] = [];
  const start = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (performance.now() - start < measureMs) {
        const began = performance.now();
        await ask(port, bodies[next++ % bodies.length] ?? '');
        times.push(performance.now() - began);
      }
    }),
  );
  times.sort((a, b) => a - b);
  return { perSecond: (times.length / (performance.now() - start)) * 1000, p99Ms: times[Math.floor(times.length * 0.99)] ?? 0 };
}
