import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor3D, Tensor4D } from '../../engine/tf';
import type * as Mmdit from '../../models/mmdit';
import { velocity } from '../../models/mmdit';
import { disposePictureAdapter, loadPictureAdapter, type PictureAdapter } from '../../models/objectEncoder';
import { useBackend } from '../../testing/backend';
import { seen as passes } from '../../testing/passes';
import { adapterSource } from '../../testing/pictureAdapter';
import { noise } from '../../testing/kernels/suite';
import { tinyBase, tinyWords } from '../../testing/tiny';
import type { FlowBase } from '../base';
import { baseField, directedField, type FieldWords } from './velocityFields';
import { identityDirection, type SeenIdentity } from './identityField';
import { draft, makeProbe } from './preview';

vi.mock('../../models/mmdit', async (original) => (await import('../../testing/passes')).counted(await original<typeof Mmdit>()));

let base: FlowBase;
let adapter: PictureAdapter;
let x: Tensor4D, tokens: Tensor3D, nobody: Tensor3D;
let words: FieldWords;
const sigma = 0.6;
beforeAll(async () => {
  await useBackend('wasm');
  base = await tinyBase();
  adapter = await loadPictureAdapter(adapterSource({ kind: 'identity' }));
  x = tf.tensor4d(noise(64, 5), [1, 4, 4, 4]);
  [tokens, nobody] = [1, 2].map((seed) => tf.tensor3d(noise(24, seed), [1, 3, 8])) as [Tensor3D, Tensor3D];
  const [text, empty] = [tinyWords(1, false, 1), tinyWords(1, false, 2)];
  words = { complete: text, base: text, target: text, class: text, null: empty, negative: empty };
});
afterAll(() => disposePictureAdapter(adapter));

const SCALE = 3;
const directed = (change: Partial<SeenIdentity> = {}) => identityDirection(words, { adapter, tokens, nobody, weight: 0.8, ...change }, SCALE);
const value = async (change: Partial<SeenIdentity> = {}, strength = 1) => (await directedField(base, words, directed(change), strength).evaluate(x, sigma, SCALE)).dataSync();

it('I9: at strength 1 guides from nobody on nothing to somebody on the words, in one pass', async () => {
  const made = (given: Tensor3D, { context, pooled }: FieldWords['base']) => velocity(base.mmdit, { x, sigma: [sigma], context, pooled, injection: { weights: adapter.cross, tokens: given, weight: 0.8 } }, null, null).dataSync();
  const [from, to] = [made(nobody, words.negative), made(tokens, words.base)];
  passes.splice(0);
  const found = await value();
  expect(passes).toEqual([2]);
  found.forEach((each, i) => expect(each).toBeCloseTo(from[i]! + 3 * (to[i]! - from[i]!), 4));
  expect(await value({ nobody: tokens })).not.toEqual(found);
});

it('I2: is the base’s own bit for bit at weight 0 and before the start step', async () => {
  const plain = (await baseField(base, words).evaluate(x, sigma, 3)).dataSync();
  expect(await value({ weight: 0 })).toEqual(plain);
  expect(await value({}, 0)).toEqual(plain);
  expect(await value({ from: 0.5 })).toEqual(plain);
  expect(await value({ from: 0.6 })).not.toEqual(plain);
});

it('has another velocity with two people than with one', async () => {
  const two = tf.concat([tokens, tf.tensor3d(noise(24, 9), [1, 3, 8])], 1) as Tensor3D;
  expect(await value({ tokens: two })).not.toEqual(await value());
});

it('moves by strength along one line, and a probe caches it as one direction', async () => {
  const [none, half, whole] = [await value({}, 0), await value({}, 0.5), await value({}, 1)];
  half.forEach((each, i) => expect(each).toBeCloseTo((none[i]! + whole[i]!) / 2, 4));
  const point = { xSigma: x, sigma };
  const probe = await makeProbe({ base, words, directions: [directed()], seed: 1, guidance: SCALE, revision: 1 }, point);
  expect(probe.directions).toHaveLength(1);
  const drawn = draft(probe, 0.5).dataSync();
  drawn.forEach((each, i) => expect(each).toBeCloseTo(x.dataSync()[i]! - sigma * half[i]!, 3));
});
