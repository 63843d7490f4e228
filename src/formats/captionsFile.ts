/** captions.json of a set of pictures: what the concept is, and three captions for each file. */
import * as v from 'valibot';
import { readJson } from './json';

const captionsFile = v.object({
  kind: v.picklist(['instance', 'style']),
  classWord: v.string(),
  images: v.pipe(v.array(v.object({ file: v.pipe(v.string(), v.regex(/^[\w.-]+$/)), complete: v.string(), base: v.string(), target: v.string() })), v.minLength(1)),
});
export type CaptionsFile = v.InferOutput<typeof captionsFile>;

/** Null where the text is not such a file. File names without a path alone are taken. */
export const readCaptionsFile = (text: string): CaptionsFile | null => readJson(text, captionsFile);
