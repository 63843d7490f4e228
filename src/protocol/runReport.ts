/**
 * What `npm run demo` writes as run.json, and what the studio shows under “What changed”. Versioned: readers refuse what is newer.
 * likeness: CLIP-image cosine to the set. drift: mean absolute pixel difference of twins, pixels in −1…1. same: CLIP-image cosine of twins.
 */
import type { BackendName } from './compute';
import type { StepMetrics } from './run';
import type { Recipe } from './recipe';

export const RUN_REPORT_VERSION = 2;

export interface PromptMeasure {
  prompt: string;
  seed: number;
  /** Likeness of the customized picture and of its base twin to the set. */
  likeness: number;
  likenessBase: number;
  /** How whole the thing is, 1 as in the true pictures (pipeline/measuring/wholeness.ts); null for a style, and where nothing stands out in those. */
  wholeness?: number | null;
}

export interface TwinMeasure { prompt: string; seed: number; drift: number; same: number }

export interface Measures {
  /** Mean over prompts. */
  likeness: number;
  likenessBase: number;
  /** The true pictures among themselves. */
  likenessOwn: number;
  /** Mean over prompts, and of how many pictures the thing counts as whole; null for a style and where nothing stands out in the true pictures, absent before there was such a measure. */
  wholeness?: number | null;
  whole?: number | null;
  /** Of the prompts, how many customized pictures are closer to the set than their base twin. */
  nearer: number;
  driftBase: number;
  driftUnrelated: number;
  sameBase: number;
  sameUnrelated: number;
  /** Likeness with the concept rows left out; null until measured. */
  likenessWithoutRows: number | null;
  /** Likeness as other tools draw the exported file: no rows, and guidance's empty prompt goes through the LoRA too; null until measured. */
  likenessElsewhere: number | null;
  prompts: PromptMeasure[];
  base: TwinMeasure[];
  unrelated: TwinMeasure[];
}

export interface RunReport {
  version: typeof RUN_REPORT_VERSION;
  app: string;
  set: string;
  recipe: Recipe;
  backend: BackendName;
  adapter: string;
  threads: number;
  steps: StepMetrics[];
  /** Median of a stage's steps, by stage; whoever writes the report. */
  secondsPerStep: Record<string, number>;
  secondsTotal: number;
  /** Median over the last steps of each figure that the method shows (its meta names them); null where no step had it. */
  figures: Record<string, number | null>;
  measures: Measures;
  /** The same run with η = 0 and no anchor, when asked for with --compare lora. */
  compare: { name: 'lora'; measures: Measures } | null;
  peakTabBytes: number | null;
}
