import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { TimeStampSettings } from '#host';
import { Fault, limits } from '#model';
import type { World } from '#model';
import type { AnchorPlace } from './anchor.ts';
import { openTimeStamp, timeStampRequest } from './time-stamp.ts';

/**
 * A time stamping authority: it says, signed, that a checkpoint existed at a time, without seeing what is in the log. The folder gets
 * `<log>-<size>.checkpoint` and `<log>-<size>.tsr`, which `openssl ts -verify` checks. SPEC: RFC 3161.
 */
export function timeStampAnchor(settings: TimeStampSettings, world: World): AnchorPlace {
  const { url, folder } = settings;
  const authorities = certificatesIn(settings.ca);
  return {
    name: `${url} in ${folder}`,
    everyMs: settings.everyMinutes * 60_000,
    async last(origin) {
      const beginning = `${nameOf(origin)}-`;
      const sizes = (await namesIn(folder))
        .map((name) => (name.startsWith(beginning) ? /^(\d{1,15})\.tsr$/.exec(name.slice(beginning.length))?.[1] : undefined))
        .filter((size) => size !== undefined)
        .map(Number);
      if (sizes.length === 0) return undefined;
      const path = join(folder, `${beginning}${Math.max(...sizes)}`);
      const note = await readFile(`${path}.checkpoint`);
      openTimeStamp(await readFile(`${path}.tsr`), { bytes: note, authorities });
      return note.toString('utf8');
    },
    async keep(note) {
      const [origin = '', size = ''] = note.split('\n');
      const bytes = Buffer.from(note, 'utf8');
      const nonce = world.randomBytes(8);
      const answer = await ask(url, timeStampRequest(bytes, nonce));
      openTimeStamp(answer, { bytes, nonce, authorities });
      await mkdir(folder, { recursive: true });
      const path = join(folder, `${nameOf(origin)}-${size}`);
      // The token last: where it is, the checkpoint is.
      await write(`${path}.checkpoint`, bytes);
      await write(`${path}.tsr`, answer);
    },
  };
}

/** SPEC: RFC 3161 §3.4. */
async function ask(url: string, request: Buffer): Promise<Buffer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' },
    body: new Uint8Array(request),
    redirect: 'error',
    signal: AbortSignal.timeout(limits.anchorAnswerMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Fault('INVALID_INPUT', `${url} answered ${response.status}`);
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > limits.anchorAnswerBytesMax) throw new Fault('INVALID_INPUT', `the answer of ${url} is too long`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(`${path}.tmp`, 'w', 0o644);
  try {
    await file.writeFile(bytes);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** An origin as part of a file's name. */
function nameOf(origin: string): string {
  return origin.replaceAll(/[^A-Za-z0-9.-]/g, '_');
}

function certificatesIn(path: string): readonly X509Certificate[] {
  try {
    const blocks = readFileSync(path, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `${path} cannot be read as certificates`, { cause });
  }
  throw new Fault('CONFIG_INVALID', `${path} holds no certificate in PEM`);
}
