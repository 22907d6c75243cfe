import { parentPort, workerData } from 'node:worker_threads';
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { ThreadQuestion, ThreadReply } from './thread.ts';

const policySet = 'policies';

/** The thread that Cedar runs in. SPEC: `@cedar-policy/cedar-wasm` 4.x, the stateful interface. */
const port = parentPort;
if (port !== null) {
  // Reason: the only place that starts this thread hands over the texts of policies by their ids.
  const problem = parse(workerData as Record<string, string>);
  port.postMessage({ id: 0 } satisfies ThreadReply);
  port.on('message', ({ id, input }: ThreadQuestion) => port.postMessage(reply(id, input)));

  const reply = (id: number, input: string): ThreadReply => {
    if (problem !== undefined) return { id, ok: false, why: problem };
    try {
      // Reason: made by the gateway in Cedar's form; Cedar itself checks it again.
      const questions = JSON.parse(input) as Omit<cedar.StatefulAuthorizationCall, 'preparsedPolicySetId'>[];
      const result = questions.map((question) => {
        const answer = cedar.statefulIsAuthorized({ ...question, preparsedPolicySetId: policySet });
        return answer.type === 'failure' ? undefined : answer.response;
      });
      if (!result.includes(undefined)) return { id, ok: true, result };
    } catch {
      // As below: what Cedar says of it may quote the request, and this reason goes to a log.
    }
    return { id, ok: false, why: 'Cedar does not understand the request' };
  };
}

/** What is wrong with the policies; nothing when they are understood. */
function parse(staticPolicies: Record<string, string>): string | undefined {
  const parsed = cedar.preparsePolicySet(policySet, { staticPolicies });
  return parsed.type === 'success' ? undefined : `Cedar does not understand the policies: ${parsed.errors[0]?.message ?? ''}`;
}
