/**
 * npm run fake-checkpoint -- --model sd3.5-medium|clip-l|clip-g [--scale 0.02] --out FILE
 * npm run fake-checkpoint -- --from public/base [--out DIR]
 * The first writes random weights under a released model's true names and shapes (narrower with --scale, about that share of the
 * weights), the second the embedded base itself in three layouts: real models and true sizes to import.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeCheckpoint } from './container';
import { embeddedCheckpoints } from './embedded';
import { FAKE_MODELS, randomTensors, type FakeModel } from './random';

const USAGE = `npm run fake-checkpoint -- --model ${FAKE_MODELS.join('|')} [--scale 0.02] --out FILE\nnpm run fake-checkpoint -- --from public/base [--out DIR]`;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { model: { type: 'string' }, from: { type: 'string' }, scale: { type: 'string', default: '1' }, out: { type: 'string' } } });
  const { model, from, out = from && join('out', 'checkpoints') } = values;
  const scale = Number(values.scale);
  if (!out || (!model && !from) || (model && !FAKE_MODELS.includes(model as FakeModel)) || !(scale > 0 && scale <= 1)) {
    console.error(USAGE);
    return 2;
  }
  if (from) {
    const { single, separate, folder } = await embeddedCheckpoints(from, out);
    console.log([single, ...separate, `${folder}/`].join('\n'));
    return 0;
  }
  await mkdir(dirname(out), { recursive: true });
  const tensors = await randomTensors(model as FakeModel, scale);
  const bytes = await writeCheckpoint(out, tensors, { 'modelspec.title': `random ${model}` });
  console.log(`${out}: ${tensors.length} tensors, ${bytes.toLocaleString('en')} bytes`);
  return 0;
}

main().then((status) => process.exit(status), (error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
