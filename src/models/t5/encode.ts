/**
 * T5 v1.1's encoder: pre-norm layers of attention (its scores are not scaled; a learned number for each distance is added) and of
 * a GELU-gated MLP, RMS norms, no biases. SD3 gives it no mask, so padding is read as well.
 */
import { geluTanh, linear, rmsNorm } from '../../engine/ops';
import { add, matMul, mul, reshape, softmax, tidy, transpose, type Tensor3D, type Tensor4D } from '../../engine/tf';
import { invariant } from '../../engine/invariant';
import { whileResident } from '../mmdit/residency';
import { drain, drainAsync, Hold, type Between, type Steps } from '../steps';
import { tokenRows } from '../tokenTable';
import { positionBias } from './positions';
import type { T5Encoder, T5Layer } from './weights';

/** x [B,N,d] → [B,N,d]. */
function runLayer(layer: T5Layer, x: Tensor3D, bias: Tensor4D, { heads, epsilon }: T5Encoder): Tensor3D {
  const [b, n] = x.shape;
  const inner = layer.q.outFeatures;
  const split = (t: Tensor3D) => transpose(reshape(t, [b, n, heads, inner / heads]), [0, 2, 1, 3]) as Tensor4D; // [B,H,N,hd]
  const given = rmsNorm(x, layer.attentionNorm, epsilon);
  const scores = add(matMul(split(linear(given, layer.q)), split(linear(given, layer.k)), false, true), bias);
  const attended = transpose(matMul(softmax(scores), split(linear(given, layer.v))), [0, 2, 1, 3]);
  const middle = add(x, linear(reshape(attended, [b, n, inner]) as Tensor3D, layer.out)) as Tensor3D;
  const normed = rmsNorm(middle, layer.mlpNorm, epsilon);
  return add(middle, linear(mul(geluTanh(linear(normed, layer.gate)), linear(normed, layer.up)) as Tensor3D, layer.down));
}

function* t5Steps(model: T5Encoder, ids: readonly (readonly number[])[]): Steps<Tensor3D> {
  const [batch, length] = [ids.length, ids[0]?.length ?? 0];
  invariant(batch > 0 && length > 0 && ids.every((row) => row.length === length), 'prompts must have one length');
  const hold = new Hold();
  try {
    const rows = hold.add(yield* tokenRows(model.tokens, ids.flat()));
    const bias = hold.add(positionBias(model.positions, length, model.mostDistance));
    let x = hold.add(tidy(() => reshape(rows, [batch, length, model.width]) as Tensor3D));
    hold.drop(rows);
    for (const [index, layer] of model.layers.entries()) {
      const next = yield* whileResident(model, index, () => hold.add(tidy(() => runLayer(layer, x, bias, model))));
      hold.drop(x);
      x = next;
      yield;
    }
    return tidy(() => rmsNorm(x, model.finalNorm, model.epsilon));
  } finally {
    hold.free();
  }
}

/** ids [B][N], all of one length, any length → hidden states [B,N,width]. The caller disposes. */
export const encodeT5 = (model: T5Encoder, ids: readonly (readonly number[])[]): Tensor3D => drain(t5Steps(model, ids));

/** The same, awaiting `between` after each layer. */
export const encodeT5Async = (model: T5Encoder, ids: readonly (readonly number[])[], between: Between): Promise<Tensor3D> => drainAsync(t5Steps(model, ids), between);
