/** The part of WebAssembly's JavaScript interface that is used here: Node has it, the types of Node do not. SPEC: W3C WebAssembly JS Interface. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

interface WebAssemblyInterface {
  readonly Memory: new (descriptor: { readonly initial: number; readonly maximum: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>) => WasmInstance;
}

// Reason: a global of every JavaScript engine that Node runs on.
export const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: WebAssemblyInterface };
