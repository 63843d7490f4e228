import { beforeAll, describe, expect, it } from 'vitest';
import * as tf from '../../engine/tf';
import { useBackend } from '../../testing/backend';
import { safetensorsFile } from '../../testing/files';
import { loadMmdit, loraSites, velocity, velocityAsync, velocityVjp, velocityVjpAsync, type Adapter, type ConceptRows, type Mmdit, type MmditInput, type SiteChoice } from './index';

let model: Mmdit;
let input: MmditInput;
let weight: tf.Tensor4D; // a random direction: the scalar under test is sum(weight · v)

/** Numbers in −1…1 from a small linear congruence: the same on every machine. */
function noise(shape: number[], seed: number, size = 1): tf.Tensor {
  let state = seed;
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return size * (state / 2 ** 31 - 1);
  });
  return tf.tensor(values, shape);
}

const adapterFor = (names: (name: string) => boolean, choice: SiteChoice = 'attention'): Adapter =>
  Object.fromEntries(loraSites(model, choice).filter(({ name }) => names(name)).map(({ name, inFeatures, outFeatures }, i) => [
    name, { a: noise([inFeatures, 4], 3 * i + 1, 0.3) as tf.Tensor2D, b: noise([4, outFeatures], 3 * i + 2, 0.3) as tf.Tensor2D, scale: 0.5 },
  ]));

const conceptRows = (): ConceptRows => ({ rows: noise([3, 64], 77) as tf.Tensor2D, at: [2, -1], pooledDelta: noise([80], 78, 0.3) as tf.Tensor1D });

const objective = (adapter: Adapter | null, rows: ConceptRows | null) => tf.tidy(() => tf.sum(tf.mul(weight, velocity(model, input, adapter, rows))).dataSync()[0]!);

/** d objective along `direction` by central differences; step 1e-2 leaves an error of about 1e-3 of the value in f32. */
function along(at: tf.Tensor, direction: tf.Tensor, value: (moved: tf.Tensor) => number): number {
  const step = 1e-2;
  const moved = (sign: number) => tf.tidy(() => value(tf.add(at, tf.mul(direction, sign * step))));
  return (moved(1) - moved(-1)) / (2 * step);
}
const dot = (a: tf.Tensor, b: tf.Tensor) => tf.tidy(() => tf.sum(tf.mul(a, b)).dataSync()[0]!);
const near = (found: number, wanted: number) => expect(Math.abs(found - wanted)).toBeLessThan(5e-3 * Math.max(1, Math.abs(wanted)));

describe('velocityVjp', () => {
  beforeAll(async () => {
    await useBackend('wasm');
    model = await loadMmdit(await safetensorsFile('fixtures/sd3/mmditx.diffusers.safetensors'));
    input = { x: noise([2, 8, 12, 16], 11) as tf.Tensor4D, sigma: [0.3, 0.8], context: noise([2, 11, 96], 12) as tf.Tensor3D, pooled: noise([2, 80], 13) as tf.Tensor2D };
    weight = noise([2, 8, 12, 16], 14) as tf.Tensor4D;
  });

  it('agrees with central differences in every kind of argument', () => {
    const adapter = adapterFor(() => true);
    const rows = conceptRows();
    const run = velocityVjp(model, input, adapter, rows, { recompute: true, wantRows: true, wantInputs: true });
    const gradients = run.pullback(weight);
    for (const name of ['transformer_blocks.0.attn.to_q', 'transformer_blocks.1.attn.to_add_out', 'transformer_blocks.2.attn.add_k_proj', 'transformer_blocks.2.attn.to_out.0']) {
      for (const part of ['a', 'b'] as const) {
        const direction = noise(adapter[name]![part].shape, 5);
        const numeric = along(adapter[name]![part], direction, (moved) => objective({ ...adapter, [name]: { ...adapter[name]!, [part]: moved as tf.Tensor2D } }, rows));
        near(dot(gradients.sites[name]![part], direction), numeric);
      }
    }
    const dRows = noise([3, 64], 6);
    near(dot(gradients.rows!, dRows), along(rows.rows, dRows, (moved) => objective(adapter, { ...rows, rows: moved as tf.Tensor2D })));
    const dDelta = noise([80], 7);
    near(dot(gradients.pooledDelta!, dDelta), along(rows.pooledDelta!, dDelta, (moved) => objective(adapter, { ...rows, pooledDelta: moved as tf.Tensor1D })));
    const dx = noise(input.x.shape, 8);
    const before = input;
    near(dot(gradients.inputs!.x, dx), along(before.x, dx, (moved) => {
      input = { ...before, x: moved as tf.Tensor4D };
      try { return objective(adapter, rows); } finally { input = before; }
    }));
  });

  it('gives the same bits with kept tapes as with recomputation, and the velocity of velocity()', () => {
    const adapter = adapterFor(() => true);
    const rows = conceptRows();
    const [kept, again] = [false, true].map((recompute) => {
      const run = velocityVjp(model, input, adapter, rows, { recompute, wantRows: true });
      return { v: run.velocity.dataSync(), g: run.pullback(weight) };
    });
    expect(kept!.v).toEqual(again!.v);
    expect(kept!.v).toEqual(velocity(model, input, adapter, rows).dataSync());
    expect(kept!.g.rows!.dataSync()).toEqual(again!.g.rows!.dataSync());
    expect(kept!.g.pooledDelta!.dataSync()).toEqual(again!.g.pooledDelta!.dataSync());
    expect(Object.keys(kept!.g.sites)).toHaveLength(23);
    for (const [name, { a, b }] of Object.entries(kept!.g.sites)) {
      expect(a.dataSync()).toEqual(again!.g.sites[name]!.a.dataSync());
      expect(b.dataSync()).toEqual(again!.g.sites[name]!.b.dataSync());
    }
  });

  it('differentiates only what is asked for, wherever the first trainable stands', () => {
    const adapter = adapterFor((name) => name.startsWith('transformer_blocks.1.') || name.endsWith('2.attn.add_q_proj'));
    const { pullback } = velocityVjp(model, input, adapter, null, { recompute: true, wantRows: false });
    const { sites, rows, pooledDelta, inputs } = pullback(weight);
    expect([rows, pooledDelta, inputs]).toEqual([null, null, null]);
    expect(Object.keys(sites)).toHaveLength(9);
    const name = 'transformer_blocks.1.attn.to_v';
    const direction = noise(adapter[name]!.b.shape, 5);
    near(dot(sites[name]!.b, direction), along(adapter[name]!.b, direction, (moved) => objective({ ...adapter, [name]: { ...adapter[name]!, b: moved as tf.Tensor2D } }, null)));
    // nobody reads the last block's text queries
    expect(Math.max(...sites['transformer_blocks.2.attn.add_q_proj']!.b.dataSync().map(Math.abs))).toBe(0);
  });

  it('computes with layers that are never trained, and gives gradients to the others through them', () => {
    const adapter = Object.fromEntries(Object.entries(adapterFor(() => true, 'all')).map(([name, pair]) => [name, { ...pair, scale: 0.15 }]));
    const trained = Object.keys(adapterFor(() => true, 'attention+mlp'));
    expect(Object.keys(adapter).length).toBe(trained.length + 8 + 6 + 8); // two attn2, two modulations in three blocks, outside them
    for (const recompute of [true, false]) {
      const run = velocityVjp(model, input, adapter, null, { recompute, wantRows: false, wantInputs: true });
      const { sites, inputs } = run.pullback(weight);
      expect(Object.keys(sites).sort()).toEqual([...trained].sort());
      expect(run.velocity.dataSync()).toEqual(velocity(model, input, adapter, null).dataSync());
      const name = 'transformer_blocks.0.attn.to_q';
      const direction = noise(adapter[name]!.b.shape, 5);
      near(dot(sites[name]!.b, direction), along(adapter[name]!.b, direction, (moved) => objective({ ...adapter, [name]: { ...adapter[name]!, b: moved as tf.Tensor2D } }, null)));
      for (const key of ['x', 'context', 'pooled'] as const) {
        const [towards, before] = [noise(input[key].shape, 8), input];
        near(dot(inputs![key], towards), along(before[key], towards, (moved) => {
          input = { ...before, [key]: moved };
          try { return objective(adapter, null); } finally { input = before; }
        }));
      }
    }
    // each of them alone changes the velocity
    const plain = velocity(model, input, null, null);
    for (const name of Object.keys(adapter).filter((each) => !trained.includes(each))) {
      const moved = tf.tidy(() => tf.max(tf.abs(tf.sub(velocity(model, input, { [name]: adapter[name]! }, null), plain))).dataSync()[0]!);
      expect(moved, name).toBeGreaterThan(1e-4);
    }
  });

  it('leaks nothing, whether pulled back, disposed of or aborted', async () => {
    const adapter = adapterFor(() => true);
    const rows = conceptRows();
    velocityVjp(model, input, adapter, rows, { recompute: false, wantRows: true }).dispose(); // makes the kept transposes
    for (const recompute of [true, false]) {
      const warm = velocityVjp(model, input, adapter, rows, { recompute, wantRows: true, wantInputs: true });
      tf.dispose([warm.velocity, warm.pullback(weight)] as unknown as tf.TensorContainer);
      const before = tf.memory().numTensors;
      const pulled = velocityVjp(model, input, adapter, rows, { recompute, wantRows: true, wantInputs: true });
      tf.dispose([pulled.velocity, pulled.pullback(weight)] as unknown as tf.TensorContainer);
      const dropped = velocityVjp(model, input, adapter, rows, { recompute, wantRows: true });
      dropped.velocity.dispose();
      dropped.dispose();
      let gaps = 0;
      const abort = async () => { if (++gaps === 2) throw new Error('stop'); };
      await expect(velocityVjpAsync(model, input, adapter, rows, { recompute, wantRows: true }, abort)).rejects.toThrow('stop');
      gaps = 0;
      await expect(velocityAsync(model, input, adapter, rows, abort)).rejects.toThrow('stop');
      gaps = -3; // reaches the second gap of the way back
      const late = await velocityVjpAsync(model, input, adapter, rows, { recompute, wantRows: true }, abort);
      await expect(late.pullback(weight)).rejects.toThrow('stop');
      late.velocity.dispose();
      expect(tf.memory().numTensors).toBe(before);
    }
  });
});
