import { beforeAll, describe, expect, it } from 'vitest';
import { pack, unpack, type Packing } from '../../formats/packing';
import * as tf from '../../engine/tf';
import { noise } from '../../testing/kernels/suite';
import { expectNoLeak, useBackend } from '../../testing/backend';
import { tinySource, tinyWords } from '../../testing/tiny';
import { packedLayer } from '../weights';
import type { WeightSource } from '../weightSource';
import { disposeMmdit, loadMmdit, loraSites, velocity, velocityAsync, velocityVjp, velocityVjpAsync, type Adapter, type Mmdit, type MmditInput } from './index';
import { blockLayers, countedHolders } from './residency';

const int8: Packing = { precision: 'int8' };
const input = (): MmditInput => ({ ...tinyWords(2, false, 1), x: tf.tensor4d(noise(2 * 64, 5), [2, 4, 4, 4]), sigma: [0.3, 0.7] });
const adapterOf = (model: Mmdit): Adapter => Object.fromEntries(loraSites(model).map(({ name, inFeatures, outFeatures }, i) => [
  name, { a: tf.tensor2d(noise(inFeatures * 2, 2 * i), [inFeatures, 2]), b: tf.tensor2d(noise(2 * outFeatures, 2 * i + 1), [2, outFeatures]), scale: 0.5 },
]));
const numbers = (x: tf.Tensor) => Array.from(x.dataSync());
const gradientsOf = (sites: Record<string, { a: tf.Tensor; b: tf.Tensor }>) => Object.fromEntries(Object.entries(sites).map(([name, { a, b }]) => [name, [numbers(a), numbers(b)]]));

/** The tiny source with the blocks' linear weights as int8 makes them act. */
function rounded(): WeightSource {
  const source = tinySource();
  return {
    ...source,
    async read(key) {
      const values = await source.read(key);
      const [out = 0, inputs = 0] = source.shape(key);
      if (!/^transformer_blocks.*\.weight$/.test(key) || source.shape(key).length !== 2) return values;
      const turned = Float32Array.from(values, (_, i) => values[(i % out) * inputs + Math.floor(i / out)]!);
      const acting = unpack(pack(turned, inputs, out, int8));
      return Float32Array.from(acting, (_, i) => acting[(i % inputs) * out + Math.floor(i / inputs)]!);
    },
  };
}

describe.each(['wasm', 'cpu'] as const)('packed blocks on %s', (backend) => {
  beforeAll(async () => { await useBackend(backend); });

  it.each([true, false])('compute what their unpacked weights compute, forward and backward (recompute %s)', async (recompute) => {
    const [packed, plain] = [await loadMmdit(tinySource(), undefined, { blockLayer: packedLayer(int8) }), await loadMmdit(rounded())];
    expect(blockLayers(packed.blocks[0]!).every(({ packed: matrix }) => matrix?.precision === 'int8')).toBe(true);
    const [dv, given] = [tf.tensor4d(noise(2 * 64, 6), [2, 4, 4, 4]), input()];
    const [found, wanted] = [packed, plain].map((model) => {
      const run = velocityVjp(model, given, adapterOf(plain), null, { recompute, wantRows: false });
      return { velocity: numbers(run.velocity), gradients: gradientsOf(run.pullback(dv).sites) };
    });
    expect(found).toEqual(wanted);
    [packed, plain].forEach(disposeMmdit);
  });

  it('have one block in float32 at a time, and none afterwards', async () => {
    const model = await loadMmdit(tinySource(), undefined, { blockLayer: packedLayer(int8) });
    const resident = () => model.blocks.filter((w) => blockLayers(w).some(({ weight }) => weight !== null)).length;
    const { enter } = model.residency!;
    let most = 0;
    model.residency!.enter = (index) => { void enter(index); most = Math.max(most, resident()); };
    const given = input();
    await expectNoLeak(() => velocity(model, given, null, null).dispose());
    expect(most).toBe(1);
    expect(resident()).toBe(0);
    disposeMmdit(model);
  });
});

describe('weights that come asynchronously', () => {
  beforeAll(async () => { await useBackend('wasm'); });

  /** The tiny model, each block of it late, with a record of what was asked. */
  async function late() {
    const model = await loadMmdit(tinySource());
    const events: string[] = [];
    model.residency = {
      enter: async (index) => { events.push(`enter ${index}`); await Promise.resolve(); },
      leave: (index) => { events.push(`leave ${index}`); },
    };
    return { model, events };
  }

  it('are waited for, block by block, forward and backward', async () => {
    const { model, events } = await late();
    const run = await velocityVjpAsync(model, input(), adapterOf(model), null, { recompute: true, wantRows: false }, async () => {});
    await run.pullback(run.velocity);
    expect(events).toEqual([0, 1, 2, 2, 1, 0].flatMap((index) => [`enter ${index}`, `leave ${index}`]));
    disposeMmdit(model);
  });

  it('serve two passes at once: a block is fetched for the first who comes and let go of by the last who leaves', async () => {
    const { model, events } = await late();
    model.residency = countedHolders(model.residency!);
    const given = input();
    // the second pass begins while the first waits behind block 0, and both are at it when the first goes on
    const both = await Promise.all([velocityAsync(model, given, null, null, async () => {}), velocityAsync(model, given, null, null, async () => {})]);
    expect(events.filter((event) => event.startsWith('enter')).length).toBe(events.filter((event) => event.startsWith('leave')).length);
    for (const index of [0, 1, 2]) expect(events.filter((event) => event === `enter ${index}`), `block ${index}`).toHaveLength(1);
    expect(numbers(both[0]!)).toEqual(numbers(both[1]!));
    disposeMmdit(model);
  });

  it('stay while one of two passes gives up', async () => {
    const events: string[] = [];
    const residency = countedHolders({ enter: (index) => void events.push(`enter ${index}`), leave: (index) => void events.push(`leave ${index}`) });
    await residency.enter(0);
    await residency.enter(0);
    residency.leave(0);
    expect(events).toEqual(['enter 0']);
    residency.leave(0);
    expect(events).toEqual(['enter 0', 'leave 0']);
    await residency.enter(0);
    expect(events).toEqual(['enter 0', 'leave 0', 'enter 0']);
  });

  it('are missed by name', async () => {
    const model = await loadMmdit(tinySource());
    const layer = model.blocks[1]!.x.attention.q;
    expect(layer.name).toBe('transformer_blocks.1.attn.to_q');
    layer.weight!.dispose();
    layer.weight = null;
    expect(() => velocity(model, input(), null, null)).toThrow('the weights of “transformer_blocks.1.attn.to_q” are not in place');
  });

  it('are let go of when the evaluation is given up', async () => {
    const { model, events } = await late();
    let gaps = 0;
    const given = input();
    await expectNoLeak(async () => {
      await expect(velocityAsync(model, given, null, null, async () => { if (++gaps === 2) throw new Error('enough'); })).rejects.toThrow('enough');
    });
    expect(events).toEqual(['enter 0', 'leave 0', 'enter 1', 'leave 1']);
    disposeMmdit(model);
  });

  it('are refused by the synchronous form', async () => {
    const { model } = await late();
    expect(() => velocity(model, input(), null, null)).toThrow('asynchronously');
    disposeMmdit(model);
  });
});
