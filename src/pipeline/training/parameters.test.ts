import { beforeAll, describe } from 'vitest';
import { useBackend } from '../../testing/backend';
import { describeParameters } from '../../testing/parameters';
import { cpuParameters } from './parametersCpu';

describe.each(['wasm', 'cpu'] as const)('on the CPU side, gradients on %s', (name) => {
  beforeAll(async () => void (await useBackend(name)));
  describeParameters(cpuParameters, 0);
});
