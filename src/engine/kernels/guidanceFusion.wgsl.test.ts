import { beforeAll, expect, it } from 'vitest';
import { useWebgpu } from '../../testing/backend';
import { guidanceFusionSlicesSpec, guidanceFusionSpec, slicesCase, type SlicesOptions } from '../../testing/kernels/guidanceFusion';
import { describeKernel } from '../../testing/kernels/suite';
import * as tf from '../tf';
import { flush, internals } from '../webgpu/dispatch';

beforeAll(async () => { await useWebgpu(); });
describeKernel(guidanceFusionSpec);
describeKernel(guidanceFusionSlicesSpec);

it.each([
  { terms: 16, passes: [17], dispatches: 1 },
  { terms: 16, passes: [12, 1, 1, 1, 1, 1], dispatches: 1 },
  { terms: 16, passes: [8, 3, 1, 1, 1, 1, 1, 1], dispatches: 2 },
])('$terms terms in $passes.length passes take $dispatches dispatches and nothing else', ({ terms, passes, dispatches }) => {
  const { shapes, options } = slicesCase([1, 4, 4, 4], passes, [[1, 4, 4, 1]]);
  expect((options as SlicesOptions).terms).toHaveLength(terms);
  const inputs = shapes.map((shape) => tf.ones(shape));
  tf.dispose(guidanceFusionSlicesSpec.run(inputs, options, []));
  flush(tf.backend());
  const before = internals(tf.backend()).dispatchCountInPass;
  tf.dispose(guidanceFusionSlicesSpec.run(inputs, options, []));
  expect(internals(tf.backend()).dispatchCountInPass - before).toBe(dispatches);
  tf.dispose(inputs);
});
