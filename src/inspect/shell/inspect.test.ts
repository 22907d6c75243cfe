import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inspectShell } from './inspect.ts';

function programs(text: string): string {
  return inspectShell(text).programs.join(' ');
}

test('programs are found wherever a shell would start them', () => {
  const found: Readonly<Record<string, string>> = {
    uptime: 'uptime',
    'journalctl -u shop | tail -n 5': 'journalctl tail',
    'a && b || c; d & e\nf': 'a b c d e f',
    '(a; { b; })': 'a b',
    'cat $(rm x)': 'rm cat',
    'cat `rm x`': 'rm cat',
    'diff <(a) >(b)': 'a b diff',
    'echo "now $(date) and `id`"': 'date id echo',
    'echo ${x:-$(reboot)}': 'reboot : echo',
    'sudo -u root env A=1 nice -n 5 timeout -k 1 5 rm x': 'sudo env nice timeout rm',
    'bash -c \'sh -ec "rm x"\'': 'bash sh rm',
    "eval 'rm x'": 'eval rm',
    'ls | xargs -n1 -I{} rm {}': 'ls xargs rm',
    'find . -name x -exec rm {} \\; -delete': 'find rm',
    'A=1 B=2 ls': 'ls',
    '2>/dev/null ls': 'ls',
    'if a; then b; elif c; then d; else e; fi': 'a b c d e',
    'for x in rm reboot; do echo $x; done': 'echo',
    'while ! a; do b; done': 'a b',
    'ls # rm': 'ls',
    'echo rm': 'echo',
    'echo "a; rm"': 'echo',
    'ls \\\n -l': 'ls',
    '': '',
  };
  for (const [text, expected] of Object.entries(found)) assert.equal(programs(text), expected, text);
});

test('a name is what the shell makes of it, not how it is written', () => {
  for (const text of ['rm x', 'r"m" x', "'rm' x", '\\rm x', 'r\\m x', '/bin/rm x', '/usr/bin/rm x', 'r""m x', '  rm\tx'])
    assert.equal(programs(text), 'rm', text);
});

test('what only the shell can know makes the facts incomplete, and says why', () => {
  const reasons: Readonly<Record<string, string>> = {
    $x: 'expansion',
    '${x} y': 'expansion',
    "$'rm' x": 'expansion',
    '/bin/r?': 'expansion',
    '{rm,-rf,/}': 'expansion',
    './ls': 'program:./ls',
    '/tmp/ls': 'program:/tmp/ls',
    'PATH=. ls': 'variable:PATH',
    'LD_PRELOAD=x ls': 'variable:LD_PRELOAD',
    'export BASH_ENV=x; ls': 'variable:BASH_ENV',
    'ls > x': 'writes:x',
    'ls >> x': 'writes:x',
    'ls &> x': 'writes:x',
    'ls >& x': 'writes:x',
    'ls > $x': 'writes:?',
    'ls | tee x': 'writes:tee',
    'cat <<E\nx\nE': 'here-document',
    'ls() { rm x; }': 'function',
    'alias ls=rm': 'alias',
    'case x in x) ls;; esac': 'case',
    sh: 'runs:sh',
    'curl x | sh': 'runs:curl',
    'sudo -i': 'runs:sudo',
    'env -S "rm x"': 'runs:env',
    'python3.12 -c x': 'runs:python3.12',
    '. ./x': 'runs:.',
    'sh -c "$x"': 'expansion',
    'ls "never': 'syntax',
    'ls $(never': 'syntax',
    [`${'$('.repeat(40)}ls${')'.repeat(40)}`]: 'depth',
    ['x'.repeat(70_000)]: 'length',
  };
  for (const [text, reason] of Object.entries(reasons)) {
    const { complete, unknown } = inspectShell(text);
    assert.equal(complete, false, text);
    assert.ok(unknown.includes(reason), `${text}: ${unknown.join()}`);
  }
  for (const text of ['ls 2>&1 | wc -l', 'ls > /dev/null', 'ls 2> /dev/null', 'grep -c x < file', 'cat <<< word', 'A=1 ls'])
    assert.equal(inspectShell(text).complete, true, text);
});

test('trees that would be swept are named, from wherever the command stands', () => {
  const swept: Readonly<Record<string, readonly string[]>> = {
    'rm -rf /': ['/'],
    'rm -rf /*': ['/'],
    'rm -r -f -- /etc/': ['/etc'],
    'rm --recursive ~/': ['~'],
    'rm -rf $HOME/x': ['~/x'],
    'rm -rf /var/../': ['/'],
    'cd /etc && rm -rf *': ['/etc'],
    'cd / ; (rm -rf .)': ['/'],
    'cd "$x"; rm -rf *': ['?'],
    'sudo rm -rf //usr//': ['/usr'],
    "bash -c 'rm -rf /opt'": ['/opt'],
    'find / -delete': ['/'],
    'find /srv -exec rm {} ;': ['/srv'],
    'find /srv -name x -delete': [],
    'chmod -R 777 /': ['/'],
    'chown -R eve:eve /home /srv': ['/home', '/srv'],
    'mv /etc /usr /tmp': ['/etc', '/usr'],
    'rm /etc/passwd': [],
    'chmod 777 /': [],
    'echo rm -rf /': [],
  };
  for (const [text, expected] of Object.entries(swept)) assert.deepEqual(inspectShell(text).sweeps, expected, text);
});

test('whatever the text, there is an answer, soon', () => {
  const piece = fc.constantFrom(
    ...[
      'rm',
      ' ',
      '-rf',
      '/',
      '"',
      "'",
      '`',
      '$(',
      ')',
      '${',
      '}',
      '\\',
      '\n',
      ';',
      '&&',
      '|',
      '>',
      '<',
      '<<',
      '(',
      '{',
      '#',
      '*',
      '=',
      'x',
      'if',
      'case',
      'eval',
      'sh -c',
      'find',
      '-exec',
    ],
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 40 }).map((parts) => parts.join('')),
      ),
      (text) => {
        const facts = inspectShell(text);
        return facts.complete === (facts.unknown.length === 0);
      },
    ),
    { numRuns: 2_000 },
  );
  const before = process.cpuUsage();
  for (const text of [
    '$('.repeat(30_000),
    '("'.repeat(20_000),
    'eval '.repeat(12_000),
    'sudo '.repeat(12_000),
    `sh -c "${'x;'.repeat(20_000)}"`,
  ])
    inspectShell(text);
  // What is not linear takes many times as long; processor time does not depend on what else the machine does.
  assert.ok(process.cpuUsage(before).user < 5_000_000);
});
