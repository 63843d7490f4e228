/**
 * A whole base, loaded as the app loads it, against golden.safetensors: prompts in, pictures out. The contract is
 * recipe/golden.py's: row i belongs to prompt i, the last row is the empty prompt.
 */
import { join } from 'node:path';
import * as tf from '../../engine/tf';
import { encodeImageAsync } from '../../models/clip';
import { velocity } from '../../models/mmdit';
import { disposeBase, flowing, loadBase, type EncodedPrompts } from '../../pipeline/base';
import { guidedField, untouched } from '../../pipeline/sampling/velocityFields';
import { QUICK_STEPS, quickField } from '../../pipeline/sampling/quickField';
import { sampleAll } from '../../pipeline/sampling/sample';
import { folderFiles, safetensorsFile } from '../files';
import { pictureOf, row, tensorOf, values, valuesNchw, worst, type Row } from './rows';

/** One evaluation of a network in float32. */
const ONCE = 5e-4;
/** Eight guided steps, and those decoded. */
const LATENT = 2e-3;
const PIXELS = 5e-3;

export async function goldenRows(dir: string, baseDir: string): Promise<Row[]> {
  const golden = await safetensorsFile(join(dir, 'golden.safetensors'));
  const { prompts: listed, guidance, steps } = golden.header.metadata;
  const prompts = JSON.parse(listed!) as string[];
  const pictures = prompts.length - 1;
  const base = await loadBase('golden', folderFiles(baseDir));
  const rows: Row[] = [];
  const check = async (name: string, found: ArrayLike<number>, key: string, tolerance: number) => rows.push(row(`base ${name}`, worst(found, await golden.read(key)), tolerance));

  const ids = prompts.map(base.tokenizer.encode);
  await check('ids', ids.flat(), 'ids', 0);
  const { text: textPart, vision, autoencoder } = base.parts;
  const text = await textPart.use((tower) => tower.encode({ clip: ids }));
  await check('context', await values(text.context), 'context', ONCE);
  await check('pooled', await values(text.pooled), 'pooled', ONCE);

  const picture = await pictureOf(golden, 'picture');
  const latent = await autoencoder.use((one) => one.encode(picture));
  await check('picture latent', await valuesNchw(latent), 'picture_latent', ONCE);
  await check('picture embedding', await values(await vision!.use((encoder) => encodeImageAsync(encoder, picture, async () => {}))), 'picture_embeds', ONCE);

  // the networks behind the encoders are fed the golden numbers, so that a row fails for its own reasons only
  const context = await tensorOf<tf.Tensor3D>(golden, 'context');
  const pooled = await tensorOf<tf.Tensor2D>(golden, 'pooled');
  const words = (from: number, count: number): EncodedPrompts => ({ context: tf.slice(context, from, count), pooled: tf.slice(pooled, from, count), at: Array<number>(count).fill(-1) });
  const given = words(0, pictures);
  await check('text embedding', await values(tf.div(given.pooled, tf.norm(given.pooled, 2, 1, true))), 'text_embeds', ONCE);
  const noise = await pictureOf(golden, 'noise');
  const half = tf.mul(tf.add(noise, await pictureOf(golden, 'picture_latent')), 0.5) as tf.Tensor4D;
  const v = await flowing(base, async ({ mmdit }) => velocity(mmdit, { x: half, sigma: Array<number>(pictures).fill(0.5), context: given.context, pooled: given.pooled }, null, null));
  await check('velocity', await valuesNchw(v), 'velocity', ONCE);

  const empty = words(pictures, 1);
  const negative = { context: tf.tile(empty.context, [pictures, 1, 1]), pooled: tf.tile(empty.pooled, [pictures, 1]), at: given.at };
  const final = await flowing(base, (flow) => {
    const field = guidedField(flow, untouched(negative), [{ positive: untouched(given), negative: untouched(negative), weight: 1 }]);
    return sampleAll({ base: flow, field, seeds: [], noise, steps: Number(steps), guidance: Number(guidance) });
  });
  await check(`latent after ${steps} steps`, await valuesNchw(final), `latent_${steps}`, LATENT);
  await check('pixels', await valuesNchw(await autoencoder.use((one) => one.decode(final))), `pixels_${steps}`, PIXELS);
  const { student } = base.parts;
  if (student && golden.has('student_latent')) {
    const all = { complete: given, base: given, target: given, class: given, null: negative, negative };
    const quick = await student.use((lora) => flowing(base, (flow) => sampleAll({ base: flow, field: quickField(flow, all, null, 0, lora), seeds: [], noise, steps: QUICK_STEPS, guidance: 1 })));
    await check(`latent by the student in ${QUICK_STEPS} steps`, await valuesNchw(quick), 'student_latent', LATENT);
  }
  disposeBase(base);
  return rows;
}
