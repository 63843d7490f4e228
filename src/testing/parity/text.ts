/** The text encoders against their fixtures: every output, both pooling rules with an added token, T5's hidden states. */
import { join } from 'node:path';
import * as tf from '../../engine/tf';
import { disposeClipText, encodeText, encodeTextAsync, loadClipText, type EncodedText } from '../../models/clip';
import { disposeT5, encodeT5Async, loadT5 } from '../../models/t5';
import { safetensorsFile } from '../files';
import { idsOf, relative, tensorOf, values, worst, type Row } from './rows';
import { GAIN, type Weighing } from './weighing';

const OUTPUT = 2e-4;

const RULES = [['argmax', 'largest-id'], ['first_eos', 'first-end']] as const;
const free = ({ context, pooled, lastNormed }: EncodedText) => tf.dispose([context, pooled, lastNormed]);
const meanSquare = (found: Float32Array, wanted: Float32Array) => found.reduce((sum, value, i) => sum + (value - wanted[i]!) ** 2, 0) / found.length;

/** One CLIP text encoder, `clip_l` or `clip_g`. */
export async function clipRows(dir: string, name: string, config: unknown, by: Weighing): Promise<Row[]> {
  const io = await safetensorsFile(join(dir, 'clip.io.safetensors'));
  const read = (key: string) => io.read(`${name}.${key}`);
  const model = await loadClipText(await safetensorsFile(join(dir, `${name}.safetensors`)), config, by.layer && { layer: by.layer });
  const width = model.tokens.width;
  const passed = { blocks: model.layers.length, gain: GAIN.clip };
  const output = async (what: string, found: ArrayLike<number>, key = what) => by.row(`${name} ${what}`, found, await read(key), { error: worst, tolerance: OUTPUT }, passed);
  const ids = await idsOf(io, `${name}.ids`);
  const encoded = await encodeTextAsync(model, ids, async () => {});
  const lastNormed = await values(encoded.lastNormed);
  const length = ids[0]!.length;
  const raw = ids.flatMap((row, b) => [...lastNormed.subarray((b * length + row.indexOf(model.endId)) * width, (b * length + row.indexOf(model.endId) + 1) * width)]);
  const rows = [
    await output('penultimate', await values(encoded.context)),
    await output('last normed', lastNormed, 'last_normed'),
    await output('pooled, raw', raw, 'pooled_raw'),
    await output('pooled, projected', await values(encoded.pooled), 'pooled_projected'),
  ];
  free(encoded);
  if (io.has(`${name}.concept.ids`)) {
    const added = await tensorOf<tf.Tensor2D>(io, `${name}.concept.row`);
    for (const [rule, pooling] of RULES) {
      const concept = encodeText(model, await idsOf(io, `${name}.concept.ids`), { added, pooling });
      const [context, pooled] = [await values(concept.context), await values(concept.pooled)];
      const loss = meanSquare(context, await read('concept.target_hidden')) + meanSquare(pooled, await read('concept.target_pooled'));
      rows.push(
        await output(`concept, penultimate (${rule})`, context, 'concept.penultimate'),
        await output(`concept, pooled (${rule})`, pooled, `concept.pooled_projected.${rule}`),
        by.row(`${name} concept, loss (${rule})`, [loss], await read(`concept.loss.${rule}`), { error: relative, tolerance: 1e-4 }, passed),
      );
      free(concept);
    }
    added.dispose();
  }
  disposeClipText(model);
  return rows;
}

export async function t5Rows(dir: string, config: unknown, by: Weighing): Promise<Row[]> {
  const io = await safetensorsFile(join(dir, 't5.io.safetensors'));
  const model = await loadT5(await safetensorsFile(join(dir, 't5.safetensors')), config, by.layer && { layer: by.layer });
  const hidden = await encodeT5Async(model, await idsOf(io, 'ids'), async () => {});
  const rows = [by.row('t5 hidden states', await values(hidden), await io.read('hidden'), { error: worst, tolerance: OUTPUT }, { blocks: model.layers.length, gain: GAIN.t5 })];
  hidden.dispose();
  disposeT5(model);
  return rows;
}
