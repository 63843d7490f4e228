import { beforeAll } from 'vitest';
import { useWebgpu } from '../../testing/backend';
import { packedLinearSpec } from '../../testing/kernels/packedLinear';
import { describeKernel } from '../../testing/kernels/suite';

beforeAll(async () => { await useWebgpu(); });
describeKernel(packedLinearSpec);
