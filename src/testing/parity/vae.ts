/** The autoencoder against its fixtures, in each layout that is there, and with the original file renamed in memory by the key map. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { klMoments, klPixels, meanLatent } from '../../models/vae/kl';
import { disposeKlWeights, loadKlWeights } from '../../models/vae/klWeights';
import type { WeightSource } from '../../models/weightSource';
import { safetensorsFile } from '../files';
import { pictureOf, row, valuesNchw, worst, type Row } from './rows';

/** Of the autoencoder in config.json. */
export interface VaeConfig { scale_factor: number; shift_factor: number; norm_groups: number }

const OUTPUT = 2e-4;
/** Of a byte: a value that lies on the border between two may fall to either side. */
const BYTE = 1;

const PREFIX = 'first_stage_model.';

/** The file's tensors under diffusers' names, as the key map has them. */
async function renamed(source: WeightSource, mapFile: string): Promise<WeightSource> {
  const { map } = JSON.parse(await readFile(mapFile, 'utf8')) as { map: [original: string, diffusers: string, transform: string][] };
  const prefix = source.keys().some((key) => key.startsWith(PREFIX)) ? PREFIX : '';
  const origins = new Map(map.map(([original, name, transform]) => [name, { key: prefix + original, squeezed: transform !== 'none' }]));
  const at = (name: string) => origins.get(name)!;
  return {
    keys: () => [...origins.keys()],
    has: (name) => origins.has(name),
    shape: (name) => (at(name).squeezed ? source.shape(at(name).key).slice(0, 2) : source.shape(at(name).key)),
    read: (name) => source.read(at(name).key),
    readRows: (name, from, to) => source.readRows(at(name).key, from, to),
  };
}

async function compare(name: string, source: WeightSource, config: VaeConfig, io: WeightSource): Promise<Row[]> {
  const { scale_factor, shift_factor, norm_groups } = config;
  const weights = await loadKlWeights(source, { _class_name: 'AutoencoderKL', scaling_factor: scale_factor, shift_factor, norm_num_groups: norm_groups });
  const read = (key: string) => io.read(key);
  const [image, given] = [await pictureOf(io, 'enc.image'), await pictureOf(io, 'dec.latent')];
  const [moments, decoded] = [await klMoments(weights, image), await klPixels(weights, given)];
  const latent = meanLatent(weights, moments);
  const [all, pixels, fromMean] = [await valuesNchw(moments), await valuesNchw(decoded), await valuesNchw(latent)];
  const [mean, raw] = [all.subarray(0, all.length / 2), all.subarray(all.length / 2)]; // the fixture holds one picture
  const logvar = raw.map((value) => Math.min(20, Math.max(-30, value)));
  const eps = await read('enc.eps');
  const sample = mean.map((value, i) => value + Math.exp(logvar[i]! / 2) * eps[i]!);
  const unit = pixels.map((value) => Math.min(1, Math.max(0, value / 2 + 0.5)));
  const rows = [
    row(`${name} moments`, worst(all, await read('enc.moments')), OUTPUT),
    row(`${name} mean`, worst(mean, await read('enc.mean')), OUTPUT),
    row(`${name} logvar`, worst(logvar, await read('enc.logvar')), OUTPUT),
    row(`${name} sample`, worst(sample, await read('enc.sample')), OUTPUT),
    row(`${name} latent`, worst(sample.map((value) => (value - shift_factor) * scale_factor), await read('enc.latent')), OUTPUT),
    row(`${name} latent from mean`, worst(fromMean, await read('enc.latent_from_mean')), OUTPUT),
    row(`${name} decoded`, worst(pixels, await read('dec.image')), OUTPUT),
    row(`${name} bytes, rounded`, worst(unit.map((value) => Math.round(255 * value)), await read('dec.image_u8_round')), BYTE),
    row(`${name} bytes, truncated`, worst(unit.map((value) => Math.floor(255 * value)), await read('dec.image_u8_trunc')), BYTE),
  ];
  [image, given, moments, decoded, latent].forEach((tensor) => tensor.dispose());
  disposeKlWeights(weights);
  return rows;
}

export async function vaeRows(dir: string, config: VaeConfig): Promise<Row[]> {
  const io = await safetensorsFile(join(dir, 'vae.io.safetensors'));
  const rows: Row[] = [];
  for (const layout of ['original', 'diffusers']) {
    const path = join(dir, `vae.${layout}.safetensors`);
    if (!existsSync(path)) continue;
    const source = await safetensorsFile(path);
    rows.push(...(await compare(`vae (${layout})`, source, config, io)));
    const map = join(dir, 'keymap_vae.json');
    if (layout === 'original' && existsSync(map)) rows.push(...(await compare('vae (renamed)', await renamed(source, map), config, io)));
  }
  return rows;
}
