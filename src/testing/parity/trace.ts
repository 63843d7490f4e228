/** The transformer's intermediate values, and the gradients of the weights that a LoRA may train, against their fixtures. */
import * as tf from '../../engine/tf';
import { linear } from '../../engine/ops';
import { originalKey } from '../../models/mmdit/keys';
import { loraSites, velocityVjp, type Adapter, type Mmdit, type MmditInput } from '../../models/mmdit';
import { begin, blockStep, othersAt, tidyAll } from '../../models/mmdit/forward';
import { embedPatches, finalTokens, pooledVector, timeVector } from '../../models/mmdit/ends';
import { whileResident } from '../../models/mmdit/residency';
import { drain, Hold, type Steps } from '../../models/steps';
import type { WeightSource } from '../../models/weightSource';
import { relative, values, worst, type Row } from './rows';
import { GAIN, type Weighing } from './weighing';

/** blocks: how many it has passed through. */
interface Intermediate { name: string; tensor: tf.Tensor; blocks: number }

/** Name of each intermediate and its tensor, as they come about. */
function* intermediates(model: Mmdit, input: MmditInput): Steps<Intermediate[]> {
  const hold = new Hold();
  const found: Intermediate[] = [];
  const note = (name: string, tensor: tf.Tensor, blocks = 0) => found.push({ name, tensor, blocks });
  try {
    note('t_emb', tf.tidy(() => timeVector(model, input.sigma)));
    note('y_emb', tf.tidy(() => pooledVector(model, input.pooled)));
    note('c', tf.add(found[0]!.tensor, found[1]!.tensor));
    note('x_embed', tf.tidy(() => embedPatches(model, input.x)));
    note('context_embed', tf.tidy(() => linear(input.context, model.contextEmbed)));
    const start = begin(model, input, null, null, hold);
    let { x, y } = start;
    for (const w of model.blocks) {
      const given = { x, y, c: start.c, row: null, others: othersAt(start, w.index), adapter: null, cross: null };
      const [nextX, nextY] = yield* whileResident(model, w.index, () => tidyAll(() => blockStep(model, w, given, null)));
      hold.drop(x, y);
      x = hold.add(nextX!);
      note(`block${w.index}.x`, tf.clone(x), w.index + 1);
      if (nextY) {
        y = hold.add(nextY);
        note(`block${w.index}.context`, tf.clone(y), w.index + 1);
      }
    }
    note('final_tokens', tf.tidy(() => finalTokens(model, x, start.c)), model.blocks.length);
    return found;
  } finally {
    hold.free();
  }
}

/** Rows of every `trace.*` that the fixture has; one that the model doesn't give fails. */
export async function traceRows(name: string, model: Mmdit, input: MmditInput, io: WeightSource, tolerance: number, by: Weighing): Promise<Row[]> {
  const found = drain(intermediates(model, input));
  const rows: Row[] = [];
  for (const key of io.keys().filter((each) => each.startsWith('trace.'))) {
    const one = found.find((each) => `trace.${each.name}` === key);
    rows.push(by.row(`${name} ${key}`, one ? await values(one.tensor) : [], await io.read(key), { error: worst, tolerance }, { blocks: one?.blocks ?? 0, gain: GAIN.transformer }));
  }
  found.forEach(({ tensor }) => tensor.dispose());
  return rows;
}

/** [rows,columns] → [columns,rows] of a tensor's values. */
async function turned(tensor: tf.Tensor2D): Promise<Float32Array> {
  const other = tf.transpose(tensor);
  const read = await values(other);
  other.dispose();
  return read;
}

/**
 * Gradients of whole weights by way of LoRA: with A the unit matrix and B = 0 the layer is unchanged, and B's gradient is the weight's.
 * Only layers that may carry a LoRA have one; the fixture's other `grad.weight.*` belong to weights that are never trained here.
 */
export async function weightGradientRows(name: string, model: Mmdit, input: MmditInput, dv: tf.Tensor4D, io: WeightSource, tolerance: number, by: Weighing): Promise<Row[]> {
  const sites = loraSites(model, 'attention+mlp').map((site) => ({ ...site, origin: originalKey(`${site.name}.weight`, 'grad.weight.', model.config.depth) }));
  const wanted = sites.filter(({ origin }) => io.keys().includes(origin.key));
  const adapter: Adapter = Object.fromEntries(wanted.map(({ name: site, inFeatures, outFeatures }) => [site, { a: tf.eye(inFeatures), b: tf.zeros([inFeatures, outFeatures]) as tf.Tensor2D, scale: 1 }]));
  const run = velocityVjp(model, input, adapter, null, { recompute: true, wantRows: false });
  run.velocity.dispose();
  const gradients = run.pullback(dv).sites;
  const rows: Row[] = [];
  for (const key of new Set(wanted.map(({ origin }) => origin.key))) {
    const parts = wanted.filter(({ origin }) => origin.key === key).sort((a, b) => (a.origin.part?.index ?? 0) - (b.origin.part?.index ?? 0));
    const found: number[] = [];
    for (const { name: site } of parts) found.push(...(await turned(gradients[site]!.b)));
    rows.push(by.row(`${name} ${key}`, found, await io.read(key), { error: relative, tolerance }, { blocks: model.config.depth, gain: GAIN.gradients }));
  }
  for (const { a, b } of [...Object.values(gradients), ...Object.values(adapter)]) tf.dispose([a, b]);
  return rows;
}
