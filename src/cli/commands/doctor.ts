import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { homeAt, homePath, type HomePaths, readTrust } from '#host';
import { asFault, Fault } from '#model';
import type { GatewayAnswer, MeAnswer } from '../answers.ts';
import { type Connection, connect } from '../connection.ts';
import { paint } from '../paint.ts';
import { printJson } from '../print-json.ts';
import type { CommonOptions, Define } from '../program.ts';
import { findLogs } from './ledger-folders.ts';

interface Finding {
  readonly check: string;
  readonly state: 'good' | 'doubtful' | 'bad' | 'skipped';
  readonly message: string;
  /** What to do. */
  readonly remedy?: string;
}

const roomBytesMin = 512 * 1024 * 1024;

/** `warder doctor` */
export const doctor: Define = (program, _parts, exit) => {
  program
    .command('doctor')
    .description('find the usual mistakes in an installation')
    .action(async (options: CommonOptions) => {
      const findings = await examine(options);
      const bad = findings.some((finding) => finding.state === 'bad');
      if (options.json === true) printJson({ ok: !bad, findings });
      else for (const finding of findings) process.stdout.write(`${findingText(finding)}\n`);
      exit(bad ? 1 : 0);
    });
};

async function examine(options: CommonOptions): Promise<readonly Finding[]> {
  const home = homeAt(homePath(options.home));
  const findings: Finding[] = [machine(), tools(), ...folder(home)];
  let connection: Connection | undefined;
  const running = await attempt('control plane', async () => {
    connection = connect(options);
    const { subject } = await connection.call<MeAnswer>({ path: '/me' });
    return `${connection.base} answers; you are ${subject.name} (${subject.roles.join(', ') || 'no roles'}) through ${connection.identity}`;
  });
  findings.push(running);
  if (connection !== undefined && running.state === 'good') findings.push(...(await gateways(connection)));
  findings.push(await ledgers(home));
  return findings;
}

function machine(): Finding {
  const fits = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);
  const message = `${process.platform}-${process.arch}, Node ${process.versions.node}`;
  if (fits) return { check: 'machine', state: 'good', message };
  return {
    check: 'machine',
    state: 'doubtful',
    message,
    remedy: 'There is no embedded PostgreSQL for it: set DATABASE_URL, and protect targets of your own.',
  };
}

function tools(): Finding {
  const found = spawnSync('psql', ['--version'], { encoding: 'utf8' });
  if (found.status === 0) return { check: 'psql', state: 'good', message: found.stdout.trim() };
  return {
    check: 'psql',
    state: 'doubtful',
    message: 'not installed',
    remedy: '`warder psql` has a small shell; on Debian: apt-get install postgresql-client.',
  };
}

function folder(home: HomePaths): readonly Finding[] {
  if (!existsSync(home.root)) {
    return [
      {
        check: 'home',
        state: 'bad',
        message: `${home.root} does not exist`,
        remedy: 'Start with `warder up`, or name the home with --home or WARDER_HOME.',
      },
    ];
  }
  try {
    accessSync(home.root, constants.R_OK | constants.W_OK | constants.X_OK);
    accessSync(home.secrets, constants.R_OK);
  } catch {
    return [
      {
        check: 'home',
        state: 'bad',
        message: `${home.root} belongs to somebody else`,
        remedy: 'Work as the user who runs Warder, or with a token: WARDER_API and WARDER_TOKEN.',
      },
    ];
  }
  const { bavail, bsize } = statfsSync(home.root);
  const room = bavail * bsize;
  const text = `${home.root}, ${Math.round(room / 1024 / 1024)} MiB free`;
  if (room >= roomBytesMin) return [{ check: 'home', state: 'good', message: text }];
  return [{ check: 'home', state: 'bad', message: text, remedy: 'Free disk space: without room for records every operation is refused.' }];
}

async function gateways(connection: Connection): Promise<readonly Finding[]> {
  try {
    const found = await connection.list<GatewayAnswer>('/gateways', 100);
    if (found.length === 0)
      return [
        {
          check: 'gateways',
          state: 'bad',
          message: 'none has ever connected',
          remedy: 'Start one: `warder up`, or `warder gateway` with the same home.',
        },
      ];
    return found.map((gateway): Finding => {
      const check = `gateway ${gateway.node}`;
      if (!gateway.connected)
        return { check, state: 'bad', message: 'not connected', remedy: 'See its log in the home; `warder up` starts it again by itself.' };
      if (gateway.policy?.current !== true)
        return {
          check,
          state: 'bad',
          message: 'has another bundle in force than the control plane',
          remedy: 'See its log in the home; push again with `warder policy push`.',
        };
      return {
        check,
        state: 'good',
        message: `connected, bundle ${gateway.policy.digest.slice(0, 19)}…, ${gateway.ledger.mirrored} records mirrored`,
      };
    });
  } catch (thrown) {
    const fault = asFault(thrown);
    if (fault.code === 'FORBIDDEN') return [{ check: 'gateways', state: 'skipped', message: 'your role may not see them' }];
    return [{ check: 'gateways', state: 'bad', message: fault.message, remedy: fault.remedy }];
  }
}

function ledgers(home: HomePaths): Promise<Finding> {
  if (!existsSync(home.trust)) return Promise.resolve({ check: 'ledgers', state: 'skipped', message: 'none yet' });
  return attempt('ledgers', async () => {
    const { directorySource, nodeCrypto, verifyLedger } = await import('#ledger/verify');
    const trust = readTrust(home.trust);
    const texts: string[] = [];
    for (const log of findLogs(home.root, trust)) {
      const report = await verifyLedger(directorySource(log.directory), {
        crypto: nodeCrypto,
        ...(trust === undefined ? {} : { trust: trust.ledgers }),
      });
      if (report.status === 'tampered' || log.expected !== undefined)
        throw new Fault('LEDGER_TAMPERED', `${log.directory}: ${report.findings[0]?.message ?? log.expected}`);
      if (report.status === 'unreadable') throw new Fault('LEDGER_UNREADABLE', `${log.directory} cannot be read`);
      texts.push(`${report.origin} ${report.status}, ${report.size + report.unsigned} records`);
    }
    return texts.join('; ');
  });
}

async function attempt(check: string, work: () => Promise<string>): Promise<Finding> {
  try {
    return { check, state: 'good', message: await work() };
  } catch (thrown) {
    const fault = asFault(thrown);
    return { check, state: 'bad', message: fault.message, remedy: fault.remedy };
  }
}

function findingText(finding: Finding): string {
  const { bold, dim, green, red, yellow } = paint(process.stdout);
  const signs = { good: green('✔'), doubtful: yellow('●'), bad: red('✘'), skipped: dim('-') };
  return `${signs[finding.state]} ${bold(finding.check)}  ${finding.message}${finding.remedy === undefined ? '' : `\n    ${finding.remedy}`}`;
}
