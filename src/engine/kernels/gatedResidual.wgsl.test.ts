import { beforeAll } from 'vitest';
import { useWebgpu } from '../../testing/backend';
import { gatedResidualSpec } from '../../testing/kernels/gatedResidual';
import { describeKernel } from '../../testing/kernels/suite';

beforeAll(async () => { await useWebgpu(); });
[gatedResidualSpec].forEach(describeKernel);
