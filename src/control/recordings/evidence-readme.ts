import type { SessionView } from '../evidence/sessions.ts';

/** What is in an evidence file and how to check it, for somebody who has nothing else. */
export function evidenceReadme(session: SessionView, control: string): string {
  return `# Evidence of session ${session.id}

${session.subject} on ${session.resource}, through ${session.point}; opened ${new Date(session.opened).toISOString()}.

## Check it

Either of these, offline, in this folder; they are two programs that share no code. Exit status 0 is proven, 1 tampered, 2 incomplete:

    python3 verify.py --evidence .        # Python 3.9, nothing else
    node verify.mjs                       # Node 22.18, nothing else

Both also take the archive as it came (\`--evidence FILE.tar\`), of which every bit counts. Unpacked by hand, add nothing to the folder: a file that is
not in the list is reported.

The keys in \`manifest.json\` came with the evidence, so without \`--key\` it only agrees with itself. Ask the operator of Warder for the keys on
another way, or use the ones that an earlier checkpoint or a witness gave you, and give each with \`--key\`: that of ${session.gateway} and that of ${control}.
Do not trust the verifiers in here further than you trust who gave them to you; the same ones are published with Warder's sources.

## What is in it

| file | what |
|---|---|
| \`manifest.json\` | SHA-256 of every other file, and the keys of the logs |
| \`manifest.tlog-proof\` | proof that the control plane recorded this very list when it handed it out, to whom, and which rules allowed it |
| \`records/<log>/<index>.tlog-proof\` | one record each: the session's from its gateway, approvals from the control plane, with the proof that it stands in the signed log |
| \`evidence/<log>/<index>\` | what that record committed to: 16 bytes of salt, then \`{"parameters": […], "text": "…"}\` |
| \`recording/<log>/<index>\` | the recorded bytes of that chunk: 16 bytes of salt, then pieces: direction (1 byte: 1 from the client, 2 to the client), microseconds of the gateway's clock (8 bytes), length (4 bytes), bytes |
| \`verify.py\`, \`verify.mjs\`, \`verifier/\` | the verifiers |

It holds what was said and shown in clear. Treat it as you would the database.

## What it does not show

That the log as a whole is sound, and that other sessions are in it: verifying the ledger is for that. What somebody who owned the gateway left
out or made up. What was on the person's screen: only what was sent to their program.
`;
}
