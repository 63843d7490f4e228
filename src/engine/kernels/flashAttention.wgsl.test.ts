import { beforeAll } from 'vitest';
import { useWebgpu } from '../../testing/backend';
import { flashAttentionSpec } from '../../testing/kernels/flashAttention';
import { describeKernel } from '../../testing/kernels/suite';

beforeAll(async () => { await useWebgpu(); });
describeKernel(flashAttentionSpec);
