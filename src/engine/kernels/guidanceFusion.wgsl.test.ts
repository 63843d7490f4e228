import { beforeAll } from 'vitest';
import { useWebgpu } from '../../testing/backend';
import { guidanceFusionSpec } from '../../testing/kernels/guidanceFusion';
import { describeKernel } from '../../testing/kernels/suite';

beforeAll(async () => { await useWebgpu(); });
describeKernel(guidanceFusionSpec);
