import { beforeAll, describe } from 'vitest';
import { useWebgpu } from '../../testing/backend';
import { describeParameters } from '../../testing/parameters';
import { gpuParameters } from './parametersGpu';

beforeAll(async () => void (await useWebgpu()));
describe('on the device', () => {
  // float32 where the loop rounds doubles: a few roundings a step, five steps
  describeParameters(gpuParameters, 2e-6);
});
