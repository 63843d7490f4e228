/**
 * npm run parity -- --fixtures DIR [--backend wasm|webgpu|cpu] [--weights f32|int8|int4] [--base DIR] [--merges FILE]
 * Prints component × max error × tolerance × pass; exit status 1 if a row fails, 2 if the arguments are wrong.
 */
import { parseArgs } from 'node:util';
import { openNodeBackend } from '../nodeBackend';
import { parityRows } from './run';
import { table } from './rows';
import type { WeightChoice } from './weighing';

const usage = 'npm run parity -- --fixtures DIR [--backend wasm|webgpu|cpu] [--weights f32|int8|int4] [--base DIR] [--merges FILE]';

async function main(): Promise<number> {
  const { values: options } = parseArgs({
    options: {
      fixtures: { type: 'string' },
      backend: { type: 'string', default: 'wasm' },
      weights: { type: 'string', default: 'f32' },
      base: { type: 'string', default: 'public/base' },
      merges: { type: 'string', default: 'fixtures/clip/clip_merges_48894.txt.gz' },
    },
  });
  const { fixtures, backend, weights, base, merges } = options;
  if (!fixtures || !['wasm', 'webgpu', 'cpu'].includes(backend) || !['f32', 'int8', 'int4'].includes(weights)) {
    console.error(usage);
    return 2;
  }
  const compute = await openNodeBackend(backend as 'wasm' | 'webgpu' | 'cpu');
  console.log(`${fixtures} on ${compute.backend}${compute.adapter ? ` (${compute.adapter})` : ''}`);
  const rows = await parityRows(fixtures, { base, merges, weights: weights as WeightChoice });
  console.log(table(rows));
  return rows.every(({ pass }) => pass) ? 0 : 1;
}

main().then((status) => process.exit(status), (error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
