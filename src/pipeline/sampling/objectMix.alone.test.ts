/** Objects of cards in a mix: from plain data to velocities, on a tiny base with an adapter of random weights. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as tf from '../../engine/tf';
import type { Tensor3D, Tensor4D } from '../../engine/tf';
import type * as Mmdit from '../../models/mmdit';
import { disposePictureAdapter, loadPictureAdapter, type PictureAdapter } from '../../models/objectEncoder';
import { newGuidance, newObjectSource, plainComposition, type Mix, type SeenObject } from '../../protocol/mix';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { seen as passes } from '../../testing/passes';
import { adapterSource } from '../../testing/pictureAdapter';
import { noise } from '../../testing/kernels/suite';
import { tinyStored } from '../../testing/session/tinyFiles';
import { disposeBase, flowing, loadBase, type Base } from '../base';
import { makeMixProbe, mixDraft } from './mixDraft';
import { mixedField, mixTerms, type MixObjects } from './mixField';
import { sampleAll } from './sample';

vi.mock('../../models/mmdit', async (original) => (await import('../../testing/passes')).counted(await original<typeof Mmdit>()));

let base: Base;
let adapter: PictureAdapter;
let objects: MixObjects;
let x: Tensor4D;
const SIGMA = 0.6;

beforeAll(async () => {
  await useBackend('wasm');
  base = await loadBase('tiny', await tinyStored('tiny'));
  adapter = await loadPictureAdapter(adapterSource());
  objects = new Map(['one', 'other'].map((id, i) => [id, { adapter, tokens: tf.tensor3d(noise(24, i + 1), [1, 3, 8]) as Tensor3D }]));
  x = tf.tensor4d(noise(64, 5), [1, 4, 4, 4]);
});
afterAll(() => {
  disposePictureAdapter(adapter);
  disposeBase(base);
});

const text = newGuidance('text', { kind: 'text', words: null });
const object = (cardId: string, weight: number, change: Partial<SeenObject> = {}) => {
  const source = newObjectSource(cardId);
  return { ...newGuidance(cardId, { ...source, object: { ...source.object, ...change } }), weight };
};
const mix = (guidances: Mix['guidances'], change: Partial<Mix> = {}): Mix => ({ version: 1, prompt: 'a dog', names: {}, seed: 1, steps: 4, guidance: 3, guidances, composition: plainComposition, start: null, ...change });
const value = (given: Mix, sigma = SIGMA) => flowing(base, async (flow) => {
  const { field, dispose } = await mixedField(base, given, new Map(), objects);
  const v = await field(flow).evaluate(x, sigma, given.guidance);
  dispose();
  const values = v.dataSync();
  v.dispose();
  return values;
});
const close = (a: ArrayLike<number>, b: ArrayLike<number>) => Math.max(...Array.from(a, (each, i) => Math.abs(each - b[i]!)));

describe('an object in a mix', () => {
  it('adds G·w·[v(c,e) − v(c,∅)], each evaluation made once', async () => {
    const [nothing, words] = [await value(mix([])), await value(mix([text], { guidance: 1 }))];
    const seen = await value(mix([text, object('one', 1)], { guidance: 1 }));
    passes.splice(0);
    const found = await value(mix([text, object('one', 0.7)]));
    expect(passes).toEqual([2, 1]);
    expect(close(found, Float32Array.from(nothing, (n, i) => n + 3 * (words[i]! - n) + 3 * 0.7 * (seen[i]! - words[i]!)))).toBeLessThan(1e-4);
    expect(close(seen, words)).toBeGreaterThan(1e-2);
    // two of them see the same words and share a pass
    passes.splice(0);
    await value(mix([text, object('one', 1), object('other', 1)]));
    expect(passes).toEqual([2, 2]);
  });

  it('T7: muted, of strength 0 or before its step it leaves the base’s own twin, bit for bit', async () => {
    const drawn = (given: Mix) => flowing(base, async (flow) => {
      const { field, dispose } = await mixedField(base, given, new Map(), objects);
      const latent = await sampleAll({ base: flow, field: field(flow), seeds: [given.seed], steps: given.steps, guidance: given.guidance });
      dispose();
      return latent.dataSync();
    });
    const twin = await drawn(mix([text]));
    for (const off of [{ ...object('one', 1), muted: true }, object('one', 0), object('one', 1, { strength: 0 }), object('one', 1, { startStep: 4 })]) expect(await drawn(mix([text, off]))).toEqual(twin);
    const [all, late] = [await drawn(mix([text, object('one', 1)])), await drawn(mix([text, object('one', 1, { startStep: 2 })]))];
    expect(all).not.toEqual(twin);
    expect(late).not.toEqual(twin);
    expect(late).not.toEqual(all);
  });

  it('takes strength, zero tokens and projection from its plain data', async () => {
    const plain = await value(mix([text, object('one', 1)]));
    for (const change of [{ strength: 0.5 }, { zeroTokens: 4 }, { ortho: 'ortho' as const }]) expect(await value(mix([text, object('one', 1, change)])), JSON.stringify(change)).not.toEqual(plain);
  });

  it('acts through composition and drafts like any guidance', async () => {
    const given = mix([text, object('one', 0.8)], { composition: { ...plainComposition, orthogonal: true } });
    expect(await value(given)).not.toEqual(await value({ ...given, composition: plainComposition }));
    const plain = mix([text, object('one', 0.8)]);
    const terms = await mixTerms(base, plain, new Map(), undefined, objects);
    const { probe } = await flowing(base, (flow) => makeMixProbe(flow, plain, terms, {}));
    terms.dispose();
    const [stronger, without] = [await mixDraft(probe, plain), await mixDraft(probe, mix([text, object('one', 0)]))];
    const difference = probe.differences.one!;
    const expected = Float32Array.from(difference, (d) => -probe.sigma * 3 * 0.8 * d);
    expect(close(tf.sub(stronger.latent, without.latent).dataSync(), expected)).toBeLessThan(1e-4);
  });

  it('as a scene of its own is in its mask what it is alone, drafts too', async () => {
    const mask = { kind: 'box', left: 0, top: 0, right: 0.5, bottom: 1, feather: 0 } as const;
    const scene = { ...object('one', 1), alone: true, mask };
    const drafted = async (given: Mix) => {
      const terms = await mixTerms(base, given, new Map(), undefined, objects);
      const { probe } = await flowing(base, (flow) => makeMixProbe(flow, given, terms, {}));
      terms.dispose();
      const { latent } = await mixDraft(probe, given);
      const [, height, width, channels] = latent.shape;
      const half = (from: number) => tf.slice(latent, [0, 0, from, 0], [1, height, width / 2, channels]).dataSync();
      return { left: half(0), right: half(width / 2), latent };
    };
    const [mixed, plain] = [await drafted(mix([text, scene])), await drafted(mix([text]))];
    // everywhere it is the whole picture
    const alone = await drafted(mix([text, { ...scene, mask: { kind: 'everywhere' } }]));
    expect(close(mixed.left, alone.left)).toBeLessThan(1e-4);
    expect(close(mixed.right, plain.right)).toBeLessThan(1e-4);
    expect(close(mixed.left, plain.left)).toBeGreaterThan(1e-2);
    // what two contest is one's or the other's, place by place
    const everywhere = { ...scene, mask: { kind: 'everywhere' } } as const;
    const second = { ...object('other', 1), alone: true };
    const [both, other] = [await drafted(mix([text, everywhere, second])), await drafted(mix([text, second]))];
    const apart = (of: Tensor4D) => tf.max(tf.abs(tf.sub(both.latent, of)), 3).dataSync();
    const [toOne, toOther] = [apart(alone.latent), apart(other.latent)];
    toOne.forEach((distance, cell) => expect(Math.min(distance, toOther[cell]!), `cell ${cell}`).toBeLessThan(1e-4));
    expect(close(alone.latent.dataSync(), other.latent.dataSync())).toBeGreaterThan(1e-2);
  });

  it('is missed by name, and nothing stays behind', async () => {
    await expect(value(mix([text, object('gone', 1)]))).rejects.toMatchObject({ code: 'concept-missing', subject: 'gone' });
    await value(mix([text, object('one', 1)])); // words into the cache
    await expectNoLeak(() => value(mix([text, object('one', 1)])));
  });
});
