import { beforeAll, describe } from 'vitest';
import { useBackend } from '../../testing/backend';
import { packedLinearSpec } from '../../testing/kernels/packedLinear';
import { describeKernel } from '../../testing/kernels/suite';

describe.each(['wasm', 'cpu'] as const)('composed on %s', (name) => {
  beforeAll(async () => { await useBackend(name); });
  // tilings and the largest cases are about a GPU
  describeKernel({ ...packedLinearSpec, cases: packedLinearSpec.cases.filter(({ forwardOnly, title }) => !forwardOnly && title.includes('registers')) });
});
