/**
 * Which comparisons a fixture folder allows, and their rows. A folder with golden.safetensors checks a whole base, with model.safetensors
 * beside it a picture adapter (also in its subfolders); one with config.json is laid out as fixtures/sd3 and each component runs if its
 * files are there. Sizes come from the files.
 */
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { adapterRows, isAdapterFolder } from './adapter';
import { endToEndRows, type EndToEndConfigs } from './endToEnd';
import { goldenRows } from './golden';
import { loraRows } from './lora';
import { mmditRows, type FixtureConfig } from './mmdit';
import { pureccRows } from './purecc';
import type { Row } from './rows';
import { conceptGradientRows, stage1Rows } from './stage1';
import { samplerRows, type SamplerConfig } from './sampler';
import { clipRows, t5Rows } from './text';
import { tokenizerRows } from './tokenizer';
import { trainedLoraRows } from './trainedLora';
import { vaeRows, type VaeConfig } from './vae';
import { weighing, type WeightChoice } from './weighing';

export interface ParityPaths {
  /** The base that golden.safetensors belongs to. */
  base: string;
  /** CLIP's merge list, gzipped. */
  merges: string;
  /** What the linear layers are packed to; float32 by default. Packed, only what has such layers is compared. */
  weights?: WeightChoice;
}

interface Configs { sampler?: SamplerConfig; [model: string]: unknown }

async function sd3Components(dir: string, { merges, weights = 'f32' }: ParityPaths): Promise<(() => Promise<Row[]>)[]> {
  const configs = JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')) as Configs;
  const has = (...files: string[]) => files.every((file) => existsSync(join(dir, file)));
  const tensors = (...names: string[]) => has(...names.map((name) => `${name}.safetensors`));
  const by = weighing(weights);
  const transformers = Object.keys(configs).filter((name) => name.startsWith('mmdit') && tensors(`${name}.io`));
  const layouts = transformers.flatMap((name) => [
    ...(tensors(`${name}.diffusers`) ? [{ name, layout: 'diffusers' as const }] : []),
    ...(tensors(`${name}.original`) ? [{ name, layout: 'original' as const }] : []),
    ...(tensors(`${name}.original`) && has('keymap_mmdit.json') ? [{ name, layout: 'renamed' as const }] : []),
  ]);
  const dual = configs.mmditx as FixtureConfig;
  const packable = [
    ...layouts.map(({ name, layout }) => () => mmditRows(dir, name, layout, configs[name] as FixtureConfig, by)),
    ...Object.keys(configs).filter((name) => name.startsWith('clip_') && tensors(name, 'clip.io')).map((name) => () => clipRows(dir, name, configs[name], by)),
    ...(tensors('t5', 't5.io') ? [() => t5Rows(dir, configs.t5, by)] : []),
    ...(tensors('e2e.io', 't5', 'clip_l', 'clip_g', 'vae.original') && configs.sampler ? [() => endToEndRows(dir, configs as unknown as EndToEndConfigs, by)] : []),
    ...(has('purecc_stage2.json') ? [() => pureccRows(dir, dual, by)] : []),
    ...(has('sampler.io.safetensors') && configs.sampler ? [() => samplerRows(dir, dual, configs.sampler!, by)] : []),
    ...(has('lora.io.safetensors') ? [() => loraRows(dir, dual, by)] : []),
    ...(has('concept_stage1.json') && tensors('concept_stage1.io', 'clip_l', 'clip_g') ? [() => stage1Rows(dir, configs as unknown as Parameters<typeof stage1Rows>[1], by)] : []),
    ...(['clip_l', 'clip_g'] as const).filter((name) => configs[name] && tensors(name, 'clip.io')).map((name) => () => conceptGradientRows(dir, name, configs[name], by)),
  ];
  if (weights !== 'f32') return packable;
  return [
    ...packable,
    ...(tensors('vae.io') ? [() => vaeRows(dir, configs.vae as VaeConfig)] : []),
    ...(tensors('trained_lora', 'purecc_stage2.io') ? [() => trainedLoraRows(dir, dual)] : []),
    ...(has('tokenizer.json') ? [() => tokenizerRows(dir, merges)] : []),
  ];
}

/** All rows that the folder allows, component by component. Throws where the folder holds nothing to compare. */
export async function parityRows(dir: string, paths: ParityPaths): Promise<Row[]> {
  const adapters = [dir, ...readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => join(dir, name)).sort()].filter(isAdapterFolder);
  const components = [
    ...((paths.weights ?? 'f32') === 'f32' ? adapters.map((each) => () => adapterRows(each, paths.base)) : []),
    ...(existsSync(join(dir, 'golden.safetensors')) && !adapters.includes(dir) && (paths.weights ?? 'f32') === 'f32' ? [() => goldenRows(dir, paths.base)] : []),
    ...(existsSync(join(dir, 'config.json')) ? await sd3Components(dir, paths) : []),
  ];
  if (components.length === 0) throw new Error(`${dir} holds neither golden.safetensors nor config.json with fixtures beside it`);
  const rows: Row[] = [];
  for (const component of components) rows.push(...(await component()));
  return rows;
}
