/** The whole chain, ids to pixels, through the pipeline's own tower, sampler and autoencoder: with T5, with zero tokens in its place, with none. */
import { join } from 'node:path';
import * as tf from '../../engine/tf';
import { loadClipText } from '../../models/clip';
import { disposeMmdit } from '../../models/mmdit';
import { loadT5 } from '../../models/t5';
import { sd3Tower } from '../../models/text';
import { klPixels } from '../../models/vae/kl';
import { disposeKlWeights, loadKlWeights } from '../../models/vae/klWeights';
import type { EncodedPrompts } from '../../pipeline/base';
import { eulerSigmas } from '../../pipeline/flow';
import { guidedField, untouched } from '../../pipeline/sampling/velocityFields';
import { sampleAll } from '../../pipeline/sampling/sample';
import type { LatentShape } from '../../pipeline/sizes';
import { safetensorsFile } from '../files';
import { anyMmdit, type FixtureConfig } from './mmdit';
import { idsOf, pictureOf, values, valuesNchw, worst, type Row } from './rows';
import type { VaeConfig } from './vae';
import { openTrainedLora } from './trainedLora';
import { GAIN, type Passed, type Weighing } from './weighing';

const ENCODED = 2e-4;
/** Eight guided steps. */
const LATENT = 1e-3;
/** Those decoded. */
const PIXELS = 2e-3;
const BYTE = 1;
const SIGMA = 1e-6;

export interface EndToEndConfigs { mmditx: FixtureConfig; vae: VaeConfig; clip_l: { pad_token_id?: number }; clip_g: { pad_token_id?: number }; t5: unknown; sampler: { shift: number } }

/** Behind CLIP's tokens: T5, that many zero tokens, none. */
const MODES = ['with_t5', 'without_t5', 'clip_only'] as const;

export async function endToEndRows(dir: string, configs: EndToEndConfigs, by: Weighing): Promise<Row[]> {
  const at = (name: string) => safetensorsFile(join(dir, `${name}.safetensors`));
  const io = await at('e2e.io');
  const steps = Number(io.header.metadata.steps);
  const guidance = Number(io.header.metadata.cfg_scale);
  const mmdit = await anyMmdit(dir, 'mmditx', configs.mmditx, by.layer);
  const vae = await loadKlWeights(await at('vae.original'), { scaling_factor: configs.vae.scale_factor, shift_factor: configs.vae.shift_factor, norm_num_groups: configs.vae.norm_groups });
  const options = by.layer && { layer: by.layer };
  const clip = await Promise.all((['clip_l', 'clip_g'] as const).map(async (name) => {
    const encoder = await loadClipText(await at(name), configs[name], options);
    return { encoder, padId: configs[name].pad_token_id ?? (name === 'clip_g' ? 0 : encoder.endId) };
  }));
  const tokens = { clip: await idsOf(io, 'clip_l.ids'), t5: await idsOf(io, 't5.ids') };
  const noise = await pictureOf(io, 'noise');
  const { contextWidth } = mmdit.config;
  const t5 = await loadT5(await at('t5'), configs.t5, options);
  const base = { mmdit, shift: configs.sampler.shift, latentShape: () => noise.shape.slice(1) as LatentShape };
  const lora = await openTrainedLora(dir, mmdit);
  const drawn = { blocks: mmdit.config.depth, gain: GAIN.drawn };
  const spoken = { blocks: Math.max(...clip.map(({ encoder }) => encoder.layers.length)), gain: GAIN.clip };
  const rows: Row[] = [by.row('e2e sigmas', eulerSigmas(steps, base.shift), await io.read('sigmas'), { error: worst, tolerance: SIGMA }, { blocks: 0, gain: 0 })];

  for (const mode of MODES) {
    if (!io.has(`${mode}.latent`)) continue;
    const tower = sd3Tower({ clip, t5: mode === 'with_t5' ? t5 : null, contextWidth, zeroTokens: mode === 'without_t5' ? tokens.t5[0]!.length : 0 });
    const { context, pooled } = await tower.encode(tokens);
    const encoded = async (what: string, found: Float32Array, key: string, passed: Passed) => rows.push(by.row(`e2e ${mode} ${what}`, found, await io.read(key), { error: worst, tolerance: ENCODED }, passed));
    if (io.has(`${mode}.prompt_embeds`)) await encoded('text tokens', await values(context), `${mode}.prompt_embeds`, { blocks: t5.layers.length, gain: GAIN.t5 });
    await encoded('pooled', await values(pooled), 'pooled', spoken);
    const prompt = (row: number): EncodedPrompts => ({ context: tf.slice(context, row, 1), pooled: tf.slice(pooled, row, 1), at: [-1] });
    const [positive, negative] = [untouched(prompt(0)), untouched(prompt(1))];
    const final = await sampleAll({ base, field: guidedField(base, negative, [{ positive, negative, weight: 1 }]), seeds: [], noise, steps, guidance });
    rows.push(by.row(`e2e ${mode} latent`, await valuesNchw(final), await io.read(`${mode}.latent`), { error: worst, tolerance: LATENT }, drawn));
    for (const [where, field] of Object.entries(lora?.fields ?? {})) {
      const latent = await sampleAll({ base, field: field(base, prompt(0), prompt(1)), seeds: [], noise, steps, guidance });
      rows.push(by.row(`e2e ${mode} latent with a LoRA trained here, as drawn ${where}`, await valuesNchw(latent), await lora!.golden.read(`${mode}.${where}`), { error: worst, tolerance: LATENT }, drawn));
      latent.dispose();
    }
    const decoded = await klPixels(vae, final);
    const pixels = await valuesNchw(decoded);
    rows.push(by.row(`e2e ${mode} picture`, pixels, await io.read(`${mode}.image`), { error: worst, tolerance: PIXELS }, drawn));
    const bytes = pixels.map((value) => Math.round(255 * Math.min(1, Math.max(0, value / 2 + 0.5))));
    rows.push(by.row(`e2e ${mode} bytes`, bytes, await io.read(`${mode}.image_u8_round`), { error: worst, tolerance: BYTE }, drawn));
    tf.dispose([context, pooled, positive.words.context, positive.words.pooled, negative.words.context, negative.words.pooled, final, decoded]);
  }
  sd3Tower({ clip, t5, contextWidth }).dispose();
  lora?.dispose();
  disposeMmdit(mmdit);
  disposeKlWeights(vae);
  noise.dispose();
  return rows;
}
