/** The files of one log, wherever they are. Paths are relative, with `/`. */
export interface LedgerSource {
  /** A file or a part of it; undefined when there is none. The bytes are the caller's to keep. */
  read(path: string, range?: { readonly offset: number; readonly length: number }): Promise<Uint8Array | undefined>;
  /** The caller is done with bytes that `read` gave and keeps no part of them; their memory may be used for others. */
  release?(bytes: Uint8Array): void;
  /** Names in a folder; empty when there is none. */
  list(path: string): Promise<readonly string[]>;
}

/** The two primitives that must come from the platform. */
export interface VerifyCrypto {
  sha256(bytes: Uint8Array): Uint8Array;
  /** Ed25519 over the message; `publicKey` is the raw 32 bytes. */
  verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean | Promise<boolean>;
}
