/**
 * A concept's LoRA under kohya's names. The single-file SD3 checkpoint, whose names those are, has q, k and v in one matrix: three
 * sites become one module whose up is block-diagonal, so that ΔW stays the same and the rank is their sum. alpha = rank. Where that
 * checkpoint has shift before scale (last context modulation, final layer), the halves of up's rows change places.
 */
import { invariant } from '../engine/invariant';
import { kohyaKeys, originalLayer, PATCH_SITE, patchInput, patchShape } from './loraKeys';
import type { PlainTensor } from './safetensorsWriter';
import type { StoredTensors } from './storedTensors';

interface Part { site: string; third: number | null; swapped: boolean; a: PlainTensor; b: PlainTensor }

/** Tensors in kohya's form, and the rank of each module. */
export function kohyaTensors(tensors: StoredTensors): { tensors: Record<string, PlainTensor>; ranks: Record<string, number> } {
  const modules = new Map<string, Part[]>();
  for (const key of Object.keys(tensors)) {
    if (!key.endsWith('.a')) continue;
    const site = key.slice(0, -2);
    const [a, b] = [tensors[key]!, tensors[`${site}.b`]!];
    const original = originalLayer({ name: site, inFeatures: a.shape[0]!, outFeatures: b.shape[1]! });
    invariant(original, `kohya has no name for ${site}`);
    modules.set(original.name, [...(modules.get(original.name) ?? []), { site, third: original.third, swapped: original.swapped, a, b }]);
  }
  const out: Record<string, PlainTensor> = {};
  const ranks: Record<string, number> = {};
  for (const [name, parts] of modules) {
    const { down, up, alpha } = kohyaKeys(name);
    const rank = parts.reduce((sum, { a }) => sum + a.shape[1]!, 0);
    const [inputs, outputs] = [parts[0]!.a.shape[0]!, parts[0]!.b.shape[1]!];
    const rows = (parts[0]!.third === null ? 1 : 3) * outputs;
    const [downData, upData] = [new Float32Array(rank * inputs), new Float32Array(rows * rank)];
    let first = 0;
    for (const { site, third, swapped, a, b } of parts) {
      const to = site === PATCH_SITE ? (i: number) => patchInput(i, inputs) : (i: number) => i;
      const half = swapped ? outputs / 2 : 0;
      const own = a.shape[1]!;
      for (let r = 0; r < own; r++) {
        for (let i = 0; i < inputs; i++) downData[(first + r) * inputs + to(i)] = a.data[i * own + r]!;
        for (let o = 0; o < outputs; o++) upData[((third ?? 0) * outputs + ((o + half) % outputs)) * rank + first + r] = b.data[r * outputs + o]!;
      }
      first += own;
    }
    const isPatch = parts[0]!.site === PATCH_SITE;
    out[down] = { shape: isPatch ? patchShape(rank, inputs) : [rank, inputs], data: downData };
    out[up] = { shape: isPatch ? [rows, rank, 1, 1] : [rows, rank], data: upData };
    out[alpha] = { shape: [], data: new Float32Array([rank]) };
    ranks[name] = rank;
  }
  return { tensors: out, ranks };
}
