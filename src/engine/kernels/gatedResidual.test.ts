import { beforeAll, describe } from 'vitest';
import { useBackend } from '../../testing/backend';
import { gatedResidualSpec } from '../../testing/kernels/gatedResidual';
import { describeKernel } from '../../testing/kernels/suite';

describe.each(['wasm', 'cpu'] as const)('on %s', (name) => {
  beforeAll(async () => { await useBackend(name); });
  // the largest cases are about dispatch limits, which only a GPU has
  for (const spec of [gatedResidualSpec]) describeKernel({ ...spec, cases: spec.cases.filter(({ forwardOnly }) => !forwardOnly) });
});
