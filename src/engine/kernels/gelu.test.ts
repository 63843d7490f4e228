import { beforeAll, describe } from 'vitest';
import { useBackend } from '../../testing/backend';
import { geluErfSpec, geluTanhSpec, quickGeluSpec } from '../../testing/kernels/gelu';
import { describeKernel } from '../../testing/kernels/suite';

describe.each(['wasm', 'cpu'] as const)('on %s', (name) => {
  beforeAll(async () => { await useBackend(name); });
  // the largest cases are about dispatch limits, which only a GPU has
  for (const spec of [geluErfSpec, geluTanhSpec, quickGeluSpec]) describeKernel({ ...spec, cases: spec.cases.filter(({ forwardOnly }) => !forwardOnly) });
});
