import { beforeAll } from 'vitest';
import { useWebgpu } from '../../testing/backend';
import { lambdaStarSpec } from '../../testing/kernels/lambdaStar';
import { describeKernel } from '../../testing/kernels/suite';

beforeAll(async () => { await useWebgpu(); });
describeKernel(lambdaStarSpec);
