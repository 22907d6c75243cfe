import type { CheckReport } from '#policy/cases';

/**
 * What a check found, for code scanning. SPEC: SARIF 2.1.0 (OASIS), §3.13 `sarifLog`; one result for each rule and object, one notification
 * for each file that could not be read.
 */
export function sarifOf({ objects, problems }: CheckReport): unknown {
  const findings = objects.flatMap((object) =>
    object.findings.map((finding) => ({ object, finding, id: finding.rule === '' ? finding.reason : finding.rule })),
  );
  const rules = new Map(findings.map(({ id, finding }) => [id, { id, name: finding.reason, shortDescription: { text: finding.message } }]));
  const order = [...rules.keys()];
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'warder', rules: [...rules.values()] } },
        invocations: [
          {
            executionSuccessful: problems.length === 0,
            toolExecutionNotifications: problems.map(({ message, path, line }) => ({
              level: 'error',
              message: { text: message },
              locations: [location(path, line)],
            })),
          },
        ],
        results: findings.map(({ object, finding, id }) => ({
          ruleId: id,
          ruleIndex: order.indexOf(id),
          level: 'error',
          message: { text: `${object.name}: ${finding.message}` },
          locations: [location(object.path, object.line)],
        })),
      },
    ],
  };
}

function location(path: string, line: number): unknown {
  return { physicalLocation: { artifactLocation: { uri: path.split('\\').join('/') }, region: { startLine: line } } };
}
