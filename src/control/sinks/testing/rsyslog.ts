import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '#host';

const program = ['/usr/sbin/rsyslogd', '/usr/bin/rsyslogd'].find((path) => existsSync(path));

/** Why the tests with a real rsyslog cannot run; undefined when they can. */
export const withoutRsyslog = program === undefined ? 'rsyslogd is not installed (Debian: rsyslog)' : undefined;
export const withoutTls =
  withoutRsyslog ??
  (['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib'].some((path) => existsSync(join(path, 'rsyslog/lmnsd_gtls.so')))
    ? undefined
    : 'rsyslog has no TLS (Debian: rsyslog-gnutls)');

export interface Rsyslog {
  readonly port: number;
  readonly folder: string;
  /** PEM file of its certificate, with TLS. */
  readonly ca: string;
  /** The lines it wrote: `MSGID|HOSTNAME|APP-NAME|STRUCTURED-DATA|MSG`. */
  lines(): string[];
  stop(): Promise<void>;
}

/** Debian's rsyslog with one TCP or TLS input and one file. */
export async function startRsyslog(options: { tls: boolean }): Promise<Rsyslog> {
  const folder = mkdtempSync(join(tmpdir(), 'warder-rsyslog-'));
  const at = (name: string): string => join(folder, name);
  if (options.tls) {
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    spawnSync('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      at('key.pem'),
      '-out',
      at('cert.pem'),
      ...subject,
    ]);
  }
  const driver = options.tls ? ' StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"' : '';
  const certificates = options.tls
    ? ` defaultNetstreamDriverCAFile="${at('cert.pem')}" defaultNetstreamDriverCertFile="${at('cert.pem')}" defaultNetstreamDriverKeyFile="${at('key.pem')}"`
    : '';
  writeFileSync(
    at('rsyslog.conf'),
    [
      `global(workDirectory="${folder}" maxMessageSize="64k"${certificates})`,
      `module(load="imtcp"${driver})`,
      'template(name="whole" type="string" string="%msgid%|%hostname%|%app-name%|%structured-data%|%msg%\\n")',
      'ruleset(name="in") {',
      `  action(type="omfile" file="${at('out.log')}" template="whole")`,
      '}',
      `input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="${at('port')}" ruleset="in")`,
      '',
    ].join('\n'),
  );
  const child = spawn(program ?? '', ['-n', '-f', at('rsyslog.conf'), '-i', at('pid')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const port = await until(() => (existsSync(at('port')) ? Number(readFileSync(at('port'), 'utf8')) || undefined : undefined), {
    deadlineMs: 10_000,
  });
  if (port === undefined) {
    child.kill('SIGKILL');
    throw new Error(`rsyslog did not start: ${said}`);
  }
  return {
    port,
    folder,
    ca: at('cert.pem'),
    lines: () => (existsSync(at('out.log')) ? readFileSync(at('out.log'), 'utf8').split('\n').slice(0, -1) : []),
    async stop() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
