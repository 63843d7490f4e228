/** Reads a picture adapter's file: kind, base and tower layers from its metadata, all sizes from its tensors. */
import { disposeLinear } from '../../engine/ops';
import { tensor2d } from '../../engine/tf';
import { Fault } from '../../protocol/faults';
import { disposeNorm, readNorm } from '../clip/layers';
import { loraSites, type Adapter, type Mmdit } from '../mmdit';
import { disposeCrossAttention, expectCrossFits, readCrossAttention, wholeHeads } from '../mmdit/crossWeights';
import { transposed, WeightReader, type LayerMaker } from '../weights';
import type { WeightSource } from '../weightSource';
import type { AdapterKind, PictureAdapter, Resampler, ResamplerLayer } from './types';

const AT = 'resampler.';
const misfit = (found: string, subject: string) => new Fault('base-mismatch', found, 'Use an adapter file made for this model.', { subject });

async function layer(reader: WeightReader, index: number, width: number, make: LayerMaker | undefined): Promise<ResamplerLayer> {
  const at = `${AT}layers.${index}.`;
  const wide = reader.shape(`${at}ff.0.weight`)[0]!;
  return {
    normContext: await readNorm(reader, `${at}norm_context`, width), normLatents: await readNorm(reader, `${at}norm_latents`, width),
    q: await reader.linear(`${at}to_q`, width, width, false, make), kv: await reader.linear(`${at}to_kv`, width, 2 * width, false, make), out: await reader.linear(`${at}to_out`, width, width, false, make),
    normMlp: await readNorm(reader, `${at}norm_ff`, width),
    up: await reader.linear(`${at}ff.0`, width, wide, false, make), down: await reader.linear(`${at}ff.2`, wide, width, false, make),
  };
}

async function identityOf(reader: WeightReader, width: number): Promise<Resampler['identity']> {
  const at = `${AT}identity.`;
  const [middle = 0, inputs = 0] = reader.shape(`${at}0.weight`);
  const outputs = reader.shape(`${at}3.weight`)[0]!;
  if (outputs % width !== 0) throw misfit(`“${at}3.weight” makes ${outputs} numbers, which are no whole tokens of ${width}.`, `${at}3.weight`);
  return { first: await reader.linear(`${at}0`, inputs, middle), norm: await readNorm(reader, `${at}1`, middle), second: await reader.linear(`${at}3`, middle, outputs) };
}

async function resampler(reader: WeightReader, kind: AdapterKind, scaleCount: number, make: LayerMaker | undefined): Promise<Resampler> {
  const [count = 0, width = 0] = reader.shape(`${AT}latents`);
  wholeHeads(width, `${AT}latents`);
  const tower = reader.shape(`${AT}proj_in.0.weight`)[1]!;
  const scales: Resampler['scales'] = [];
  for (let s = 0; s < scaleCount; s++) scales.push({ norm: await readNorm(reader, `${AT}norm_in.${s}`, tower), project: await reader.linear(`${AT}proj_in.${s}`, tower, width) });
  const layers: ResamplerLayer[] = [];
  do layers.push(await layer(reader, layers.length, width, make)); while (reader.has(`${AT}layers.${layers.length}.to_q.weight`));
  return {
    latents: await reader.table(`${AT}latents`, [count, width]), scales, layers,
    identity: kind === 'identity' ? await identityOf(reader, width) : null,
    normOut: await readNorm(reader, `${AT}norm_out`, width),
    projectOut: await reader.linear(`${AT}proj_out`, width, reader.shape(`${AT}proj_out.weight`)[0]!),
  };
}

/** LoRA pairs under diffusers' names, scale 1; null where the file has none. */
async function loraOf(reader: WeightReader, keys: readonly string[]): Promise<Adapter | null> {
  const sites = keys.flatMap((key) => /^transformer\.(.+)\.lora_A\.weight$/.exec(key)?.[1] ?? []);
  const pairs: Adapter = {};
  for (const site of sites) {
    const at = `transformer.${site}.lora_`;
    const [rank = 0, inputs = 0] = reader.shape(`${at}A.weight`);
    const [outputs = 0] = reader.shape(`${at}B.weight`);
    const turned = async (name: string, rows: number, columns: number) => tensor2d(transposed(await reader.values(name, [rows, columns]), rows, columns), [columns, rows]);
    pairs[site] = { a: await turned(`${at}A.weight`, rank, inputs), b: await turned(`${at}B.weight`, outputs, rank), scale: 1 };
  }
  return sites.length > 0 ? pairs : null;
}

function described(metadata: Record<string, string>): { kind: AdapterKind; layers: number[]; base: string; baseSha256: string } {
  const { 'lamina.adapter': kind = '', 'lamina.layers': layers = '', 'lamina.base': base = '', 'lamina.base_sha256': baseSha256 = '' } = metadata;
  if (kind !== 'object' && kind !== 'identity') throw misfit(`The file says “${kind.slice(0, 40)}” where a picture adapter says object or identity (lamina.adapter).`, 'lamina.adapter');
  const numbers = layers.split(',').map(Number);
  if (!numbers.every((n) => Number.isInteger(n) && n >= 1)) throw misfit(`The file names no layers of the image encoder (lamina.layers: “${layers.slice(0, 40)}”).`, 'lamina.layers');
  return { kind, layers: numbers, base, baseSha256 };
}

/**
 * Of the kind named, or of whichever it is; `make` makes the layers without bias, which are nearly all of it, in float32 unless told.
 * Throws Faults `tensor-missing`, `tensor-unknown`, `tensor-shape`, `base-mismatch`.
 */
export async function loadPictureAdapter(source: WeightSource, wanted?: AdapterKind, make?: LayerMaker): Promise<PictureAdapter> {
  const reader = new WeightReader(source);
  const keys = source.keys();
  const { kind, layers, base, baseSha256 } = described((await source.metadata?.()) ?? {});
  if (wanted && kind !== wanted) throw misfit(`The file holds an adapter of kind ${kind} where one of kind ${wanted} belongs.`, 'lamina.adapter');
  const made = await resampler(reader, kind, layers.length, make);
  const [count, width] = [made.latents.shape[0], made.projectOut.outFeatures];
  const adapter: PictureAdapter = {
    kind, base, baseSha256, towerLayers: layers, towerWidth: made.scales[0]!.project.inFeatures, tokens: { count, width },
    identityWidth: made.identity?.first.inFeatures ?? null,
    resampler: made, cross: await readCrossAttention(reader, keys, width, make), lora: await loraOf(reader, keys),
  };
  reader.finish();
  return adapter;
}

/** Fault `base-mismatch` where an adapter, or its LoRA, was made for a transformer of other sizes. */
export function expectAdapterFits(model: Mmdit, { cross, lora }: PictureAdapter): void {
  expectCrossFits(model, cross);
  const sites = new Map(loraSites(model, 'all').map((site) => [site.name, site]));
  for (const [name, { a, b }] of Object.entries(lora ?? {})) {
    const site = sites.get(name);
    if (a.shape[0] !== site?.inFeatures || b.shape[1] !== site.outFeatures) throw misfit(`The adapter’s LoRA is for a layer “${name}” of ${a.shape[0]} to ${b.shape[1]}, which this transformer does not have.`, name);
  }
}

export function disposePictureAdapter({ resampler: r, cross, lora }: PictureAdapter): void {
  r.latents.dispose();
  [...r.scales.map(({ norm }) => norm), ...r.layers.flatMap(({ normContext, normLatents, normMlp }) => [normContext, normLatents, normMlp]), r.normOut, ...(r.identity ? [r.identity.norm] : [])].forEach(disposeNorm);
  [...r.scales.map(({ project }) => project), ...r.layers.flatMap(({ q, kv, out, up, down }) => [q, kv, out, up, down]), r.projectOut, ...(r.identity ? [r.identity.first, r.identity.second] : [])].forEach(disposeLinear);
  disposeCrossAttention(cross);
  for (const { a, b } of Object.values(lora ?? {})) [a, b].forEach((tensor) => tensor.dispose());
}

/** A file of such pairs alone. Faults `tensor-missing`, `tensor-unknown`, `tensor-shape`. */
export async function loadLora(source: WeightSource): Promise<Adapter> {
  const reader = new WeightReader(source);
  const pairs = await loraOf(reader, source.keys());
  reader.finish();
  return pairs ?? {};
}
