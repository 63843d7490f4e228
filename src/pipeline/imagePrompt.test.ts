/** From pictures to tokens, with the embedded base's own tower and an adapter of random weights. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { disposeClipVision, imageStates, loadClipVision } from '../models/clip';
import { disposePictureAdapter, encodeTokens, loadPictureAdapter } from '../models/objectEncoder';
import { expectNoLeak, useBackend } from '../testing/backend';
import { folderFiles } from '../testing/files';
import { noise } from '../testing/kernels/suite';
import { adapterSource, type AdapterSizes } from '../testing/pictureAdapter';
import type { Base } from './base';
import { imageTokens, nobodysTokens, type PictureReference } from './imagePrompt';
import { maskedCrop, objectSquare, type PixelMask, type SquarePixels } from './maskedCrop';
import { Part } from './parts';

const SIDE = 96;
const inside = (x: number, y: number) => (x - 40) ** 2 + (y - 50) ** 2 < 24 ** 2;
const mask: PixelMask = { side: SIDE, cells: Uint8Array.from({ length: SIDE * SIDE }, (_, i) => Number(inside(i % SIDE, Math.floor(i / SIDE)))) };
const painted = (of: (x: number, y: number, c: number) => number): SquarePixels => ({ side: SIDE, values: Float32Array.from({ length: SIDE * SIDE * 3 }, (_, i) => of(Math.floor(i / 3) % SIDE, Math.floor(i / (3 * SIDE)), i % 3)) });
const thing = (x: number, y: number, c: number) => Math.sin(x / (3 + c)) * Math.cos(y / 5);
const picture = painted((x, y, c) => (inside(x, y) ? thing(x, y, c) : 0.3));

let parts: Base['parts'];
let freed = 0;
beforeAll(async () => {
  await useBackend('wasm');
  const files = folderFiles('public/base');
  const adapter = (sizes: Partial<AdapterSizes>) => new Part(() => loadPictureAdapter(adapterSource({ tower: 192, layers: [1, 2, 4], tokens: 4, ...sizes })), (one) => { freed++; disposePictureAdapter(one); }, false);
  parts = {
    vision: new Part(async () => loadClipVision(await files.weights('image_encoder'), await files.json('image_encoder/config.json')), (one) => { freed++; disposeClipVision(one); }, false),
    object: adapter({}), identity: adapter({ kind: 'identity', identity: 10 + 192 }),
  } as Partial<Base['parts']> as Base['parts'];
});
afterAll(() => Object.values(parts).forEach((part) => part?.dispose()));

const bits = async (given: Promise<tf.Tensor>) => {
  const tensor = await given;
  const values = tensor.dataSync();
  tensor.dispose();
  return values;
};
const tokens = (references: PictureReference[]) => bits(imageTokens({ parts }, 'object', references));
const furthest = (a: ArrayLike<number>, b: ArrayLike<number>) => Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));

describe('an object’s tokens', () => {
  it('T2: do not change by a bit when the background does, and change with the object', async () => {
    const first = await tokens([{ pixels: picture, mask }]);
    expect(first).toHaveLength(4 * 8);
    const elsewhere = painted((x, y, c) => (inside(x, y) ? thing(x, y, c) : noise(1, x * 991 + y * 7 + c)[0]!));
    expect(await tokens([{ pixels: elsewhere, mask }])).toEqual(first);
    expect(await tokens([{ pixels: painted((x, y, c) => (inside(x, y) ? thing(x, y, c) : NaN)), mask }])).toEqual(first);
    const other = painted((x, y, c) => (inside(x, y) ? -thing(x, y, c) : 0.3));
    expect(furthest(await tokens([{ pixels: other, mask }]), first)).toBeGreaterThan(1e-2);
    // without the mask the background tells
    const all = { side: SIDE, cells: new Uint8Array(SIDE * SIDE).fill(1) };
    expect(furthest(await tokens([{ pixels: elsewhere, mask: all }]), await tokens([{ pixels: picture, mask: all }]))).toBeGreaterThan(1e-3);
  });

  it('T5: are a function of picture and mask, of each picture by itself, and leave neither tensors nor networks behind', async () => {
    const other = { pixels: painted((x, y, c) => thing(y, x, c)), mask };
    const [one, two, both] = [await tokens([{ pixels: picture, mask }]), await tokens([other]), await tokens([{ pixels: picture, mask }, other])];
    expect(both).toEqual(Float32Array.from([...one, ...two]));
    expect(await tokens([{ pixels: picture, mask }])).toEqual(one);
    freed = 0;
    await expectNoLeak(() => tokens([{ pixels: picture, mask }]));
    expect(freed).toBe(2);
  });

  it('are refused where there is nothing to look at, no adapter, or one of another tower', async () => {
    const nothing = { side: 4, cells: new Uint8Array(16) };
    await expectNoLeak(() => expect(imageTokens({ parts }, 'object', [{ pixels: picture, mask: nothing }])).rejects.toMatchObject({ code: 'mask-empty' }));
    await expect(imageTokens({ parts: { ...parts, object: null } }, 'object', [{ pixels: picture, mask }])).rejects.toMatchObject({ code: 'base-mismatch' });
    for (const sizes of [{ tower: 64 }, { tower: 192, layers: [1, 5] }]) {
      const object = new Part(() => loadPictureAdapter(adapterSource(sizes)), disposePictureAdapter, false);
      await expectNoLeak(() => expect(imageTokens({ parts: { ...parts, object } }, 'object', [{ pixels: picture, mask }])).rejects.toMatchObject({ code: 'base-mismatch' }));
    }
  });
});

describe('an identity’s tokens', () => {
  const who = (seed: number) => tf.tensor2d(noise(10, seed), [1, 10]);
  const face = (pixels: SquarePixels, identity: tf.Tensor2D | null) => bits(imageTokens({ parts }, 'identity', [{ pixels, mask, identity }]));

  it('I10: do not change with colours of the same light, and change with who it is', async () => {
    const grey = painted((x, y) => 0.5 * thing(x, y, 0));
    // shifted along what the luminance does not see
    const tinted = painted((x, y, c) => 0.5 * thing(x, y, 0) + [0.587, -0.299, 0][c]! * 0.5);
    const first = await face(grey, who(1));
    expect(furthest(await face(tinted, who(1)), first)).toBeLessThan(1e-4);
    expect(furthest(await face(painted((x, y) => 0.5 * thing(x, y, 1)), who(1)), first)).toBeGreaterThan(1e-2);
    expect(furthest(await face(grey, who(2)), first)).toBeGreaterThan(1e-2);
    await expect(face(grey, null)).rejects.toMatchObject({ code: 'base-mismatch' });
  });

  it('I9: nobody’s are the encoder’s on zeros, and nobody in particular’s', async () => {
    const nobody = await bits(nobodysTokens({ parts }));
    const wanted = await parts.vision!.use((vision) => parts.identity!.use(async (adapter) => {
      const { hidden } = await imageStates(vision, tf.zeros([1, 128, 128, 3]), [1, 2, 4]);
      return bits(encodeTokens(adapter, { hidden, identity: tf.zeros([1, 202]) }));
    }));
    expect(nobody).toEqual(wanted);
    expect(furthest(nobody, await face(picture, who(1)))).toBeGreaterThan(1e-2);
    await expectNoLeak(() => bits(nobodysTokens({ parts })));
  });
});

describe('a masked crop', () => {
  it('is the square around the object, a tenth larger than its longer side, wherever it lies', () => {
    const box = (left: number, top: number, right: number, bottom: number): PixelMask => ({ side: 10, cells: Uint8Array.from({ length: 100 }, (_, i) => Number(i % 10 >= left && i % 10 < right && i >= 10 * top && i < 10 * bottom)) });
    const { left, top, side } = objectSquare(box(2, 3, 6, 5), 100);
    expect([left, top, side].map((value) => Math.round(100 * value) / 100)).toEqual([18, 18, 44]);
    expect(objectSquare(box(0, 0, 4, 4), 10).left).toBeCloseTo(-0.2, 6);
  });

  it('keeps a picture that fills it as it is, shrinks it by averages, and paints the rest', () => {
    const whole: PixelMask = { side: 1, cells: [1] };
    const ramp: SquarePixels = { side: 11, values: Float32Array.from({ length: 363 }, (_, i) => ((Math.floor(i / 3) % 11) - 5) / 10) };
    // 12.1 pixels wide around 11: a margin of .55 at each side
    const crop = maskedCrop(ramp, whole, { size: 11, ground: 0.9 });
    expect(crop[3 * (5 * 11 + 5)]).toBeCloseTo(0, 6);
    expect(crop[3 * (5 * 11 + 8)]).toBeCloseTo(0.33, 6);
    const tight = maskedCrop(ramp, { side: 11, cells: Uint8Array.from({ length: 121 }, (_, i) => Number(i % 11 < 5)) }, { size: 11, ground: 0.9 });
    expect(tight[3 * (5 * 11 + 10)]).toBeCloseTo(0.9, 6);
    const checks: SquarePixels = { side: 44, values: Float32Array.from({ length: 44 * 44 * 3 }, (_, i) => (((Math.floor(i / 3) % 44) + Math.floor(i / 132)) % 2 ? 1 : -1)) };
    const shrunk = maskedCrop(checks, whole, { size: 11 });
    expect(Math.max(...shrunk.map(Math.abs))).toBeLessThan(0.15);
    expect(maskedCrop(ramp, whole, { size: 11, grey: true })[3 * (5 * 11 + 8)]).toBeCloseTo(0.33, 6);
  });

  it('of a single picture is turned, moved, scaled and relit as asked, and the background still says nothing', () => {
    const still = { flip: false, scale: 1, across: 0, down: 0, contrast: 1, brightness: 0 };
    const crop = (augmentation: typeof still | null, pixels = picture) => maskedCrop(pixels, mask, { size: 32, augmentation });
    const plain = crop(null);
    const at = (values: Float32Array, x: number, y: number) => values[3 * (32 * y + x)]!;
    expect(crop(still)).toEqual(plain);
    const flipped = crop({ ...still, flip: true });
    for (const [x, y] of [[10, 12], [16, 20], [3, 5]] as const) expect(at(flipped, 31 - x, y)).toBe(at(plain, x, y));
    const lit = crop({ ...still, contrast: 0.5, brightness: 0.1 });
    expect(at(lit, 16, 16)).toBeCloseTo(0.5 * at(plain, 16, 16) + 0.1, 5);
    expect(at(lit, 0, 0)).toBe(0); // the ground is not relit
    // an eighth of 32 is 4 places to the right
    expect(at(crop({ ...still, across: 4 / 32 }), 20, 16)).toBeCloseTo(at(plain, 16, 16), 5);
    expect(crop({ ...still, scale: 0.5 }).filter((value) => value === 0).length).toBeGreaterThan(2 * plain.filter((value) => value === 0).length);
    const elsewhere = painted((x, y, c) => (inside(x, y) ? thing(x, y, c) : NaN));
    const all = { flip: true, scale: 0.8, across: 0.1, down: -0.1, contrast: 1.2, brightness: -0.1 };
    expect(crop(all, elsewhere)).toEqual(crop(all));
  });
});
