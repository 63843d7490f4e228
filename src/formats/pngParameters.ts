/**
 * What a picture was made with, as text: the community's `parameters` (A1111: prompt, "Negative prompt: …", one line of
 * "Key: value" pairs) for every tool, and our own `lamina` JSON with everything needed to draw it again.
 * Reading is tolerant, since many tools write the first kind; what cannot be read is left out, never guessed.
 */
import * as v from 'valibot';
import { readJson } from './json';
import { readPngText, writePngText } from './pngText';

const PARAMETERS_KEYWORD = 'parameters';
const OWN_KEYWORD = 'lamina';
export const PICTURE_VERSION = 1;

/** Everything that decides a picture's pixels. Fields beyond these are kept as given. */
export interface PictureRecipe {
  version: typeof PICTURE_VERSION;
  app: string;
  prompt: string;
  negative: string;
  seed: number;
  steps: number;
  /** Euler's where none is named. */
  sampler?: string;
  /** Skip-layer guidance as published for SD3.5 Medium. */
  skipLayers?: boolean;
  guidance: number;
  /** 0 is the base alone, 1 the learned concept as exported. */
  balance: number;
  width: number;
  height: number;
  base: string;
  baseSha256: string;
  /** Version of the random numbers. */
  random: number;
  /** Null for pictures of the untouched base. */
  concept: { conceptId: string; name: string; lambda: number } | null;
  /** The concept's training recipe, if there is one. */
  recipe: unknown;
  /** The mix that it was drawn by (protocol/mix), if it was. */
  mix?: unknown;
}
/** A text as A1111 and many others write it. */
export interface ParsedParameters { prompt: string; negative: string; fields: Record<string, string> }

/** Our samplers as A1111 and others call them. */
export const SAMPLER_NAMES = { euler: 'Euler', 'dpmpp-2m': 'DPM++ 2M' } as const;
const samplers = Object.entries(SAMPLER_NAMES);

/** Values with a comma, colon or line break are quoted as JSON, as A1111 does. */
const quote = (value: string) => (/[,:\n"]/.test(value) ? JSON.stringify(value) : value);

export function writeParameters(picture: PictureRecipe): string {
  const { prompt, negative, steps, guidance, seed, width, height, base, balance, concept, app } = picture;
  const fields: [string, string][] = [
    ['Steps', String(steps)], ['Sampler', samplers.find(([sampler]) => sampler === (picture.sampler ?? 'euler'))?.[1] ?? picture.sampler!], ['Schedule type', 'Simple'], ['CFG scale', String(guidance)], ['Seed', String(seed)], ['Size', `${width}x${height}`],
    ['Model hash', picture.baseSha256.slice(0, 10)], ['Model', base],
    ...(concept ? ([['Concept', concept.name], ['Balance', String(balance)], ['Lambda', String(concept.lambda)]] satisfies [string, string][]) : []),
    ['Version', app],
  ];
  return [prompt, ...(negative ? [`Negative prompt: ${negative}`] : []), fields.map(([key, value]) => `${key}: ${quote(value)}`).join(', ')].join('\n');
}

/** Longer lines are prose, and matching them would take long. */
const MAX_FIELD_LINE = 20_000;

function parseFields(line: string): Record<string, string> {
  const fields: Record<string, string> = {};
  if (line.length > MAX_FIELD_LINE) return fields;
  for (const [, key, value] of line.matchAll(/\s*(\w[\w \-/]{0,60}?):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)/g)) {
    if (key === undefined || value === undefined) continue;
    let text = value.trim();
    if (text.startsWith('"')) {
      text = readJson(text, v.string()) ?? text;
    }
    fields[key] = text;
  }
  return fields;
}

/** The last line counts as fields if it has at least three pairs, as in A1111; otherwise it is part of the prompt. */
export function parseParameters(text: string): ParsedParameters {
  const lines = text.replace(/\r\n?/g, '\n').trim().split('\n');
  let fields = parseFields(lines.at(-1) ?? '');
  if (Object.keys(fields).length >= 3) lines.pop();
  else fields = {};
  const from = lines.findIndex((line) => line.startsWith('Negative prompt:'));
  const prompt = (from < 0 ? lines : lines.slice(0, from)).join('\n').trim();
  const negative = from < 0 ? '' : lines.slice(from).join('\n').slice('Negative prompt:'.length).trim();
  return { prompt, negative, fields };
}

const finite = v.pipe(v.number(), v.finite());
/** What of our own JSON is read back; the rest is for people and other programs. */
const ownPicture = v.looseObject({
  version: v.literal(PICTURE_VERSION), prompt: v.string(), negative: v.string(), seed: finite, steps: finite, guidance: finite, balance: finite,
  concept: v.optional(v.nullable(v.looseObject({ conceptId: v.string(), name: v.string() })), null),
  sampler: v.optional(v.string()), skipLayers: v.optional(v.boolean()),
  mix: v.optional(v.unknown()),
});
export type OwnPicture = v.InferOutput<typeof ownPicture>;

/** What a PNG says about how it was drawn: `picture` complete if Lamina wrote it, else what `parameters` gives. Null if it says nothing. */
export interface FoundParameters {
  picture: OwnPicture | null;
  prompt: string;
  negative: string;
  /** Numbers are absent where the text has none that make sense. */
  seed?: number;
  steps?: number;
  /** By the names that a PictureRecipe has; absent where it is none of ours. */
  sampler?: string;
  skipLayers?: boolean;
  guidance?: number;
  balance?: number;
}

export async function readPictureParameters(png: Uint8Array): Promise<FoundParameters | null> {
  const texts = await readPngText(png);
  const picture = readJson(texts[OWN_KEYWORD] ?? '', ownPicture);
  if (picture) return { picture, prompt: picture.prompt, negative: picture.negative, seed: picture.seed, steps: picture.steps, guidance: picture.guidance, balance: picture.balance, ...(picture.sampler !== undefined && { sampler: picture.sampler }), ...(picture.skipLayers !== undefined && { skipLayers: picture.skipLayers }) };
  const text = texts[PARAMETERS_KEYWORD];
  if (text === undefined) return null;
  const { prompt, negative, fields } = parseParameters(text);
  const number = (key: string, allowed: (value: number) => boolean) => {
    const value = Number(fields[key]);
    return fields[key] !== undefined && fields[key] !== '' && Number.isFinite(value) && allowed(value) ? value : undefined;
  };
  const found = {
    seed: number('Seed', (value) => Number.isInteger(value) && value >= 0),
    steps: number('Steps', (value) => Number.isInteger(value) && value >= 1),
    guidance: number('CFG scale', (value) => value >= 0),
    balance: number('Balance', () => true),
    sampler: samplers.find(([, name]) => name === fields.Sampler)?.[0],
  };
  return { picture: null, prompt, negative, ...Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) };
}

/** The picture with both texts. Faults: `file-not-a-picture`. */
export function writePictureParameters(png: Uint8Array, picture: PictureRecipe): Uint8Array<ArrayBuffer> {
  return writePngText(png, { [PARAMETERS_KEYWORD]: writeParameters(picture), [OWN_KEYWORD]: JSON.stringify(picture) });
}
