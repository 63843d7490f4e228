/**
 * npm run plan -- [--model sd3.5-medium|embedded] [--size PIXELS] [--precision f32|f16|int8|int4] [--group N] [--rank N] [--batch N] [--preset paper|lamina] [--blocks N] [--check] [--json FILE]
 * npm run plan -- --table [--write]
 * What one training step needs of a GPU's memory, part by part, without a GPU: the trainer runs on a device that only counts.
 * --check runs the same steps on a real device as well, and says what the allocator reports there; of a large model with few --blocks.
 * --table: SD3.5 Medium on adapters of 6 to 16 GB at three sizes; --write puts the figures where the Models page reads them, and into docs/performance.md.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { openDevice } from '../../engine/webgpu/device';
import { defaultRecipe, type PresetOf } from '../../protocol/recipe';
import type { Precision } from '../../formats/packing';
import { folderFiles } from '../../testing/files';
import { useWebgpu } from '../../testing/nodeBackend';
import { adapterBytes } from './adapterBytes';
import { countingAdapter } from './countingDevice';
import { fitTable } from './fitTable';
import { needs, type Needs } from './plan';
import { planTable } from './table';
import { firstBlocks, type Shapes } from './shapes';

interface Model { shapes(): Promise<Shapes>; /** Where the base lies with its other networks. */ folder?: string; size: number; pixelsPerLatent: number; textTokens: number; precision: Precision }

const MODELS: Record<string, Model> = {
  'sd3.5-medium': {
    shapes: async () => (JSON.parse(await readFile('fixtures/sd3/manifests/sd35_medium.diffusers.transformer.json', 'utf8')) as { shapes: Shapes }).shapes,
    size: 512, pixelsPerLatent: 8, textTokens: 154, precision: 'int8',
  },
  embedded: {
    shapes: async () => {
      const source = await folderFiles('public/base').weights('transformer');
      return Object.fromEntries(source.keys().map((key) => [key, [...source.shape(key)]]));
    },
    folder: 'public/base', size: 128, pixelsPerLatent: 8, textTokens: 24, precision: 'f32',
  },
};

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(3)} GiB`;
const fail = (message: string): never => {
  console.error(message);
  process.exit(2);
};

/** What the allocator of a real device reports of the same steps. */
async function check(planned: Needs, run: () => Promise<Needs>): Promise<void> {
  const { adapter } = await useWebgpu();
  console.log(`the same steps on ${adapter}:`);
  const reported = await run();
  const names = { weightBytes: 'packed weights', keptBytes: 'kept between steps', usedBytes: 'most in use at once', allocatedBytes: 'allocated, with the pool' } as const;
  for (const key of Object.keys(names) as (keyof typeof names)[]) console.log(`${names[key].padEnd(54)} ${gib(reported[key]).padStart(12)}   plan ${(100 * (planned[key] / reported[key] - 1)).toFixed(1)} %`);
}

const PLAN_FILE = 'src/protocol/sd35Plan.ts';

async function table(write: boolean): Promise<void> {
  const { shapes, pixelsPerLatent, textTokens } = MODELS['sd3.5-medium']!;
  const plan = await planTable('SD3.5 Medium', await shapes(), { pixelsPerLatent, textTokens });
  const text = fitTable(plan);
  console.log(text);
  if (!write) return;
  await writeFile(PLAN_FILE, `/** Made by \`npm run plan -- --table --write\`: bytes that SD3.5 Medium takes on a GPU, found on a device that only counts. */\nimport type { MemoryPlan } from './fit';\n\nexport const sd35Plan: MemoryPlan = ${JSON.stringify(plan)};\n`);
  const performance = await readFile('docs/performance.md', 'utf8');
  await writeFile('docs/performance.md', performance.replace(/(<!-- fits -->\n)[^]*?(<!-- \/fits -->)/, `$1${text}\n$2`));
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: {
    model: { type: 'string', default: 'sd3.5-medium' }, size: { type: 'string' }, precision: { type: 'string' }, group: { type: 'string', default: '0' }, rank: { type: 'string', default: '4' },
    table: { type: 'boolean', default: false }, write: { type: 'boolean', default: false }, batch: { type: 'string', default: '1' }, preset: { type: 'string', default: 'lamina' }, blocks: { type: 'string' }, check: { type: 'boolean', default: false }, json: { type: 'string' },
  } });
  if (values.table) return table(values.write);
  const model = MODELS[values.model] ?? fail(`--model is one of ${Object.keys(MODELS).join(', ')}.`);
  const precision = (values.precision ?? model.precision) as Precision;
  if (!['f32', 'f16', 'int8', 'int4'].includes(precision)) fail('--precision is one of f32, f16, int8, int4.');
  if (!['lamina', 'paper'].includes(values.preset)) fail('--preset is one of lamina, paper.');
  const [size, group, rank, batch, blocks] = [Number(values.size ?? model.size), Number(values.group), Number(values.rank), Number(values.batch), Number(values.blocks ?? 0)];
  const wrong = Object.entries({ size, group, rank, batch, blocks }).find(([, value]) => !Number.isInteger(value) || value < 0);
  if (wrong) fail(`--${wrong[0]} must be a whole number.`);
  if (size % (2 * model.pixelsPerLatent) !== 0 || size === 0) fail(`--size must be a multiple of ${2 * model.pixelsPerLatent}.`);
  const whole = await model.shapes();
  const shapes = blocks > 0 ? firstBlocks(whole, blocks) : whole;
  const counting = countingAdapter();
  await openDevice({ adapter: counting.adapter, name: 'counting', software: false });
  counting.restart();
  const recipe = { ...defaultRecipe(values.preset as PresetOf<'purecc'>, values.model), classWord: 'dog', rank, batchSize: batch };
  const job = { shapes, packing: { precision, group }, latentSide: size / model.pixelsPerLatent, textTokens: model.textTokens, pictures: 5 };
  const found = await needs(job, recipe);
  const [peakBytes, largestBufferBytes] = [counting.peak(), counting.largest()];
  const adapters = model.folder ? await adapterBytes(folderFiles(model.folder)) : [];
  const report = { model: values.model, size, precision, group, rank, batch, preset: values.preset, ...found, peakBytes, largestBufferBytes, ...(adapters.length > 0 && { adapters }) };
  console.log(`${values.model}, ${size}² pixels, ${precision}, rank ${rank}, batch ${batch}, preset ${values.preset}: one step of stage 2`);
  const rows: [string, number][] = [
    ['packed weights', found.weightBytes], ['kept between steps (adapters, moments, data, biases)', found.keptBytes], ['most in use at once', found.usedBytes],
    ['allocated, with the pool', found.allocatedBytes], ['peak of all buffers', peakBytes], ['largest buffer', largestBufferBytes],
    ...adapters.map(({ kind, bytes }): [string, number] => [`${kind} adapter, where it is at work`, bytes]),
  ];
  for (const [name, bytes] of rows) console.log(`${name.padEnd(54)} ${gib(bytes).padStart(12)}`);
  if (values.check) await check(found, () => needs(job, recipe));
  if (values.json) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

main().then(() => process.exit(0), (error: unknown) => {
  console.error(error);
  process.exit(1);
});
