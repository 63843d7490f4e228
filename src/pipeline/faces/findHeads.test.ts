import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { disposeClipVision, imageStates, loadClipVision, type ClipVision } from '../../models/clip';
import { disposeHeadFinder, headLogits, loadHeadFinder, type HeadFinder } from '../../models/headFinder';
import type { WeightSource } from '../../models/weightSource';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { folderFiles } from '../../testing/files';
import { readPng } from '../../testing/png';
import { Part } from '../parts';
import type { SquarePixels } from '../maskedCrop';
import { findHeads, headsOf } from './findHeads';

const PATCHES = 8;
/** Logits of a picture: so much in these patches (left, top, right, bottom), −4 elsewhere. */
function logitsOf(...heads: { at: [number, number, number, number]; logit: number }[]): number[] {
  return Array.from({ length: PATCHES * PATCHES }, (_, i) => {
    const [x, y] = [i % PATCHES, Math.floor(i / PATCHES)];
    return heads.find(({ at: [l, t, r, b] }) => x >= l && x < r && y >= t && y < b)?.logit ?? -4;
  });
}

describe('heads of patches', () => {
  it('are the squares that sum up highest, the surest first, and nothing where there is no evidence', () => {
    expect(headsOf(logitsOf({ at: [2, 1, 5, 4], logit: 3 }), PATCHES)).toEqual([{ left: 2 / 8, top: 1 / 8, side: 3 / 8 }]);
    expect(headsOf(logitsOf({ at: [0, 0, 2, 2], logit: 3 }, { at: [4, 4, 7, 7], logit: 3 }), PATCHES)).toEqual([{ left: 0.5, top: 0.5, side: 3 / 8 }, { left: 0, top: 0, side: 2 / 8 }]);
    expect(headsOf(logitsOf(), PATCHES)).toEqual([]);
    expect(headsOf(logitsOf({ at: [3, 3, 4, 4], logit: 1.5 }), PATCHES)).toEqual([]); // less than a head sums up to
  });

  it('lie between patches where their edges are in doubt', () => {
    // patches that are half covered say neither yes nor no
    const logits = logitsOf({ at: [2, 2, 4, 4], logit: 5 });
    for (const i of [20, 28]) logits[i] = 0.1; // right of the block
    const [{ left, top, side } = { left: 0, top: 0, side: 0 }] = headsOf(logits, PATCHES);
    expect([left, top, side]).toEqual([0.25, 0.25, 0.25]);
  });
});

describe('the embedded base’s finder', () => {
  const files = folderFiles('public/base');
  let source: WeightSource;
  let config: unknown;
  beforeAll(async () => {
    await useBackend('wasm');
    source = await files.weights('head_finder');
    config = await files.json('head_finder/config.json');
  });
  const tower = async (): Promise<ClipVision> => loadClipVision(await files.weights('image_encoder'), await files.json('image_encoder/config.json'));
  const parts = (): { vision: Part<ClipVision>; heads: Part<HeadFinder> } => ({ vision: new Part(tower, disposeClipVision, true), heads: new Part(() => loadHeadFinder(source, config), disposeHeadFinder, true) });
  const picture = async (path: string): Promise<SquarePixels> => {
    const { width, pixels } = readPng(await readFile(`public/concepts/${path}`));
    return { side: width, values: pixels };
  };
  const find = async (pixels: SquarePixels, given = parts()) => findHeads({ parts: given } as never, pixels);

  it('sees one head in each picture of somebody, and none in those of things', async () => {
    const given = parts();
    for (const [set, count] of [['redbeard', 5], ['blue-curls', 3]] as const) for (let n = 1; n <= count; n++) expect(await find(await picture(`${set}/${n}.png`), given), `${set}/${n}`).toHaveLength(1);
    for (const set of ['guide-dog', 'birthday-cake']) for (let n = 1; n <= 5; n++) expect(await find(await picture(`${set}/${n}.png`), given), `${set}/${n}`).toEqual([]);
    given.vision.dispose();
    given.heads.dispose();
  });

  it('finds those of people it was never trained on, one or two, busts and figures, where the recipe drew them', async () => {
    const given = parts();
    const drawn = JSON.parse(await readFile('fixtures/heads/heads.json', 'utf8')) as { file: string; heads: [number, number, number][] }[];
    for (const { file, heads } of drawn) {
      const { width, pixels } = readPng(await readFile(`fixtures/heads/${file}`));
      const found = (await find({ side: width, values: pixels }, given))!;
      expect(found, file).toHaveLength(heads.length);
      for (const [x, y, k] of heads) {
        const near = found.find(({ left, top, side }) => Math.hypot((left + side / 2) * width - x - k / 2, (top + side / 2) * width - y - k / 2) < 0.3 * k && Math.abs(Math.log((side * width) / k)) < 0.3);
        expect(near, `${file}: ${x}, ${y}, ${k}`).toBeDefined();
      }
    }
    given.vision.dispose();
    given.heads.dispose();
  });

  it('is what its file says: two layers over the states of the tower, without the class token; nothing leaks', async () => {
    const { layers } = config as { layers: number[] };
    const [vision, pixels] = [await tower(), await picture('redbeard/1.png')];
    const x = tf.tensor4d(pixels.values, [1, 128, 128, 3]);
    const { hidden, embedding } = await imageStates(vision, x, layers);
    const [w1, b1, w2, b2] = await Promise.all(['hidden.weight', 'hidden.bias', 'out.weight', 'out.bias'].map((key) => source.read(key)));
    const states = await Promise.all(hidden.map((state) => state.data<'float32'>()));
    const width = hidden[0]!.shape[2];
    const wanted = Array.from({ length: 64 }, (_, patch) => {
      let logit = b2![0]!;
      for (let k = 0; k < b1!.length; k++) {
        let sum = b1![k]!;
        for (const [n, state] of states.entries()) for (let d = 0; d < width; d++) sum += w1![k * width * layers.length + n * width + d]! * state[(1 + patch) * width + d]!;
        logit += w2![k]! * Math.max(0, sum);
      }
      return logit;
    });
    await expectNoLeak(async () => {
      const finder = await loadHeadFinder(source, config);
      const logits = headLogits(finder, hidden);
      expect(logits.shape).toEqual([1, 64]);
      for (const [i, value] of (await logits.data()).entries()) expect(value).toBeCloseTo(wanted[i]!, 3);
      logits.dispose();
      disposeHeadFinder(finder);
    });
    tf.dispose([...hidden, embedding, x]);
    disposeClipVision(vision);
  });

  it('names what is wrong with a file, and is absent where a base has none', async () => {
    await expect(loadHeadFinder(source, {})).rejects.toMatchObject({ code: 'base-mismatch', subject: 'head_finder/config.json' });
    await expect(loadHeadFinder({ ...source, keys: () => [...source.keys(), 'more'] }, config)).rejects.toMatchObject({ code: 'tensor-unknown' });
    await expect(loadHeadFinder({ ...source, has: (key) => key !== 'out.bias' && source.has(key) }, config)).rejects.toMatchObject({ code: 'tensor-missing', subject: 'out.bias' });
    expect(await findHeads({ parts: { heads: null, vision: null } } as never, { side: 1, values: new Float32Array(3) })).toBeNull();
    const other = { ...parts(), heads: new Part(() => loadHeadFinder(source, { layers: [1, 2, 9] }), disposeHeadFinder, true) };
    await expect(find(await picture('redbeard/1.png'), other)).rejects.toMatchObject({ code: 'base-mismatch' });
  });
});
