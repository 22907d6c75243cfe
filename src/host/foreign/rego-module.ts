import { limits } from '#model';
import { builtins } from './rego-builtins.ts';
import { WebAssembly } from './webassembly.ts';
import type { WasmInstance, WasmMemory } from './webassembly.ts';

const pageBytes = 65_536;
/** What a module is given to begin with; compiled policies ask for two pages. */
const pagesFirst = 16;

/** The exports of a compiled policy. SPEC: OPA, "Wasm", ABI 1.2 and later. */
interface Exports {
  readonly builtins: () => number;
  readonly entrypoints: () => number;
  readonly opa_eval: (
    ...args: [reserved: 0, entrypoint: number, data: number, input: number, inputBytes: number, heap: number, format: 0]
  ) => number;
  readonly opa_heap_ptr_get: () => number;
  readonly opa_heap_ptr_set: (address: number) => void;
  readonly opa_malloc: (bytes: number) => number;
  readonly opa_json_parse: (address: number, bytes: number) => number;
  readonly opa_json_dump: (value: number) => number;
}

export interface RegoTerms {
  readonly wasm: Uint8Array;
  readonly data: unknown;
  /** `data.sql.authz` or `sql/authz`: one of the entrypoints that the policy was compiled with. */
  readonly entrypoint: string;
  readonly memoryBytesMax: number;
}

/**
 * A policy compiled to WebAssembly. It runs until it is done: who must not wait for ever runs it in a thread of its own.
 * Throws an Error that says what is wrong with the module; a module may use no more memory than it was given.
 */
export class RegoModule {
  readonly #exports: Exports;
  readonly #memory: WasmMemory;
  readonly #entrypoint: number;
  readonly #data: number;
  readonly #heap: number;
  /** Functions of the host by the ids that the module has for them. */
  #hosted: ReadonlyMap<number, string> = new Map();
  #nowMs = 0;

  constructor({ wasm, data, entrypoint, memoryBytesMax }: RegoTerms) {
    const maximum = Math.max(pagesFirst, Math.floor(memoryBytesMax / pageBytes));
    this.#memory = new WebAssembly.Memory({ initial: pagesFirst, maximum });
    const env = { memory: this.#memory, ...this.#imports() };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env });
    this.#exports = exportsOf(instance);
    this.#hosted = this.#wanted();
    this.#entrypoint = this.#entry(entrypoint);
    this.#data = this.#put(data);
    this.#heap = this.#exports.opa_heap_ptr_get();
  }

  /** The value of the entrypoint; an empty list where it is undefined. `input` is JSON, `nowMs` what `time.now_ns` says. */
  evaluate(input: string, nowMs: number): readonly unknown[] {
    this.#nowMs = nowMs;
    const bytes = Buffer.from(input, 'utf8');
    const address = this.#heap;
    this.#write(address, bytes);
    const after = address + bytes.length;
    const result = this.#exports.opa_eval(0, this.#entrypoint, this.#data, address, bytes.length, after, 0);
    const text = this.#text(result);
    if (text.length > limits.foreignAnswerBytesMax) throw new Error(`its answer is longer than ${limits.foreignAnswerBytesMax} bytes`);
    const answers: unknown = JSON.parse(text);
    if (!Array.isArray(answers)) throw new Error('the module answered with something else than a set of results');
    return answers.map((answer: unknown) =>
      typeof answer === 'object' && answer !== null && 'result' in answer ? answer.result : undefined,
    );
  }

  #imports(): Record<string, (...args: number[]) => number> {
    const call = (id = 0, _context = 0, ...args: number[]): number => this.#call(id, args);
    return {
      opa_abort: (address = 0) => {
        throw new Error(`the policy gave up: ${this.#text(address)}`);
      },
      opa_println: () => 0,
      ...Object.fromEntries([0, 1, 2, 3, 4].map((count) => [`opa_builtin${count}`, call])),
    };
  }

  #call(id: number, args: readonly number[]): number {
    const name = this.#hosted.get(id) ?? '';
    const builtin = Object.hasOwn(builtins, name) ? builtins[name] : undefined;
    if (builtin === undefined) throw new Error(`the policy calls a function that is not there: ${name}`);
    const result = builtin(
      args.map((address) => this.#value(address)),
      this.#nowMs,
    );
    // SPEC: the address 0 is undefined.
    return result === undefined ? 0 : this.#put(result);
  }

  #wanted(): ReadonlyMap<number, string> {
    const wanted = Object.entries(this.#record(this.#exports.builtins()));
    const missing = wanted.map(([name]) => name).filter((name) => !Object.hasOwn(builtins, name));
    if (missing.length > 0) throw new Error(`the policy needs functions that are not there: ${missing.toSorted().join(', ')}`);
    return new Map(wanted.map(([name, id]) => [Number(id), name]));
  }

  #entry(entrypoint: string): number {
    const known = this.#record(this.#exports.entrypoints());
    const name = entrypoint.replace(/^data[./]/, '').replaceAll('.', '/');
    const id = Object.hasOwn(known, name) ? known[name] : undefined;
    if (typeof id === 'number') return id;
    throw new Error(`the policy was not compiled with the entrypoint ${name}; it has ${Object.keys(known).join(', ')}`);
  }

  #record(address: number): Readonly<Record<string, unknown>> {
    const value = this.#value(address);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}; // Checked just now.
  }

  #value(address: number): unknown {
    return JSON.parse(this.#text(this.#exports.opa_json_dump(address)));
  }

  #put(value: unknown): number {
    const bytes = Buffer.from(JSON.stringify(value ?? null), 'utf8');
    const address = this.#exports.opa_malloc(bytes.length);
    this.#write(address, bytes);
    const parsed = this.#exports.opa_json_parse(address, bytes.length);
    if (parsed === 0) throw new Error('the module could not read its data');
    return parsed;
  }

  #write(address: number, bytes: Uint8Array): void {
    const missing = address + bytes.length - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / pageBytes));
    new Uint8Array(this.#memory.buffer).set(bytes, address);
  }

  /** Text that ends with a zero byte. */
  #text(address: number): string {
    const memory = new Uint8Array(this.#memory.buffer);
    const end = memory.indexOf(0, address);
    if (end < 0) throw new Error('the module gave a text without an end');
    return Buffer.from(memory.subarray(address, end)).toString('utf8');
  }
}

const needed = [
  'builtins',
  'entrypoints',
  'opa_eval',
  'opa_heap_ptr_get',
  'opa_heap_ptr_set',
  'opa_malloc',
  'opa_json_parse',
  'opa_json_dump',
] as const satisfies readonly (keyof Exports)[];

function exportsOf({ exports }: WasmInstance): Exports {
  const missing = needed.filter((name) => typeof exports[name] !== 'function');
  if (missing.length > 0) throw new Error(`this is no policy compiled by OPA 0.35 or later: it does not export ${missing.join(', ')}`);
  // Reason: their presence is checked above; what they take and give is the ABI's.
  return exports as unknown as Exports;
}
