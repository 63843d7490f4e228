/**
 * Which comparisons a fixture folder allows, and their rows. A folder with golden.safetensors checks a whole base; one
 * with config.json is laid out as fixtures/sd3 and each component runs if its files are there. Sizes come from the files.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { goldenRows } from './golden';
import { mmditRows, type FixtureConfig } from './mmdit';
import { pureccRows } from './purecc';
import type { Row } from './rows';
import { samplerRows, type SamplerConfig } from './sampler';
import { tokenizerRows } from './tokenizer';

export interface ParityPaths {
  /** The base that golden.safetensors belongs to. */
  base: string;
  /** CLIP's merge list, gzipped. */
  merges: string;
}

interface Configs { sampler?: SamplerConfig; [model: string]: unknown }

async function sd3Components(dir: string, { merges }: ParityPaths): Promise<(() => Promise<Row[]>)[]> {
  const configs = JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')) as Configs;
  const has = (file: string) => existsSync(join(dir, file));
  const transformers = Object.keys(configs).filter((name) => name.startsWith('mmdit') && has(`${name}.io.safetensors`));
  const layouts = transformers.flatMap((name) => [
    ...(has(`${name}.diffusers.safetensors`) ? [{ name, layout: 'diffusers' as const }] : []),
    ...(has(`${name}.original.safetensors`) ? [{ name, layout: 'original' as const }] : []),
    ...(has(`${name}.original.safetensors`) && has('keymap_mmdit.json') ? [{ name, layout: 'renamed' as const }] : []),
  ]);
  const dual = configs.mmditx as FixtureConfig;
  return [
    ...layouts.map(({ name, layout }) => () => mmditRows(dir, name, layout, configs[name] as FixtureConfig)),
    ...(has('purecc_stage2.json') ? [() => pureccRows(dir, dual)] : []),
    ...(has('sampler.io.safetensors') && configs.sampler ? [() => samplerRows(dir, dual, configs.sampler!)] : []),
    ...(has('tokenizer.json') ? [() => tokenizerRows(dir, merges)] : []),
  ];
}

/** All rows that the folder allows, component by component. Throws where the folder holds nothing to compare. */
export async function parityRows(dir: string, paths: ParityPaths): Promise<Row[]> {
  const components = [
    ...(existsSync(join(dir, 'golden.safetensors')) ? [() => goldenRows(dir, paths.base)] : []),
    ...(existsSync(join(dir, 'config.json')) ? await sd3Components(dir, paths) : []),
  ];
  if (components.length === 0) throw new Error(`${dir} holds neither golden.safetensors nor config.json with fixtures beside it`);
  const rows: Row[] = [];
  for (const component of components) rows.push(...(await component()));
  return rows;
}
