/**
 * Training steps: of the embedded base, and how a step's time grows with tokens, batch, rank and blocks. A step is the
 * trainer's own, stage 2 with the lamina preset: both branches forwards, one of them back, AdamW on the adapter.
 * Weights, latents and words are random: the shapes decide the time.
 */
import type { Compute } from '../../engine/backend';
import { methods } from '../../methods';
import { disposeMmdit, loadMmdit } from '../../models/mmdit';
import type { EncodedPrompts } from '../../pipeline/base';
import { disposeDataset, type Dataset } from '../../pipeline/training/dataset';
import { createTrainer } from '../../pipeline/training/train';
import { defaultRecipe, type RecipeOf } from '../../protocol/recipe';
import { settled, someTensor } from '../forms';
import { asTensors, randomSource, type ModelSize } from '../model';
import { stockForm } from '../rivals/stockTfjs';
import type { Form, Row } from '../row';
import type { LatentShape } from '../../pipeline/sizes';

export interface StepSize {
  model: ModelSize;
  /** Latent side; a quarter of its square are the picture's tokens. */
  side: number;
  textTokens: number;
  batch: number;
  rank: number;
  sites: RecipeOf<'purecc'>['sites'];
}

/** As public/base/transformer/config.json says. */
const embeddedModel: ModelSize = { hidden: 256, heads: 4, depth: 6, channels: 16, patch: 2, contextWidth: 192, pooledWidth: 192, positionSide: 16 };
export const embeddedStep: StepSize = { model: embeddedModel, side: 16, textTokens: 24, batch: 2, rank: 16, sites: 'attention+mlp' };

const PICTURES = 4;

function words({ model, textTokens }: StepSize, at: number, seed: number): EncodedPrompts {
  return { context: someTensor([PICTURES, textTokens, model.contextWidth], seed), pooled: someTensor([PICTURES, model.pooledWidth], seed + 1), at: new Array<number>(PICTURES).fill(at) };
}

/** A trainer that stands at the beginning of stage 2; one repetition is one step. */
export async function stepForm(size: StepSize, weights: 'packed' | 'tensors' = 'packed'): Promise<Form> {
  const loaded = await loadMmdit(randomSource(size.model));
  const mmdit = weights === 'tensors' ? asTensors(loaded) : loaded;
  const { side, batch, rank, sites } = size;
  const dataset: Dataset = {
    latents: someTensor([PICTURES, side, side, size.model.channels], 3),
    pictures: PICTURES,
    unshifted: PICTURES,
    words: { complete: words(size, 2, 10), base: words(size, -1, 20), target: words(size, 1, 30), class: words(size, -1, 40), null: words(size, -1, 50), prior: words(size, -1, 60) },
  };
  const recipe = { ...defaultRecipe('lamina'), classWord: 'dog', batchSize: batch, rank, sites, stage1Steps: 1, stage2Steps: 1e9 };
  const base = { mmdit, shift: 1, latentShape: () => [side, side, size.model.channels] as LatentShape };
  const trainer = await createTrainer({ base, method: methods.purecc, recipe, dataset });
  const steps = trainer.steps();
  await steps.next(); // all of stage 1
  return {
    run: () => steps.next(),
    sync: settled,
    dispose: () => {
      trainer.dispose();
      disposeDataset(dataset);
      disposeMmdit(mmdit);
    },
  };
}

const says = ({ model, side, textTokens, batch, rank, sites }: StepSize) =>
  `${(side / model.patch) ** 2}+${textTokens} tokens, batch ${batch}, rank ${rank}${sites === 'attention' ? '' : ' with MLPs'}, ${model.depth} blocks of ${model.hidden}`;

const stepRow = (name: string, size: StepSize, rival: Row['rival'] = null): Row => ({ name, shape: says(size), flops: 0, bytes: 0, ours: () => stepForm(size), rival });

/** Against tfjs as it comes, and on wasm also against its kernels under our ops, which transpose weights once and for all. */
export function stepRows({ backend }: Pick<Compute, 'backend'>): Row[] {
  const whole = { ...stepRow('step of the embedded base', embeddedStep, { name: 'tfjs kernels and products', open: () => stockForm(() => stepForm(embeddedStep, 'tensors')) }), howeverLong: backend === 'wasm' };
  return backend === 'wasm' ? [whole, stepRow('step of the embedded base', embeddedStep, { name: 'tfjs kernels alone', open: () => stockForm(() => stepForm(embeddedStep)) })] : [whole];
}

/** One size changes at a time. Small models where the adapter is software, SD3.5-Medium's width elsewhere. */
export function scalingRows({ software }: Pick<Compute, 'software'>): Row[] {
  const [hidden, heads, depth, textTokens] = software ? [128, 2, 2, 24] : [1536, 24, 2, 154];
  const model: ModelSize = { hidden, heads, depth, channels: 16, patch: 2, contextWidth: software ? 192 : 4096, pooledWidth: software ? 192 : 2048, positionSide: 64 };
  const plain: StepSize = { model, side: software ? 16 : 32, textTokens, batch: 2, rank: 4, sites: 'attention' };
  const vary = (name: string, changes: Partial<StepSize>[]) => changes.map((change) => stepRow(`step against ${name}`, { ...plain, ...change }));
  return [
    ...vary('tokens', (software ? [8, 16, 24, 32] : [16, 32, 48, 64]).map((side) => ({ side }))),
    ...vary('batch', [1, 2, 4, 8].map((batch) => ({ batch }))),
    ...vary('rank', [1, 4, 16, 64].map((rank) => ({ rank }))),
    ...vary('blocks', [1, 2, 4, 8].map((blocks) => ({ model: { ...model, depth: blocks } }))),
  ];
}
