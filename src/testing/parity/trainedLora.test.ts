import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors } from '../../formats/safetensors';
import { writeSafetensors, type PlainTensor } from '../../formats/safetensorsWriter';
import * as tf from '../../engine/tf';
import { disposeMmdit, type Mmdit } from '../../models/mmdit';
import type { EncodedPrompts, FlowBase } from '../../pipeline/base';
import { sampleAll } from '../../pipeline/sampling/sample';
import { useBackend } from '../backend';
import { safetensorsFile } from '../files';
import { anyMmdit, type FixtureConfig } from './mmdit';
import { pictureOf, tensorOf, valuesNchw, worst } from './rows';
import { openTrainedLora } from './trainedLora';

const DIR = 'fixtures/sd3';
let mmdit: Mmdit;
let base: FlowBase;
let noise: tf.Tensor4D;
let prompts: EncodedPrompts[];

type Tensors = Record<string, PlainTensor>;

beforeAll(async () => {
  await useBackend('wasm');
  const config = JSON.parse(await readFile(`${DIR}/config.json`, 'utf8')) as { mmditx: FixtureConfig };
  const io = await safetensorsFile(`${DIR}/e2e.io.safetensors`);
  mmdit = await anyMmdit(DIR, 'mmditx', config.mmditx);
  noise = await pictureOf(io, 'noise');
  base = { mmdit, shift: 3, latentShape: () => noise.shape.slice(1) as [number, number, number] };
  const [context, pooled] = [await tensorOf<tf.Tensor3D>(io, 'with_t5.prompt_embeds'), await tensorOf<tf.Tensor2D>(io, 'pooled')];
  prompts = [0, 1].map((row) => ({ context: tf.slice(context, row, 1), pooled: tf.slice(pooled, row, 1), at: [-1] }));
  tf.dispose([context, pooled]);
});
afterAll(() => {
  tf.dispose([noise, ...prompts.flatMap(({ context, pooled }) => [context, pooled])]);
  disposeMmdit(mmdit);
});

/** How far the app's latents are from the reference's, drawn with a file as it is or changed. */
async function apart(file: string, change: (tensors: Tensors, metadata: Record<string, string>) => void = () => {}): Promise<Record<string, number>> {
  const source = openSafetensors(new Uint8Array(await readFile(`${DIR}/${file}.safetensors`)));
  const tensors = Object.fromEntries(await Promise.all(source.keys().map(async (key) => [key, { shape: [...source.shape(key)], data: await source.read(key) }] as const)));
  const metadata = { ...source.header.metadata };
  change(tensors, metadata);
  const lora = (await openTrainedLora(DIR, mmdit, new Blob([writeSafetensors(tensors, metadata)])))!;
  const off: Record<string, number> = {};
  try {
    for (const [where, field] of Object.entries(lora.fields)) {
      const latent = await sampleAll({ base, field: field(base, prompts[0]!, prompts[1]!), seeds: [], noise, steps: 8, guidance: 4 });
      off[where] = worst(await valuesNchw(latent), await lora.golden.read(`with_t5.${where}`));
      latent.dispose();
    }
  } finally {
    lora.dispose();
  }
  return off;
}

const rename = (tensors: Tensors, from: string, to: string) => {
  tensors[to] = tensors[from]!;
  delete tensors[from];
};
const swap = (tensors: Tensors, one: string, other: string) => { [tensors[one], tensors[other]] = [tensors[other]!, tensors[one]!]; };
const peft = (site: string, half: 'A' | 'B') => `transformer.transformer_blocks.0.${site}.lora_${half}.weight`;
const kohya = (part: string) => `lora_unet_joint_blocks_0_x_block_attn_qkv.${part}`;

describe('a LoRA learned here, drawn by the reference and here', () => {
  it.each(['trained_lora', 'trained_lora_kohya'])('is the same latent from %s', async (file) => {
    const { elsewhere, here } = await apart(file);
    expect(elsewhere).toBeLessThan(1e-4);
    expect(here).toBeLessThan(1e-4);
  });

  it.each<[string, string, Parameters<typeof apart>[1]]>([
    ['alpha in the header', 'trained_lora', (_, metadata) => { metadata.lora_adapter_metadata = metadata.lora_adapter_metadata!.replace('"transformer.lora_alpha":4', '"transformer.lora_alpha":8'); }],
    ['q for k', 'trained_lora', (tensors) => (['A', 'B'] as const).forEach((half) => swap(tensors, peft('attn.to_q', half), peft('attn.to_k', half)))],
    ['a context layer for an image layer', 'trained_lora', (tensors) => (['A', 'B'] as const).forEach((half) => swap(tensors, peft('attn.to_out.0', half), peft('attn.to_add_out', half)))],
    ['a layer that is not there', 'trained_lora', (tensors) => (['A', 'B'] as const).forEach((half) => delete tensors[peft('attn.to_v', half)])],
    ['a third of alpha', 'trained_lora_kohya', (tensors) => { tensors[kohya('alpha')] = { shape: [], data: Float32Array.of(4) }; }],
    ['thirds of q, k, v in another order', 'trained_lora_kohya', (tensors) => {
      const { data } = tensors[kohya('lora_up.weight')]!;
      const third = data.length / 3;
      data.set([...data.subarray(third, 2 * third), ...data.subarray(0, third)]);
    }],
  ])('is another with %s', async (_, file, change) => {
    const { elsewhere, here } = await apart(file, change);
    expect(elsewhere).toBeGreaterThan(5e-3);
    expect(here).toBeGreaterThan(5e-3);
  });

  it('is not drawn at all with a key that names no layer', async () => {
    await expect(apart('trained_lora', (tensors) => rename(tensors, peft('attn.to_q', 'A'), peft('attn.to_queries', 'A')))).rejects.toThrow('attn.to_queries');
  });
});
