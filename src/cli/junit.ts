import type { CaseReport } from '#policy/cases';

/** Results as build servers read them: a suite for each test document. SPEC: JUnit XML as Jenkins and GitLab accept it. */
export function junitXml(report: CaseReport): string {
  const suites = new Map<string, string[]>();
  let failed = 0;
  for (const { test, name, path, line, ok, failures } of report.results) {
    const cases = suites.get(test) ?? [];
    suites.set(test, cases);
    if (!ok) failed += 1;
    const head = `    <testcase classname="${escaped(test)}" name="${escaped(name)}" file="${escaped(path)}" line="${line}"`;
    cases.push(
      ok
        ? `${head}/>`
        : `${head}>\n      <failure message="${escaped(failures[0] ?? 'failed')}">${escaped(failures.join('\n'))}</failure>\n    </testcase>`,
    );
  }
  const errors = report.problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) {
    const cases = errors.map(
      ({ code, message, path, line }) =>
        `    <testcase classname="problems" name="${escaped(`${path}:${line} ${code}`)}">\n      <error message="${escaped(message)}"/>\n    </testcase>`,
    );
    suites.set('problems', cases);
  }
  const body = [...suites].map(([test, cases]) => {
    const bad = cases.filter((text) => text.includes('<failure ')).length;
    const wrong = test === 'problems' ? errors.length : 0;
    return `  <testsuite name="${escaped(test)}" tests="${cases.length}" failures="${bad}" errors="${wrong}">\n${cases.join('\n')}\n  </testsuite>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites tests="${report.results.length}" failures="${failed}" errors="${errors.length}">\n${body.join('\n')}\n</testsuites>\n`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;', '\n': '&#10;' };

/** XML 1.0 has no place for control characters, not even escaped: they become `?`. */
function escaped(text: string): string {
  let safe = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const allowed =
      (code >= 0x20 && code !== 0xfffe && code !== 0xffff && !(code >= 0xd800 && code <= 0xdfff)) || code === 0x0a || code === 0x09;
    safe += allowed ? (entities[character] ?? character) : '?';
  }
  return safe;
}
