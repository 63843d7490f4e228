import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toHalf } from './float16';
import { packHalfRuns, RUN, unpackHalfRuns } from './halfRuns';
import { writeSafetensors } from './safetensorsWriter';

const random = (seed: number) => () => (seed = (seed * 1664525 + 1013904223) >>> 0) / 2 ** 32;
const halves = (values: number[]) => Uint16Array.from(values, toHalf);
const fileOf = (...tensors: Uint16Array[]) => writeSafetensors(Object.fromEntries(tensors.map((data, i) => [`t${i}`, { shape: [data.length], data }])), { format: 'pt' });

/** Through the stream, in pieces of the given sizes in turn. */
async function unpacked(packed: Uint8Array, sizes: number[] = [packed.length]): Promise<Uint8Array> {
  let at = 0;
  let n = 0;
  const source = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= packed.length) return controller.close();
      controller.enqueue(packed.slice(at, (at += sizes[n++ % sizes.length]!)));
    },
  });
  return new Uint8Array(await new Response(source.pipeThrough(unpackHalfRuns('m.safetensors'))).arrayBuffer());
}

/** Codes times m · 2^e, as recipe/compact.py leaves them. */
const run = (next: () => number, m: number, e: number) => Array.from({ length: RUN }, () => Math.round((next() * 2 - 1) * 127) * m * 2 ** e + 0);

describe('runs of halves on their way', () => {
  it('takes half the bytes where every run is code times scale, of any scale a half has room for', async () => {
    const next = random(1);
    const all = [];
    for (let m = 8; m < 16; m++) for (let e = -24; e <= 5; e++) all.push(...run(next, m, e));
    const file = fileOf(halves(all), halves(new Array<number>(3 * RUN).fill(0)));
    const packed = packHalfRuns(file, 'm');
    expect(await unpacked(packed)).toEqual(file);
    // 65 bytes for 128, the header as it is, and the heads of two records
    expect(packed.length).toBe(file.length - 243 * (2 * RUN - 65) + 10);
  });

  it('keeps to the bit what is not of that kind: other values, −0, infinities, NaN, other types, ends of tensors', async () => {
    const next = random(2);
    const good = run(next, 11, -12);
    const odd = [Float32Array.from([1, 2]), halves([...good, ...Array.from({ length: RUN }, next), ...good, 0.1, 0.2])] as const;
    const special = halves([...good, ...good, ...good, ...good]);
    special[3] = 0x8000;
    special[RUN + 3] = 0x7c00;
    special[2 * RUN + 3] = 0x7e01;
    const file = writeSafetensors({ f: { shape: [2], data: odd[0] }, g: { shape: [odd[1].length], data: odd[1] }, h: { shape: [special.length], data: special }, i: { shape: [0], data: halves([]) } });
    const packed = packHalfRuns(file, 'm');
    expect(await unpacked(packed)).toEqual(file);
    expect(file.length - packed.length).toBeGreaterThan(3 * 63 - 40);
  });

  it('does not mind where the network cuts', async () => {
    const next = random(3);
    const file = fileOf(halves([...run(next, 9, -10), ...run(next, 15, -9), ...Array.from({ length: 70 }, next)]), halves(run(next, 13, -14)));
    const packed = packHalfRuns(file, 'm');
    for (const sizes of [[1], [2, 3, 64], [5, 66, 1], [130]]) expect(await unpacked(packed, sizes)).toEqual(file);
  });

  it('ends early with a file that breaks off, and names one of another form', async () => {
    const file = fileOf(halves(run(random(4), 9, -10)));
    const packed = packHalfRuns(file, 'm');
    expect((await unpacked(packed.slice(0, -1))).length).toBeLessThan(file.length);
    await expect(unpacked(Uint8Array.from([7, 1, 0, 0, 0, 0]))).rejects.toMatchObject({ code: 'base-corrupt', subject: 'm.safetensors' });
    await expect(unpacked(Uint8Array.from([1, 100, 0, 0, 0, 0]))).rejects.toMatchObject({ code: 'base-corrupt' });
  });

  it('has the embedded base in at most 40 MB, and gives its files back to the bit', async () => {
    let sent = 0;
    for (const path of (await readdir('public/base', { recursive: true })).filter((name) => name.includes('.'))) {
      const file = new Uint8Array(await readFile(join('public/base', path)));
      const packed = path.endsWith('.safetensors') ? packHalfRuns(file, path) : file;
      if (packed !== file) expect(Buffer.from(await unpacked(packed, [65_536])).equals(file), path).toBe(true);
      sent += packed.length;
    }
    expect(sent).toBeLessThan(40e6);
  });
});
