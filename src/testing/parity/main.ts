/**
 * npm run parity -- --fixtures DIR [--backend wasm|webgpu|cpu] [--weights f32|int8|int4] [--base DIR] [--merges FILE]
 * npm run parity -- --docs
 * npm run parity -- --train-lora DIR
 * Prints component × max error × tolerance × pass; exit status 1 if a row fails, 2 if the arguments are wrong. --docs runs our own
 * fixtures on wasm and WebGPU with all weights, and writes docs/parity.md. --train-lora learns the LoRA of the folder anew, on wasm, and
 * writes it there; recipe/lora_golden.py then draws with it.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openNodeBackend } from '../nodeBackend';
import { docsText, type Section } from './docs';
import type { FixtureConfig } from './mmdit';
import { parityRows } from './run';
import { table } from './rows';
import { writeTrainedLora } from './trainedLora';
import type { WeightChoice } from './weighing';

const usage = 'npm run parity -- --fixtures DIR [--backend wasm|webgpu|cpu] [--weights f32|int8|int4] [--base DIR] [--merges FILE]\nnpm run parity -- --docs\nnpm run parity -- --train-lora DIR';

const SECTIONS: readonly { heading: string; text: string; fixtures: string; weights: WeightChoice }[] = [
  { heading: 'Tiny SD3 models', text: 'Weights in float32.', fixtures: 'fixtures/sd3', weights: 'f32' },
  { heading: 'The embedded base as shipped', text: 'Prompts to pictures.', fixtures: 'fixtures/base', weights: 'f32' },
  { heading: 'Picture adapters', text: 'Random weights: an object adapter on the embedded base, an identity adapter on a tower and a transformer of other sizes.', fixtures: 'fixtures/adapter', weights: 'f32' },
  ...(['int8', 'int4'] as const).map((weights) => ({
    heading: `Tiny SD3 models, packed to ${weights}`,
    text: 'Packed weights are other weights: errors are root mean squares relative to the golden values’ own. A weight off by ε puts values off by ε times a gain, times the root of the blocks passed; ε is measured, the gains are reasoned in src/testing/parity/weighing.ts.',
    fixtures: 'fixtures/sd3', weights,
  })),
];

async function writeDocs(paths: { base: string; merges: string }): Promise<number> {
  const sections: Section[] = SECTIONS.map(({ heading, text }) => ({ heading, text, runs: [] }));
  for (const backend of ['wasm', 'webgpu'] as const) {
    const { adapter } = await openNodeBackend(backend);
    for (const [i, { fixtures, weights }] of SECTIONS.entries()) {
      const rows = await parityRows(fixtures, { ...paths, weights });
      sections[i] = { ...sections[i]!, runs: [...sections[i]!.runs, { backend: backend === 'wasm' ? 'wasm' : `WGSL (${adapter?.split(' (')[0] ?? 'WebGPU'})`, rows }] };
      console.log(`${fixtures}, ${weights} on ${backend}: ${rows.filter(({ pass }) => !pass).length} of ${rows.length} rows fail`);
    }
  }
  await writeFile('docs/parity.md', docsText(sections, new Date().toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric' })));
  return sections.every(({ runs }) => runs.every(({ rows }) => rows.every(({ pass }) => pass))) ? 0 : 1;
}

async function main(): Promise<number> {
  const { values: options } = parseArgs({
    options: {
      docs: { type: 'boolean', default: false },
      'train-lora': { type: 'string' },
      fixtures: { type: 'string' },
      backend: { type: 'string', default: 'wasm' },
      weights: { type: 'string', default: 'f32' },
      base: { type: 'string', default: 'public/base' },
      merges: { type: 'string', default: 'fixtures/clip/clip_merges_48894.txt.gz' },
    },
  });
  const { docs, 'train-lora': trained, fixtures, backend, weights, base, merges } = options;
  if (trained) {
    await openNodeBackend('wasm');
    await writeTrainedLora(trained, (JSON.parse(await readFile(join(trained, 'config.json'), 'utf8')) as { mmditx: FixtureConfig }).mmditx);
    return 0;
  }
  if (docs) return writeDocs({ base, merges });
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
