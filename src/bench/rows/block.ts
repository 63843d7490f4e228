/**
 * One joint block as SD3.5-Medium has them at 512²: width 1536, 24 heads of 64, 1024 picture and 154 text tokens, LoRA of
 * rank 4 on its eight projections; forward and back to its inputs and its adapter, as the block driver does it.
 * With weights of each precision; on wasm a packed block is unpacked before, as the block driver does.
 */
import { blockSites } from '../../models/mmdit/block';
import { blockStep } from '../../models/mmdit/forward';
import { disposeLinear, residentLinear } from '../../engine/ops/linear';
import type { Packing } from '../../formats/packing';
import * as tf from '../../engine/tf';
import { vjpOf } from '../../engine/vjp';
import { blockLayers, type Adapter, type BlockWeights, type Mmdit, type MmditConfig } from '../../models/mmdit';
import { settled, someTensor } from '../forms';
import { randomBlock, type Kept } from '../model';
import { stockForm } from '../rivals/stockTfjs';
import type { Form, Row } from '../row';

const config: MmditConfig = {
  depth: 24, hidden: 1536, heads: 24, headWidth: 64, patch: 2, channels: 16, outChannels: 16, contextWidth: 4096, pooledWidth: 2048, positionSide: 384, qkNorm: true, dualAttention: [],
};
const PICTURE = 1024, TEXT = 154, RANK = 4;

/** Products of one pass: four projections, the MLP's two, of width d over N+T tokens, and attention. The way back to the inputs takes two for attention, one for frozen weights. */
function flops(): number {
  const { hidden: d } = config;
  const tokens = PICTURE + TEXT;
  const layers = 2 * tokens * d * d * (4 + 8);
  const attention = 4 * tokens * tokens * d;
  return 2 * layers + 3 * attention;
}

function disposeBlock(block: BlockWeights): void {
  blockLayers(block).forEach(disposeLinear);
  for (const { attention } of [block.x, block.context]) tf.dispose([attention.normQ!, attention.normK!]);
}

export function blockForm(kept: Kept): Form {
  const block = randomBlock(config, kept);
  blockLayers(block).forEach(residentLinear);
  const { hidden } = config;
  const sites = blockSites(block, 'attention');
  const pairs = sites.map(({ layer }, i) => ({ a: someTensor<tf.Tensor2D>([layer.inFeatures, RANK], 60 + i), b: someTensor<tf.Tensor2D>([RANK, layer.outFeatures], 80 + i) }));
  const inputs: Record<string, tf.Tensor> = { x: someTensor([1, PICTURE, hidden], 1), y: someTensor([1, TEXT, hidden], 2) };
  const c = someTensor<tf.Tensor2D>([1, hidden], 3);
  const dys = [someTensor([1, PICTURE, hidden], 4), someTensor([1, TEXT, hidden], 5)];
  sites.forEach(({ name }, i) => Object.assign(inputs, { [`${name}.a`]: pairs[i]!.a, [`${name}.b`]: pairs[i]!.b }));
  // blockStep reads of the model nothing but its config
  const model = { config } as Mmdit;
  return {
    run: () => {
      const { outputs, pullback } = vjpOf(inputs, (given) => {
        const adapter: Adapter = Object.fromEntries(sites.map(({ name }) => [name, { a: given[`${name}.a`] as tf.Tensor2D, b: given[`${name}.b`] as tf.Tensor2D, scale: 1 }]));
        return blockStep(model, block, { x: given['x'] as tf.Tensor3D, y: given['y'] as tf.Tensor3D, c, row: null, others: [], adapter, cross: null }, null);
      });
      tf.dispose(Object.values(pullback(dys)).filter((dx) => dx !== null));
      tf.dispose(outputs);
    },
    sync: settled,
    dispose: () => {
      tf.dispose([...Object.values(inputs), c, ...dys]);
      disposeBlock(block);
    },
  };
}

export function blockRows(): Row[] {
  const precisions: Packing[] = [{ precision: 'f32' }, { precision: 'f16' }, { precision: 'int8' }, { precision: 'int4', group: 64 }];
  return precisions.map((packing) => ({
    name: `block of SD3.5-Medium, ${packing.precision}`, shape: `${PICTURE}+${TEXT} tokens, width ${config.hidden}, ${config.heads} heads, rank ${RANK}`, flops: flops(), bytes: 0,
    ours: () => blockForm(packing),
    rival: { name: 'tfjs kernels, f32', open: () => stockForm(() => blockForm('tensor')) },
  }));
}
