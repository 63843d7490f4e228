import { beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak, useWebgpu } from '../testing/backend';
import type { Compute } from './backend';
import { allocate, dispatch, forgetValues, uniforms } from './webgpu/dispatch';
import * as tf from './tf';

const doubling = {
  name: 'doubling',
  code: `struct P { n: u32, factor: f32 };
    @group(0) @binding(0) var<storage, read_write> x: array<f32>;
    @group(0) @binding(1) var<uniform> p: P;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
      let i = id.x + id.y * groups.x * 64u;
      if (i < p.n) { x[i] *= p.factor; }
    }`,
};

describe('WebGPU in Node', () => {
  let compute: Compute;
  beforeAll(async () => { compute = await useWebgpu(); });

  it('names its adapter and gives no reason', () => {
    expect(compute.backend).toBe('webgpu');
    expect(compute.adapter).not.toBe('');
    expect(compute.reason).toBe('');
  });

  it('multiplies matrices', async () => {
    const y = tf.matMul([[1, 2], [3, 4]], [[5, 6], [7, 8]]);
    expect(Array.from(await y.data())).toEqual([19, 22, 43, 50]);
    y.dispose();
  });

  it('keeps our kernels and those of tfjs in order, in place, beyond 65,535 groups', () => expectNoLeak(async () => {
    const n = 65_536 * 64 + 3;
    const x = tf.fill([n], 1.5);
    await x.data();
    dispatch(tf.backend(), doubling, [x], uniforms([['u', n], ['f', 2]]), Math.ceil(n / 64));
    forgetValues(tf.backend(), x);
    const y = tf.add(x, 1);
    const last = tf.slice(y, [n - 4], [4]);
    expect(Array.from(await last.data())).toEqual([4, 4, 4, 4]);
    expect((await x.data())[0]).toBe(3);
    tf.dispose([x, y, last]);
  }));

  it('allocates what tfjs frees', () => expectNoLeak(() => {
    const info = allocate(tf.backend(), [5]);
    tf.engine().makeTensorFromTensorInfo(info).dispose();
  }));
});
