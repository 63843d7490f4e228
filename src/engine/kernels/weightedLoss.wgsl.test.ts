import { beforeAll } from 'vitest';
import { useWebgpu } from '../../testing/backend';
import { describeKernel } from '../../testing/kernels/suite';
import { weightedLossSpec } from '../../testing/kernels/weightedLoss';

beforeAll(async () => { await useWebgpu(); });
describeKernel(weightedLossSpec);
