import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compileBundle } from '../bundle.ts';
import type { Bundle } from '../bundle.ts';
import type { SourceFile } from '../source.ts';
import { checkFiles } from './check-files.ts';
import type { CheckedObject } from './check-files.ts';
import { readObjects } from './objects.ts';

const root = join(import.meta.dirname, '../../..');
const corpus = join(root, 'test/corpus/policy-packs/pod-security');

function policies(): SourceFile[] {
  return readdirSync(join(root, 'policies'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.yaml'))
    .map((path) => ({ path, text: readFileSync(join(root, 'policies', path), 'utf8') }));
}

function packOf(pack: string): Bundle {
  const compiled = compileBundle(policies(), { packs: [pack] });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.bundle;
}

/** Around a pod: every kind that makes pods. */
const kinds: Readonly<Record<string, (template: unknown) => unknown>> = {
  PodTemplate: (template) => ({ apiVersion: 'v1', metadata: { name: 'w' }, template }),
  ReplicationController: (template) => workload('v1', { template }),
  Deployment: (template) => workload('apps/v1', { template }),
  StatefulSet: (template) => workload('apps/v1', { template }),
  DaemonSet: (template) => workload('apps/v1', { template }),
  ReplicaSet: (template) => workload('apps/v1', { template }),
  Job: (template) => workload('batch/v1', { template }),
  CronJob: (template) => workload('batch/v1', { schedule: '0 * * * *', jobTemplate: { spec: { template } } }),
};

function workload(apiVersion: string, spec: unknown) {
  return { apiVersion, metadata: { name: 'w' }, spec };
}

async function check(bundle: Bundle, file: SourceFile): Promise<readonly CheckedObject[]> {
  const report = await checkFiles(bundle, [file], { now: 0 });
  assert.deepEqual(report.problems, []);
  return report.objects;
}

for (const level of ['baseline', 'restricted']) {
  const bundle = packOf(`kubernetes/${level}`);
  const policy = `pod-security-${level}`;
  describe(`the pod security standard ${level}`, () => {
    test('has pods for every one of its rules', () => {
      const names = new Set(readdirSync(join(corpus, level)));
      const rules = bundle.compiled.rules.filter((rule) => rule.policy.name === policy).map((rule) => rule.id.slice(policy.length + 1));
      assert.deepEqual(
        rules.flatMap((rule) => [`${rule}.pass.yaml`, `${rule}.fail.yaml`]).filter((name) => !names.has(name)),
        [],
      );
      assert.equal(names.size, rules.length * 2);
    });

    for (const name of readdirSync(join(corpus, level))) {
      const [rule = '', expected] = name.split('.');
      const file = { path: name, text: readFileSync(join(corpus, level, name), 'utf8') };
      const pods = readObjects(file).objects;
      test(`${expected === 'pass' ? 'allows' : 'refuses'} the pods of ${name}, whatever makes them`, async () => {
        assert.ok(pods.length >= (expected === 'pass' ? 2 : 3), 'too few pods');
        const wrapped = pods.flatMap(
          ({ name: pod, value }) =>
            Object.entries(kinds).map(([kind, wrap]) => ({
              path: `${kind} of ${pod}`,
              text: JSON.stringify({ ...(wrap(value) as object), kind }),
            })), // An object by its type.
        );
        for (const one of [file, ...wrapped]) {
          for (const object of await check(bundle, one)) {
            const refusing = object.findings.map((finding) => finding.rule);
            if (expected === 'pass') assert.deepEqual(refusing, [], `${one.path}: ${object.name}`);
            else
              assert.ok(
                refusing.includes(`${policy}/${rule}`),
                `${one.path}: ${object.name} is refused by ${refusing.join(', ') || 'nothing'}`,
              );
            if (expected === 'fail' && level === 'baseline')
              assert.deepEqual(refusing, [`${policy}/${rule}`], `${one.path}: ${object.name}`);
          }
        }
      });
    }
  });
}
