/**
 * The recorded example of the first visit: public/example/example.json beside its PNGs, made from a real run of this app
 * by `npm run record`. It is shown while the weights are still on their way, always labelled as recorded.
 * Without the file the studio shows no example; nothing here is ever invented.
 */
export const EXAMPLE_VERSION = 1;

export interface ExamplePicture {
  /** Position of the balance slider, 0…2. */
  balance: number;
  /** File name beside example.json, for instance "balance-1.00.png". */
  file: string;
}

export interface RecordedExample {
  version: typeof EXAMPLE_VERSION;
  /** What was learned, in words: "guide dog". */
  name: string;
  kind: 'instance' | 'style';
  classWord: string;
  /** Complete prompt: "a [V] dog in the snow". */
  prompt: string;
  /** The same without the concept: "a dog in the snow". */
  basePrompt: string;
  seed: number;
  steps: number;
  guidance: number;
  /** Median λ* at the end of the recorded run. */
  lambda: number;
  /** What it was computed on, as Compute.adapter of the run. */
  adapter: string;
  /** ISO date of the recording. */
  recordedAt: string;
  /** File name of the untouched base's picture (same seed, basePrompt). */
  baseFile: string;
  /** Full pictures along the slider, ascending balance; 0, 1 and 2 are among them, 17 in steps of 0.125 slide smoothly. */
  pictures: ExamplePicture[];
}

const text = (value: unknown): value is string => typeof value === 'string' && value !== '';
const finite = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const fileName = (value: unknown): value is string => text(value) && !value.includes('/') && !value.includes('\\');

/** The example, or null where the file is not one this app reads. */
export function parseExample(value: unknown): RecordedExample | null {
  if (typeof value !== 'object' || value === null) return null;
  const example = value as Record<string, unknown>;
  if (example.version !== EXAMPLE_VERSION || (example.kind !== 'instance' && example.kind !== 'style')) return null;
  const words = ['name', 'prompt', 'basePrompt', 'adapter', 'recordedAt'].every((key) => text(example[key])) && typeof example.classWord === 'string';
  const numbers = ['seed', 'steps', 'guidance', 'lambda'].every((key) => finite(example[key]));
  if (!words || !numbers || !fileName(example.baseFile) || !Array.isArray(example.pictures) || example.pictures.length === 0) return null;
  const pictures = (example.pictures as Record<string, unknown>[]).every((picture) => finite(picture?.balance) && fileName(picture.file));
  if (!pictures) return null;
  const found = example as unknown as RecordedExample;
  return { ...found, pictures: [...found.pictures].sort((a, b) => a.balance - b.balance) };
}

/** The recorded picture nearest to a balance. Pictures are never mixed: each one shown was drawn. */
export function nearestPicture(example: RecordedExample, balance: number): ExamplePicture {
  return example.pictures.reduce((best, next) => (Math.abs(next.balance - balance) < Math.abs(best.balance - balance) ? next : best));
}
