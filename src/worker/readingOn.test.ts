import { describe, expect, it } from 'vitest';
import type { ByteSource } from '../formats/checkpointFile';
import { readingOn, type Wanted } from './readingOn';

const MiB = 2 ** 20;

/** A file whose bytes tell where they stand, and what was read of it. */
function file(sizeBytes: number, readBytes: number, read?: (begin: number) => Promise<void>): ByteSource & { asked: [number, number][] } {
  const asked: [number, number][] = [];
  return {
    path: 'a', sizeBytes, readBytes, asked,
    async read(begin, end) {
      asked.push([begin, end]);
      await read?.(begin);
      return Uint8Array.from({ length: end - begin }, (_, i) => tell(begin + i));
    },
  };
}
const tell = (at: number) => (at ^ (at >> 8) ^ (at >> 16)) & 255;
const expected = (ranges: Wanted['ranges']) => ranges.flatMap(([begin, end]) => Array.from({ length: end - begin }, (_, i) => tell(begin + i)));

async function taken(reading: ReturnType<typeof readingOn>, n: number): Promise<number[]> {
  const all: number[] = [];
  for await (const piece of reading.take(n)) all.push(...piece);
  return all;
}

describe('readingOn', () => {
  it('gives each item its own bytes: halves that change places, rows, items longer than a read, of two files', async () => {
    const [a, b] = [file(2000, 300), file(500, 100)];
    const wanted: Wanted[] = [
      { source: a, ranges: [[0, 40]] }, { source: a, ranges: [[140, 240], [40, 140]] }, { source: a, ranges: [[240, 250], [400, 410], [700, 710]] },
      { source: a, ranges: [[710, 1810]] }, { source: b, ranges: [[5, 77]] }, { source: b, ranges: [[90, 500]] },
    ];
    const reading = readingOn(wanted);
    for (const [n, { ranges }] of wanted.entries()) expect(await taken(reading, n), String(n)).toEqual(expected(ranges));
    for (const [begin, end] of [...a.asked, ...b.asked]) expect(end - begin).toBeLessThanOrEqual(300);
    await expect(taken(reading, 0)).rejects.toThrow(/twice/);
  });

  it('reads neighbours at once and nothing that lies far between them', async () => {
    const source = file(10 * MiB, MiB);
    const wanted: Wanted[] = [...Array.from({ length: 8 }, (_, i): Wanted => ({ source, ranges: [[i * 1000, i * 1000 + 900]] })), { source, ranges: [[100_000, 100_010]] }, { source, ranges: [[5 * MiB, 5 * MiB + 10]] }];
    const reading = readingOn(wanted);
    for (const n of wanted.keys()) await taken(reading, n);
    expect(source.asked).toEqual([[0, 7900], [100_000, 100_010], [5 * MiB, 5 * MiB + 10]]);
  });

  it('reads ahead, and no further than it should', async () => {
    const source = file(400 * MiB, 16 * MiB);
    source.read = async (begin, end) => { source.asked.push([begin, end]); return new Uint8Array(8); };
    const wanted = Array.from({ length: 20 }, (_, i): Wanted => ({ source, ranges: [[i * 16 * MiB, (i + 1) * 16 * MiB]] }));
    const reading = readingOn(wanted);
    await taken(reading, 0);
    expect(source.asked).toHaveLength(4);
    await taken(reading, 1);
    expect(source.asked).toHaveLength(5);
  });

  it('tells a fault to who takes what could not be read, and to nobody before', async () => {
    const source = file(3 * MiB, MiB, async (begin) => { if (begin === 2 * MiB) throw new Error('gone'); });
    const wanted = [0, 1, 2].map((i): Wanted => ({ source, ranges: [[i * MiB, i * MiB + 5]] }));
    const reading = readingOn(wanted);
    expect(await taken(reading, 0)).toHaveLength(5);
    expect(await taken(reading, 1)).toHaveLength(5);
    await expect(taken(reading, 2)).rejects.toThrow('gone');
  });
});
