import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RolloutSteps } from './rollout-steps.ts';

test('steps count for the bundle they were offered for, the newest of them, and only a few are kept', () => {
  const steps = new RolloutSteps();
  steps.offer({ bundle: 'sha256:a', steps: { r: 1 } });
  steps.offer({ bundle: 'sha256:b', steps: { r: 3 } });
  steps.offer({ bundle: 'sha256:a', steps: { r: 2 } });
  assert.deepEqual([steps.of('sha256:a'), steps.of('sha256:b'), steps.of('sha256:c')], [{ r: 2 }, { r: 3 }, undefined]);
  for (let i = 0; i < 10; i += 1) steps.offer({ bundle: `sha256:${i}`, steps: {} });
  assert.equal(steps.of('sha256:a'), undefined);
});

test('the steps of the bundle in force are kept, however many others are offered before one of them comes into force', () => {
  const steps = new RolloutSteps();
  steps.offer({ bundle: 'sha256:a', steps: { r: 2 } });
  for (let i = 0; i < 10; i += 1) steps.offer({ bundle: `sha256:${i}`, steps: {} }, 'sha256:a');
  assert.deepEqual([steps.of('sha256:a'), steps.of('sha256:0'), steps.of('sha256:9')], [{ r: 2 }, undefined, {}]);
});
