import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor4D } from '../../engine/tf';
import { disposeClipVision, loadClipVision, type ClipVision } from '../../models/clip';
import { maskBox } from '../../protocol/objectMasks';
import { folderFiles } from '../../testing/files';
import { useBackend } from '../../testing/nodeBackend';
import { readPng } from '../../testing/png';
import { findMask } from '../objects/findMask';
import { enlarged, WHOLE, wholenessOf } from './wholeness';

const SIDE = 128;
const read = (path: string) => readPng(readFileSync(`public/concepts/${path}.png`)).pixels;
const stacked = (pictures: readonly Float32Array[]) => tf.tidy(() => tf.stack(pictures.map((pixels) => tf.tensor3d(pixels, [SIDE, SIDE, 3]))) as Tensor4D);
const maskOf = (pixels: Float32Array) => findMask(pixels, SIDE)!.cells;

/** Every pixel of the box of the thing from where `from` says, in parts of the box; a third number takes it from `other`. */
function moved(pixels: Float32Array, from: (u: number, w: number) => [number, number, number?], other = pixels): Float32Array {
  const { left, top, right, bottom } = maskBox({ side: SIDE, cells: maskOf(pixels) })!;
  const out = pixels.slice();
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const [u, w, of = 0] = from((x - left) / (right - left), (y - top) / (bottom - top));
      const at = (Math.min(bottom - 1, Math.floor(top + w * (bottom - top))) * SIDE + Math.min(right - 1, Math.floor(left + u * (right - left)))) * 3;
      out.set((of ? other : pixels).subarray(at, at + 3), (y * SIDE + x) * 3);
    }
  }
  return out;
}

describe('wholeness', () => {
  let vision: ClipVision;
  beforeAll(async () => {
    await useBackend('wasm');
    const files = folderFiles('public/base');
    vision = await loadClipVision(await files.weights('image_encoder'), await files.json('image_encoder/config.json'));
  });
  afterAll(() => disposeClipVision(vision));

  async function of(drawn: readonly Float32Array[], given: readonly Float32Array[], masks: readonly (Uint8Array | null)[] = given.map(maskOf)) {
    const held = tf.memory().numTensors;
    const [a, b] = [stacked(drawn), stacked(given)];
    try {
      return await wholenessOf(vision, a, b, masks);
    } finally {
      tf.dispose([a, b]);
      expect(tf.memory().numTensors).toBe(held);
    }
  }

  it.each(['guide-dog', 'birthday-cake', 'one-eyed-monster', 'redbeard'])('passes a whole %s in another place and hardly any that is in pieces', async (set) => {
    const last = read(`${set}/5`);
    const other = read(set === 'guide-dog' ? 'birthday-cake/5' : 'guide-dog/5');
    const pieces = {
      'quarters that change places': moved(last, (u, w) => [(u + 0.5) % 1, (w + 0.5) % 1]),
      'upside down': moved(last, (u, w) => [u, 1 - w]),
      'the upper half twice': moved(last, (u, w) => [u, w % 0.5]),
      'half of another thing': moved(last, (u, w) => [u, w, Number(w < 0.5)], other),
    };
    const given = [1, 2, 3, 4].map((n) => read(`${set}/${n}`));
    const found = (await of([last, ...Object.values(pieces)], given))!;
    expect(found[0], 'whole').toBeGreaterThan(WHOLE);
    Object.keys(pieces).forEach((name, i) => expect(found[i + 1], name).toBeLessThan(found[0]! - 0.08));
    expect(found.slice(1).filter((value) => value < WHOLE).length, found.join()).toBeGreaterThan(2);
  });

  it('knows the thing in a size that no given picture shows, from one picture too', async () => {
    const given = read('guide-dog/2');
    const smaller = enlarged({ pixels: given, mask: maskOf(given) }, SIDE, 5 / 7, 0).pixels;
    const [whole, broken] = (await of([smaller, moved(smaller, (u, w) => [(u + 0.5) % 1, w])], [given]))!;
    expect(whole).toBeGreaterThan(WHOLE);
    expect(broken).toBeLessThan(WHOLE);
  });

  it('says nothing where no picture has a mask, or what it covers is too small', async () => {
    const given = [read('guide-dog/1'), read('guide-dog/2')];
    expect(await of(given, given, [null, null])).toBeNull();
    const speck = new Uint8Array(SIDE * SIDE);
    speck.fill(1, 64 * SIDE + 60, 64 * SIDE + 70);
    expect(await of(given, given, [speck, null])).toBeNull();
  });
});
