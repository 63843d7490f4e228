/**
 * Writes WebAssembly: the few instructions, and the one form of module, that our own products need (core specification 2.0,
 * sections 5.3–5.5). Code is a list of bytes; locals are numbers, all of them i32 up to a function's parameters and
 * `integers`, v128 beyond.
 */

export type Code = number[];

/** LEB128 of a whole number from 0. */
function unsigned(value: number): Code {
  const bytes: Code = [];
  do {
    const rest = value >>> 7;
    bytes.push((value & 0x7f) | (rest ? 0x80 : 0));
    value = rest;
  } while (value);
  return bytes;
}

/** LEB128 of an i32. */
function signed(value: number): Code {
  const bytes: Code = [];
  for (;;) {
    const byte = value & 0x7f;
    value >>= 7;
    if ((value === 0 && !(byte & 0x40)) || (value === -1 && byte & 0x40)) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

const simd = (opcode: number) => [0xfd, ...unsigned(opcode)];
/** Offset in bytes; alignment is only a hint, and tensors are aligned to 4. */
const memory = (offset: number) => [2, ...unsigned(offset)];

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const constant = (value: number): Code => [0x41, ...signed(value)];
export const add = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
export const multiply = (a: Code, b: Code): Code => [...a, ...b, 0x6c];

/** 4 floats, or one of them, to and from an address. */
export const load4 = (at: Code, offset: number): Code => [...at, ...simd(0x00), ...memory(offset)];
export const loadSplat = (at: Code, offset: number): Code => [...at, ...simd(0x09), ...memory(offset)];
export const store4 = (at: Code, offset: number, value: Code): Code => [...at, ...value, ...simd(0x0b), ...memory(offset)];
export const storeFirst = (at: Code, offset: number, value: Code): Code => [...at, ...value, ...simd(0x5a), ...memory(offset), 0];
export const zero4: Code = [...simd(0x0c), ...new Uint8Array(16)];
export const add4 = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe4)];
export const subtract4 = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe5)];
export const divide4 = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe7)];
/** a, or the bound where a lies beyond it; a NaN stays. */
export const atMost4 = (a: Code, bound: Code): Code => [...a, ...bound, ...simd(0xea)];
export const atLeast4 = (a: Code, bound: Code): Code => [...a, ...bound, ...simd(0xeb)];
export const root4 = (a: Code): Code => [...a, ...simd(0xe3)];
/** Four times one number. */
export const number4 = (value: number): Code => [...simd(0x0c), ...Array.from({ length: 4 }, () => [...new Uint8Array(new Float32Array([value]).buffer)]).flat()];
/** Four times the float whose bits an i32 has. */
export const splatBits4 = (bits: Code): Code => [...bits, ...simd(0x11)];
/** 1.5·2²³: added to a float of up to 2²², it leaves the nearest whole number in the lowest bits. */
export const WHOLE = 12582912;
/** 2^n of four n from −126 to 127, given as n + WHOLE. */
export const powerOf4 = (a: Code): Code => [...a, ...constant(23), ...simd(0xab) /* i32x4.shl */, ...constant(127 << 23), ...simd(0x11), ...simd(0xae) /* i32x4.add */];
export const multiply4 = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe6)];
/** Four of the eight floats of a and b, by their numbers. */
export const pick4 = (a: Code, b: Code, lanes: readonly number[]): Code => [...a, ...b, ...simd(0x0d), ...lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte))];

/** Runs the body as long as at least `step` are left from `local` up to `limit`, and adds the step. */
export const countUp = (local: number, limit: number, step: number, body: Code): Code => [
  0x02, 0x40, 0x03, 0x40,
  ...add(get(local), constant(step)), ...get(limit), 0x4a /* gt_s */, 0x0d, 1,
  ...body,
  ...set(local, add(get(local), constant(step))),
  0x0c, 0, 0x0b, 0x0b,
];

/** One or the other, by whether a number is not 0. */
export const choose = (condition: Code, then: Code, otherwise: Code): Code => [...condition, 0x04, 0x40, ...then, 0x05, ...otherwise, 0x0b];

export interface WasmFunction { name: string; parameters: number; integers: number; vectors: number; body: Code }

const list = (items: Code[]): Code => [...unsigned(items.length), ...items.flat()];
const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
const text = (value: string): Code => [...unsigned(value.length), ...new TextEncoder().encode(value)];

/** A module of functions of i32 without a result, over the memory imported as env.memory. */
function wasmModule(functions: readonly WasmFunction[], shared: boolean): Uint8Array<ArrayBuffer> {
  const limits = shared ? [3, ...unsigned(1), ...unsigned(65536)] : [0, ...unsigned(1)];
  const bodies = functions.map(({ integers, vectors, body }) => {
    const code = [...list([[...unsigned(integers), 0x7f], [...unsigned(vectors), 0x7b]]), ...body, 0x0b];
    return [...unsigned(code.length), ...code];
  });
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, list(functions.map(({ parameters }) => [0x60, ...list(Array<Code>(parameters).fill([0x7f])), 0]))),
    ...section(2, list([[...text('env'), ...text('memory'), 2, ...limits]])),
    ...section(3, list(functions.map((_, index) => unsigned(index)))),
    ...section(7, list(functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]))),
    ...section(10, list(bodies)),
  ]);
}

/** Gives such functions over a memory, compiled once for each kind of memory; null where there is no SIMD. */
export function overMemory<Exports>(functions: () => readonly WasmFunction[]): (memory: WebAssembly.Memory) => Exports | null {
  const compiled = new Map<boolean, WebAssembly.Module>();
  return (memory) => {
    const shared = typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
    let module = compiled.get(shared);
    if (!module) {
      const bytes = wasmModule(functions(), shared);
      if (!WebAssembly.validate(bytes)) return null;
      compiled.set(shared, (module = new WebAssembly.Module(bytes)));
    }
    return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports;
  };
}
