import { gunzipSync } from 'node:zlib';
import { Fault, limits } from '#model';

/** What is taken out of an OPA bundle. */
export interface OpaBundle {
  readonly wasm: Uint8Array;
  /** Everything in the bundle's `data.json` files, each under the path of its folder. */
  readonly data: Readonly<Record<string, unknown>>;
}

const blockBytes = 512;

/**
 * Reads `policy.wasm` and the data of an OPA bundle, or a bare `policy.wasm`. Throws CONFIG_INVALID for anything else.
 *
 * SPEC: OPA bundle file format (a gzipped tar); POSIX ustar, of which only regular files are looked at.
 */
export function readOpaBundle(name: string, bytes: Uint8Array): OpaBundle {
  if (isWasm(bytes)) return { wasm: bytes, data: {} };
  let tar: Buffer;
  try {
    tar = gunzipSync(bytes, { maxOutputLength: limits.foreignBundleBytesMax });
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `${name} is neither a WebAssembly module nor a gzipped OPA bundle`, { cause });
  }
  let wasm: Uint8Array | undefined;
  const data: Record<string, unknown> = {};
  for (const file of filesIn(tar)) {
    const path = file.name.replace(/^\.?\//, '');
    if (path === 'policy.wasm') wasm = file.bytes;
    else if (path === 'data.json' || path.endsWith('/data.json')) place(data, path.split('/').slice(0, -1), json(name, path, file.bytes));
  }
  if (wasm === undefined)
    throw new Fault('CONFIG_INVALID', `${name} holds no policy.wasm; build it with \`opa build -t wasm -e <entrypoint>\``);
  return { wasm, data };
}

function isWasm(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;
}

interface TarFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

function* filesIn(tar: Buffer): Generator<TarFile> {
  for (let at = 0; at + blockBytes <= tar.length; ) {
    const header = tar.subarray(at, at + blockBytes);
    if (header.every((byte) => byte === 0)) return;
    const size = Number.parseInt(textIn(header, 124, 12), 8);
    if (!Number.isSafeInteger(size) || size < 0 || at + blockBytes + size > tar.length)
      throw new Fault('CONFIG_INVALID', 'the bundle is cut off, or no tar file');
    const type = textIn(header, 156, 1);
    const prefix = textIn(header, 257, 5) === 'ustar' ? textIn(header, 345, 155) : '';
    const name = textIn(header, 0, 100);
    const body = tar.subarray(at + blockBytes, at + blockBytes + size);
    if (type === '0' || type === '') yield { name: prefix === '' ? name : `${prefix}/${name}`, bytes: new Uint8Array(body) };
    at += blockBytes + Math.ceil(size / blockBytes) * blockBytes;
  }
}

function textIn(block: Buffer, start: number, length: number): string {
  const part = block.subarray(start, start + length);
  const end = part.indexOf(0);
  return part
    .subarray(0, end < 0 ? length : end)
    .toString('latin1')
    .trim();
}

function json(name: string, path: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `${path} in ${name} is no JSON`, { cause });
  }
}

/** Puts data under its path; data of an inner folder comes on top of what the outer one says. */
function place(data: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let inner = data;
  for (const part of path) {
    const next = Object.hasOwn(inner, part) ? inner[part] : undefined;
    const made: Record<string, unknown> = isObject(next) ? next : {};
    set(inner, part, made);
    inner = made;
  }
  if (isObject(value)) for (const [key, member] of Object.entries(value)) set(inner, key, member);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key named `__proto__` is data like any other. */
function set(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
}
