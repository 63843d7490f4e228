/**
 * The recorded example of the first visit: public/example/example.json beside its PNGs, made from a real run of this app
 * by `npm run record`. It is shown while the weights are still on their way, always labelled as recorded.
 * Without the file the studio shows no example; nothing here is ever invented.
 */
import * as v from 'valibot';
import { Fault } from './faults';

const EXAMPLE_VERSION = 1;

const words = v.pipe(v.string(), v.nonEmpty());
const finite = v.pipe(v.number(), v.finite());
const fileName = v.pipe(words, v.regex(/^[^/\\]+$/, 'a file name without a folder'));

const examplePicture = v.object({
  /** Position of the balance slider, 0…2. */
  balance: finite,
  /** File name beside example.json, for instance "balance-1.00.png". */
  file: fileName,
});

const recordedExample = v.object({
  version: v.literal(EXAMPLE_VERSION),
  /** What was learned, in words: "guide dog". */
  name: words,
  kind: v.picklist(['instance', 'style']),
  classWord: v.string(),
  /** Complete prompt: "a [V] dog in the snow". */
  prompt: words,
  /** The same without the concept: "a dog in the snow". */
  basePrompt: words,
  seed: finite,
  steps: finite,
  guidance: finite,
  /** Median λ* at the end of the recorded run. */
  lambda: finite,
  /** What it was computed on, as Compute.adapter of the run. */
  adapter: words,
  /** ISO date of the recording. */
  recordedAt: words,
  /** File name of the untouched base's picture (same seed, basePrompt). */
  baseFile: fileName,
  /** Full pictures along the slider; 0, 1 and 2 are among them, 17 in steps of 0.125 slide smoothly. */
  pictures: v.pipe(v.array(examplePicture), v.nonEmpty()),
});

export type ExamplePicture = v.InferOutput<typeof examplePicture>;
export type RecordedExample = v.InferOutput<typeof recordedExample>;

/** The example, its pictures in ascending balance. Fault `file-unrecognised` where the file is not one this app reads. */
export function parseExample(value: unknown): RecordedExample {
  const read = v.safeParse(recordedExample, value);
  if (!read.success) {
    const [issue] = read.issues;
    throw new Fault('file-unrecognised', `The recorded example is not as this app reads it at “${v.getDotPath(issue) ?? ''}”: ${issue.message}.`, 'Record it again with npm run record.', { subject: 'example.json' });
  }
  return { ...read.output, pictures: read.output.pictures.toSorted((a, b) => a.balance - b.balance) };
}

/** The recorded picture nearest to a balance. Pictures are never mixed: each one shown was drawn. */
export function nearestPicture(example: RecordedExample, balance: number): ExamplePicture {
  return example.pictures.reduce((best, next) => (Math.abs(next.balance - balance) < Math.abs(best.balance - balance) ? next : best));
}
