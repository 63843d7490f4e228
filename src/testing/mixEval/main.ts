/**
 * The second half of `npm run mix-eval` (scripts/mixEval.mjs draws, this recognises): reads FOLDER/drawn.json and the pictures it names,
 * writes FOLDER/mix.json and prints the table. Shares are of seeds; drift is the mean absolute pixel difference to the untouched base.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadBase, type Base } from '../../pipeline/base';
import { folderFiles } from '../files';
import { useBackend } from '../nodeBackend';
import { readPng } from '../png';
import { makeRecogniser, squaresIn, type Recogniser, type Squares } from './recogniser';

const ways = ['guidance', 'gram', 'merged'] as const;
type Way = (typeof ways)[number];
interface DrawnSet { name: string; kind: 'instance' | 'style'; pictures: string[]; alone: string[] }
interface DrawnPair { a: string; b: string; overlap: number | null; base: string[]; drawn: Record<Way, string[]>; unrelated: { base: string[]; drawn: Record<Way, string[]> } }
interface Drawn { seeds: number[]; steps: number; sets: DrawnSet[]; pairs: DrawnPair[] }

const folder = process.argv[2]!;
const at = (file: string) => (file.startsWith('/') ? file : join(folder, file));
const read = async (file: string) => readPng(await readFile(at(file)));
const share = (flags: readonly boolean[]) => flags.filter(Boolean).length / flags.length;

async function driftOf(files: readonly string[], base: readonly string[]): Promise<number> {
  const apart = await Promise.all(files.map(async (file, i) => {
    const [one, other] = [await read(file), await read(base[i]!)];
    return one.pixels.reduce((sum, value, k) => sum + Math.abs(value - other.pixels[k]!), 0) / one.pixels.length;
  }));
  return apart.reduce((a, b) => a + b, 0) / apart.length;
}

async function main(): Promise<void> {
  await useBackend('wasm');
  const base: Base = await loadBase('embedded', folderFiles('public/base'));
  const { seeds, steps, sets, pairs } = JSON.parse(await readFile(join(folder, 'drawn.json'), 'utf8')) as Drawn;
  const squares = async (files: readonly string[], whole: boolean): Promise<Squares[]> => {
    const all: Squares[] = [];
    for (const file of files) {
      const { pixels, width } = await read(file);
      all.push(await squaresIn(base, pixels, width, whole));
    }
    return all;
  };
  const isStyle = (name: string) => sets.find((set) => set.name === name)!.kind === 'style';
  const results = [];
  /** The worst of its pairs, and every picture of the base that was looked at. */
  const trust: Record<string, { seen: number; falseAlarms: boolean[] }> = {};
  for (const { a, b, overlap, base: plain, drawn, unrelated } of pairs) {
    const recognisers: Recogniser[] = [];
    for (const name of [a, b]) {
      const set = sets.find((each) => each.name === name)!;
      const baseSquares = await squares(plain, isStyle(name));
      // a third to compare with, a third to set the threshold by, a third to count false alarms in
      const third = (n: number) => baseSquares.filter((_, i) => i % 3 === n);
      const recogniser = makeRecogniser(await squares(set.pictures, isStyle(name)), third(0), third(1));
      const alarms = third(2).map((picture) => recogniser.score(picture) > recogniser.threshold);
      recognisers.push(recogniser);
      const seen = share((await squares(set.alone, isStyle(name))).map((picture) => recogniser.score(picture) > recogniser.threshold));
      const before = trust[name];
      trust[name] = { seen: before ? Math.min(before.seen, seen) : seen, falseAlarms: [...(before?.falseAlarms ?? []), ...alarms] };
    }
    const both = {} as Record<Way, number>;
    const each = {} as Record<Way, [number, number]>;
    for (const way of ways) {
      const flags = [] as boolean[][];
      for (const [i, name] of [a, b].entries()) flags.push((await squares(drawn[way], isStyle(name))).map((picture) => recognisers[i]!.score(picture) > recognisers[i]!.threshold));
      both[way] = share(flags[0]!.map((flag, i) => flag && flags[1]![i]!));
      each[way] = [share(flags[0]!), share(flags[1]!)];
    }
    const driftUnrelated = Object.fromEntries(await Promise.all(ways.map(async (way) => [way, await driftOf(unrelated.drawn[way], unrelated.base)]))) as Record<Way, number>;
    results.push({ a, b, overlap, both, each, driftUnrelated });
  }
  await writeFile(join(folder, 'mix.json'), JSON.stringify({ seeds, steps, recogniser: Object.fromEntries(Object.entries(trust).map(([name, { seen, falseAlarms }]) => [name, { seen, falseAlarms: share(falseAlarms) }])), pairs: results }, null, 1));
  const percent = (value: number) => `${Math.round(100 * value)} %`;
  console.log('| pair | overlap | both: guidance | both: solved together | both: merged LoRAs | drift unrelated |\n|---|---|---|---|---|---|');
  for (const { a, b, overlap, both, driftUnrelated } of results) console.log(`| ${a} + ${b} | ${overlap === null ? '–' : overlap.toFixed(2)} | ${percent(both.guidance)} | ${percent(both.gram)} | ${percent(both.merged)} | ${ways.map((way) => driftUnrelated[way].toFixed(3)).join(' / ')} |`);
  console.log(`\nDrift in the same order. Seen when drawn alone: ${Object.entries(trust).map(([name, { seen, falseAlarms }]) => `${name} ${percent(seen)}, taken for it ${falseAlarms.filter(Boolean).length} of ${falseAlarms.length} pictures of the base`).join('; ')}.`);
}

await main();
