import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { Fault } from '#model';
import { type Disk, folderOf, makeFolders, writeDurably } from './disk.ts';

export interface KeyPlace {
  readonly disk: Disk;
  /** The folder of the keys. */
  readonly keys: string;
  readonly origin: string;
  readonly random: (length: number) => Uint8Array;
}

/**
 * Data keys of sessions, each in a file of its own, wrapped by the organisation's key. Deleting one file erases the evidence of that
 * session for good and leaves every proof intact.
 */
export class SessionKeys {
  readonly #place: KeyPlace;
  readonly #wrapping: KeyObject;
  readonly #cache = new Map<string, KeyObject>();

  constructor(place: KeyPlace) {
    this.#place = place;
    const path = `${place.keys}/org.key`;
    let stored = place.disk.read(path);
    if (stored === undefined) {
      stored = Buffer.from(`${Buffer.from(place.random(32)).toString('hex')}\n`);
      makeFolders(place.disk, place.keys);
      writeDurably(place.disk, path, stored);
    }
    const bytes = Buffer.from(Buffer.from(stored).toString().trim(), 'hex');
    if (bytes.length !== 32) throw new Fault('CONFIG_INVALID', `${path} must hold 64 hex digits; put the right file back`);
    this.#wrapping = createSecretKey(bytes);
  }

  /** The key of a session, made durable before it is returned for the first time. */
  forSealing(session: string): KeyObject {
    const known = this.#find(session);
    if (known !== undefined) return known;
    const key = Buffer.from(this.#place.random(32));
    const path = this.#path(session);
    makeFolders(this.#place.disk, folderOf(path));
    const sealed = encrypt({ key: this.#wrapping, iv: this.#place.random(12), context: this.#context(session) }, key);
    writeDurably(this.#place.disk, path, Buffer.from(`${sealed.toString('base64')}\n`));
    return this.#keep(session, key);
  }

  /** The key of a session, or undefined when it never was or was erased. */
  forOpening(session: string): KeyObject | undefined {
    return this.#place.disk.size(this.#path(session)) === undefined ? undefined : this.#find(session);
  }

  /** Forgets the key of a session for good; durable when this returns. */
  erase(session: string): void {
    const path = this.#path(session);
    this.#place.disk.remove(path);
    this.#place.disk.syncFolder(folderOf(path));
    this.#cache.delete(session);
  }

  #find(session: string): KeyObject | undefined {
    const cached = this.#cache.get(session);
    if (cached !== undefined) return cached;
    const stored = this.#place.disk.read(this.#path(session));
    if (stored === undefined) return undefined;
    const key = decrypt({ key: this.#wrapping, context: this.#context(session) }, Buffer.from(Buffer.from(stored).toString(), 'base64'));
    if (key === undefined) throw new Fault('LEDGER_TAMPERED', `the key file of session ${session} is damaged or belongs to another ledger`);
    return this.#keep(session, key);
  }

  #keep(session: string, bytes: Uint8Array): KeyObject {
    const key = createSecretKey(bytes);
    if (this.#cache.size >= cachedKeysMax) this.#cache.delete(this.#cache.keys().next().value ?? '');
    this.#cache.set(session, key);
    return key;
  }

  #context(session: string): string {
    return `key/v1\n${this.#place.origin}\n${session}`;
  }

  #path(session: string): string {
    // Session ids are made by us; the check keeps a mistake elsewhere from becoming a path.
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(session))
      throw new Fault('INVALID_INPUT', 'a session id must be 1 to 64 letters, digits, "_" or "-"');
    return `${this.#place.keys}/sessions/${session.slice(-2)}/${session}.key`;
  }
}

// More than the sessions that can be open at once.
const cachedKeysMax = 4_096;

interface Sealing {
  readonly key: KeyObject;
  readonly iv: Uint8Array;
  /** Authenticated with the content: what it belongs to. */
  readonly context: string;
}

/** AES-256-GCM: iv 12 | ciphertext | tag 16. The content may come in parts. */
export function encrypt(how: Sealing, ...content: readonly Uint8Array[]): Buffer {
  const cipher = createCipheriv('aes-256-gcm', how.key, how.iv);
  cipher.setAAD(Buffer.from(how.context));
  return Buffer.concat([how.iv, ...content.map((part) => cipher.update(part)), cipher.final(), cipher.getAuthTag()]);
}

/** The content, or undefined when anything of it or its context was changed. */
export function decrypt(how: Omit<Sealing, 'iv'>, sealed: Buffer): Buffer | undefined {
  if (sealed.length < 28) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', how.key, sealed.subarray(0, 12), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(how.context));
  decipher.setAuthTag(sealed.subarray(sealed.length - 16));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
  } catch {
    return undefined;
  }
}
