import { beforeAll, describe, expect, it } from 'vitest';
import { useWebgpu } from '../../testing/backend';
import { geluErfSpec, geluTanhSpec, normal, quickGeluSpec } from '../../testing/kernels/gelu';
import { describeKernel } from '../../testing/kernels/suite';
import { geluErf, geluTanh, quickGelu } from '../ops/activations';
import * as tf from '../tf';
import { vjp } from '../vjp';

beforeAll(async () => { await useWebgpu(); });
[geluErfSpec, geluTanhSpec, quickGeluSpec].forEach(describeKernel);

describe('GELU kernels', () => {
  // eight numbers are moved by fours, seven one by one
  it.each([['geluTanh', geluTanh], ['geluErf', geluErf], ['quickGelu', quickGelu]] as const)('%s is 0 or x, its slope 0 or 1, however far out', async (_name, gelu) => {
    for (const values of [[-3e38, -1e20, -1e4, -60, 60, 1e4, 1e20, 3e38], [-3e38, -1e20, -60, 60, 1e4, 1e20, 3e38]]) {
      const x = tf.tensor1d(values);
      const { outputs, pullback } = vjp((given) => [gelu(given)], [x]);
      const dx = pullback([tf.onesLike(x)])[0]!;
      const [y, slope] = await Promise.all([outputs[0]!.data(), dx.data()]);
      values.forEach((value, i) => {
        // exp(-85), the smallest the gates take, is 1e-37
        if (value < 0) expect(Math.abs(y[i]! / value)).toBeLessThan(1e-36);
        else expect(y[i]).toBe(Math.fround(value));
      });
      expect(Array.from(slope, (value) => Math.abs(Math.round(value * 1e6)) / 1e6)).toEqual(values.map((value) => (value > 0 ? 1 : 0)));
      tf.dispose([x, outputs, dx]);
    }
  });

  it('geluErf has the normal distribution to 2.5e-7', async () => {
    const values = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000.5) / 250);
    const y = await tf.tidy(() => geluErf(tf.tensor1d(values))).data();
    const errors = Array.from(values, (x, i) => Math.abs(y[i]! / x - normal(x)));
    expect(Math.max(...errors)).toBeLessThan(2.5e-7);
  });
});
