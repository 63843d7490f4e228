/** Made-up records for the scenes: compute, step metrics, measures, concepts and pictures. Pictures come from the sample sets. */
import type { Compute } from '../../protocol/compute';
import type { ConceptSummary } from '../../protocol/concepts';
import type { PictureEvent } from '../../protocol/pictures';
import { defaultRecipe } from '../../protocol/recipe';
import type { StepMetrics } from '../../protocol/run';
import type { Measures } from '../../protocol/runReport';
import { defaultParams } from '../../state/params';

export const compute: Compute = { backend: 'wasm', adapter: 'wasm SIMD, 2 threads', software: false, threads: 2, crossOriginIsolated: true, reason: 'This browser offers no graphics adapter, so the processor computes.' };

export const words = ['a', 'an', 'and', 'at', 'background', 'balloon', 'beach', 'big', 'cake', 'car', 'city', 'cow', 'desert', 'dog', 'forest', 'frog', 'ghost', 'grass', 'in', 'night', 'of', 'on', 'picture', 'room', 'snow', 'the', 'top', 'wooden', 'table'];

const files = new Map<string, Promise<Blob>>();
export async function load(path: string): Promise<ImageBitmap> {
  const file = files.get(path) ?? fetch(path).then((answer) => answer.blob());
  files.set(path, file);
  return createImageBitmap(await file);
}

export const picture = (slot: PictureEvent['slot'], bitmap: ImageBitmap, changes: Partial<PictureEvent> = {}): PictureEvent =>
  ({ slot, revision: 1, bitmap, state: 'full', step: defaultParams.steps, steps: defaultParams.steps, elapsedMs: 1400, prompt: 'a [V] dog in the snow', negative: '', seed: 42, guidance: 3, sampler: defaultParams.sampler, skipLayers: false, kind: 'instance', balance: 1, atStep: null, ...changes });

export function metrics(steps: number): StepMetrics[] {
  return Array.from({ length: steps }, (_, n) => {
    const student = n >= 400;
    const noise = () => 0.9 + 0.2 * Math.abs(Math.sin(n * 12.9898) * 43758.5453 % 1);
    const grown = student ? 1 - Math.exp(-(n - 400) / 80) : 0;
    return {
      runId: 'run-1', step: n + 1, stage: student ? 'student' : 'extractor', losses: { flow: (0.09 + 0.2 * Math.exp(-n / 120)) * noise(), ...(student ? { pure: (0.07 + 0.2 * Math.exp(-(n - 400) / 70)) * noise(), anchor: 0.02 * noise() } : {}) },
      sigma: [(n * 0.618) % 1, (n * 0.382) % 1], figures: student ? ({ lambdaStar: [0.83 * grown * noise(), 0.8 * grown * noise()], cosine: [0.7 * grown, 0.68 * grown] } as Record<string, number[]>) : {}, gradientNorm: 1, stepMs: 300,
    };
  });
}

export const measures: Measures = { likeness: 0.58, likenessBase: 0.12, likenessOwn: 0.59, wholeness: 0.94, whole: 7, nearer: 8, driftBase: 0.1, driftUnrelated: 0.09, sameBase: 0.93, sameUnrelated: 0.95, likenessWithoutRows: 0.31, likenessElsewhere: 0.27, prompts: Array.from({ length: 8 }, () => ({ prompt: '', seed: 1, likeness: 0.58, likenessBase: 0.12 })), base: [], unrelated: [] };

export const concept = (n: number, name: string, preview: Blob): ConceptSummary =>
  ({ conceptId: `c${n}`, name, classWord: 'dog', kind: n === 2 ? 'style' : 'instance', createdAt: '2026-05-04T10:00:00Z', sizeBytes: 1.4e6, preview, measures: n === 1 ? null : measures, recipe: { ...defaultRecipe(), classWord: 'dog' }, lambda: 0.83, base: 'embedded', imported: n === 1, pictured: n !== 1, lora: true, wordTokens: null });
