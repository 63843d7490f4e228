/**
 * Skip-layer guidance: the text's velocity away from that of the same text with some blocks left out,
 *   v = v0 + s·(v_text − v0) + scale·(v_text − v_skipped),
 * in the steps strictly between two shares of the run. SD3.5 Medium is published with blocks 7, 8, 9, scale 2.5, 1 % to 20 % of the
 * steps and s = 4. Source: Stability-AI/sd3.5.
 */
import type { Evaluation } from '../evaluate';
import { eulerSigmas } from '../flow';
import type { Guidance } from './velocityFields';

export interface SkipLayers {
  /** Blocks that are left out. */
  layers: readonly number[];
  scale: number;
  /** Shares of the steps. */
  start: number;
  stop: number;
}

/** As published for SD3.5 Medium. */
export const publishedSkipLayers: SkipLayers = { layers: [7, 8, 9], scale: 2.5, start: 0.01, stop: 0.2 };

/** Whether a model of so many blocks has the published layers in its first half, as SD3.5 Medium has. */
export const skipsLayers = (depth: number): boolean => depth > 2 * Math.max(...publishedSkipLayers.layers);

/** A field's guidance for a run of `steps` at the scale s: outside its window it costs nothing. */
export function skipLayerGuidance(text: Evaluation, { layers, scale, start, stop }: SkipLayers, run: { steps: number; shift: number; guidance: number }): Guidance {
  const sigmas = eulerSigmas(run.steps, run.shift).filter((_, step) => step > start * run.steps && step < stop * run.steps);
  // the field multiplies every weight by s, and this one stands outside it
  const weight = run.guidance === 0 ? 0 : scale / run.guidance;
  return { positive: text, negative: { ...text, skip: layers }, weight: (sigma) => (sigmas.some((each) => Math.abs(each - sigma) < 1e-9) ? weight : 0) };
}
