/** 300 safetensors files that are wrong on purpose, made from one seed: each is refused by name, at once, and without taking memory. */
import { describe, expect, it } from 'vitest';
import { Fault } from '../protocol/faults';
import { blobBytes, openCheckpoint } from './checkpointFile';
import { openSafetensors } from './safetensors';

let state = 20260117;
/** A whole number below n. */
function below(n: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
}
const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;

type Entry = { dtype: unknown; shape: unknown; data_offsets: unknown };
type Header = Record<string, Entry>;
const DATA = 96;
const sound = (): Header => ({
  a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] }, b: { dtype: 'F16', shape: [4], data_offsets: [24, 32] }, c: { dtype: 'I8', shape: [64], data_offsets: [32, DATA] },
});

function bytesOf(header: string | Uint8Array, { dataBytes = DATA, length }: { dataBytes?: number; length?: bigint } = {}): Uint8Array<ArrayBuffer> {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const out = new Uint8Array(8 + json.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  out.set(json, 8);
  return out;
}
const changed = (change: (entry: Entry, header: Header) => void): Uint8Array<ArrayBuffer> => {
  const header = sound();
  change(header[pick(['a', 'b', 'c'])]!, header);
  return bytesOf(JSON.stringify(header));
};
/** Changed as text, for what no object can say. */
const rewritten = (from: RegExp, to: string) => {
  const text = JSON.stringify(sound());
  const places = [...text.matchAll(new RegExp(from, 'g'))];
  const { index, 0: found } = pick(places);
  return bytesOf(text.slice(0, index) + found.replace(from, to) + text.slice(index + found.length));
};

const makers: Record<string, () => Uint8Array<ArrayBuffer>> = {
  'a range that reaches into the next': () => changed((_, h) => { const by = 1 + below(4); h.a!.data_offsets = [0, 24 + by]; }),
  'ranges that overlap': () => changed((_, h) => { h.b!.data_offsets = [20, 28]; }),
  'all of one place': () => changed((_, h) => { for (const each of Object.values(h)) each.data_offsets = [0, 24]; }),
  'a range outside': () => changed((entry) => { entry.data_offsets = [DATA + below(1000), DATA + 1000 + below(2 ** 31)]; }),
  'a range of astronomic size': () => changed((entry) => { entry.data_offsets = [0, pick([2 ** 53 - 1, 2 ** 60, 1e300])]; }),
  'a range backwards': () => changed((entry) => { entry.data_offsets = [60 + below(30), below(20)]; }),
  'a range that is no pair': () => changed((entry) => { entry.data_offsets = pick<unknown>([[], [0], [0, 1, 2], null, {}, 'x', 7, [null, 4], ['0', '4'], [0.5, 24.5], [-4, 20]]); }),
  'no range': () => changed((entry) => { delete (entry as Partial<Entry>).data_offsets; }),
  'a gap': () => changed((entry, h) => { delete h[pick(['a', 'b', 'c'].filter((name) => h[name] === entry))]; }),
  'a giant shape': () => changed((entry) => { entry.shape = [pick([2 ** 31, 2 ** 40, 2 ** 52, 1e15])]; }),
  'a shape whose product overflows': () => changed((entry) => { entry.shape = Array.from({ length: 2 + below(7) }, () => 2 ** (32 + below(20))); }),
  'a product that wraps around to the right one': () => changed((entry) => { entry.shape = [2 ** 32, 2 ** 32, 2]; }),
  'a shape of thousands': () => changed((entry) => { entry.shape = new Array<number>(1000 + below(100_000)).fill(1); }),
  'infinities times zero': () => changed((entry) => { entry.shape = [...new Array<number>(40).fill(2 ** 50), 0]; }),
  'a shape that is none': () => changed((entry) => { entry.shape = pick<unknown>([null, {}, 'F32', 3, [-1], [1.5], [null], ['6'], [[6]], [true], { length: 1 }]); }),
  'a shape of not-a-number': () => rewritten(/"shape":\[/, pick(['"shape":[NaN,', '"shape":[Infinity,', '"shape":[-NaN,', '"shape":[1e999,', '"shape":[0x2,', '"shape":[1e-3,'])),
  'a kind that is none': () => changed((entry) => { entry.dtype = pick<unknown>(['F4', 'f32', '', 'toString', 'constructor', '__proto__', 'hasOwnProperty', null, 3, {}, ['F32'], 'F32\u0000']); }),
  'a kind of megabytes': () => changed((entry) => { entry.dtype = 'F'.repeat(100_000 + below(1_000_000)); }),
  'a kind nested deeply': () => rewritten(/"dtype":"[A-Z0-9]+"/, `"dtype":${'['.repeat(100_000)}${']'.repeat(100_000)}`),
  '8-bit floats of another size': () => changed((entry) => { entry.dtype = pick(['F8_E4M3', 'F8_E5M2']); entry.shape = [1 + below(7)]; }),
  'a kind of another size': () => changed((_, h) => { h.a!.dtype = pick(['F64', 'BF16', 'I64', 'U8', 'F8_E4M3']); }),
  'entries that are none': () => changed((_, h) => { h.d = pick<unknown>([null, 1, 'x', [], true, [1, 2]]) as Entry; }),
  'a name twice': () => { const text = JSON.stringify(sound()); return bytesOf(`${text.slice(0, -1)},"${pick(['a', '\\u0061', 'b', 'c'])}":{"dtype":"I8","shape":[${DATA}],"data_offsets":[0,${DATA}]}}`); },
  'a field twice': () => rewritten(/"dtype":/, '"dtype":"F64","dtype":'),
  'metadata twice': () => { const text = JSON.stringify(sound()); return bytesOf(`{"__metadata__":{"a":"1"},"__metadata__":{"a":"2"},${text.slice(1)}`); },
  'a prototype as a tensor': () => bytesOf(`{"__proto__":{"dtype":"F32","shape":[${1 + below(9)}],"data_offsets":[0,${DATA * 2}]}}`),
  'an entry all of whose fields are inherited': () => bytesOf(`{"a":{"__proto__":{"dtype":"I8","shape":[${DATA}],"data_offsets":[0,${DATA}]}}}`),
  'metadata that are not text': () => bytesOf(JSON.stringify({ __metadata__: pick<unknown>([[], ['x'], 'x', 1, null, { a: 1 }, { a: { b: 'c' } }, { a: null }]), ...sound() }).replace('"__metadata__":null', '"__metadata__":{"a":null}').replace('"__metadata__":[]', '"__metadata__":[[]]')),
  'no JSON': () => bytesOf(pick(['', '{', '}', '{"a":', 'null', '[]', '"a"', '1', 'true', '{"a":1,}', "{'a':1}", '<html>', '{}{}', '\ufeff{}', '{"a":undefined}', '{/**/}'])),
  'nesting without end': () => bytesOf(pick(['['.repeat(200_000), '{"a":'.repeat(200_000), `{"a":${'['.repeat(300_000)}${']'.repeat(300_000)}}`, `{"a":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_001)}`])),
  'bytes that are no text': () => bytesOf(Uint8Array.from([0x7b, 0x22, ...Array.from({ length: 1 + below(40) }, () => 0x80 + below(0x40)), 0x22, 0x7d])),
  'zeros for a header': () => bytesOf(new Uint8Array(1 + below(500))),
  'a header longer than the file': () => bytesOf(JSON.stringify(sound()), { length: BigInt(10_000 + below(2 ** 23)) }),
  'a header of astronomic length': () => bytesOf(JSON.stringify(sound()), { length: pick([2n ** 63n, 2n ** 64n - 1n, 2n ** 53n, 2n ** 32n, 100_000_001n]) }),
  'a header cut short': () => bytesOf(JSON.stringify(sound()), { length: BigInt(1 + below(150)) }),
  'data cut short': () => bytesOf(JSON.stringify(sound()), { dataBytes: below(DATA) }),
  'data too long': () => bytesOf(JSON.stringify(sound()), { dataBytes: DATA + 1 + below(100) }),
  'a file of a few bytes': () => new Uint8Array(below(8)),
  'names of megabytes': () => changed((_, h) => { h['n'.repeat(200_000 + below(1_000_000))] = { dtype: 'F32', shape: [1], data_offsets: [0, 4] }; }),
  'a hundred thousand tensors of one place': () => bytesOf(`{${Array.from({ length: 20_000 + below(80_000) }, (_, i) => `"t${i}":{"dtype":"I8","shape":[8],"data_offsets":[0,8]}`).join()}}`),
};

const COUNT = 300;
const kinds = Object.entries(makers);

describe('300 hostile headers', () => {
  it('are made from a file that is sound', () => {
    expect(openSafetensors(bytesOf(JSON.stringify(sound()))).keys()).toEqual(['a', 'b', 'c']);
  });

  it('end in a named fault of a few words each, within a second and a hundred megabytes', async () => {
    let slowest = 0;
    for (let i = 0; i < COUNT; i++) {
      const [kind, make] = kinds[i % kinds.length]!;
      const bytes = make();
      const before = process.memoryUsage();
      const opened = async () => {
        const started = performance.now();
        const error = await openCheckpoint(blobBytes(new Blob([bytes]), 'x.safetensors')).then(() => null, (cause: unknown) => cause);
        return { error, took: performance.now() - started };
      };
      const { error, took: once } = await opened();
      const after = process.memoryUsage();
      // a second time where another program may have had the processor
      const took = once < 1000 ? once : Math.min(once, (await opened()).took);
      slowest = Math.max(slowest, took);
      expect(took, kind).toBeLessThan(1000);
      expect(Fault.is(error), `${kind} (${i}): ${String(error)}`).toBe(true);
      expect(['safetensors-invalid', 'file-unrecognised', 'file-empty'], kind).toContain((error as Fault).code);
      expect((error as Fault).message.length, kind).toBeLessThan(500);
      expect(() => openSafetensors(bytes, 'x.safetensors'), kind).toThrow(Fault);
      expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers - 2 * bytes.byteLength, kind).toBeLessThan(100 * 2 ** 20);
    }
    console.info(`slowest of ${COUNT}: ${slowest.toFixed(0)} ms`);
  }, 120_000);
});
