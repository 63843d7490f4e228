/**
 * The URL's fragment: recipe and drawing parameters, so that a link reproduces them. Only what differs from the defaults is
 * written; a fragment never reaches a server. Reading goes through parseRecipe, so a bad link names its offending field.
 */
import type { Field, Fields } from '../methods/fields';
import { metas, type MethodId } from '../methods/metas';
import { Fault } from '../protocol/faults';
import { parseMix, type Mix } from '../protocol/mix';
import { EMBEDDED } from '../protocol/models';
import { SAMPLERS } from '../protocol/pictures';
import { defaultRecipe, metaOf, parseRecipe, valueOf, type Recipe, type RecipeKey } from '../protocol/recipe';
import { defaultParams, numberRanges, type DrawingParams } from './params';

const RECIPE_PREFIX = 'r.';
const METHOD = `${RECIPE_PREFIX}method`, BASE = `${RECIPE_PREFIX}base`;
const MIX_KEY = 'mix';
const drawingKeys = ['prompt', 'negative', 'seed', 'steps', 'sampler', 'skipLayers', 'guidance', 'balance'] as const;
const choices = { sampler: SAMPLERS as readonly string[], skipLayers: ['true', 'false'] as readonly string[] };

/** `mix`: the mix where the Mix page is open; a picture it starts from stays on this device and is left out. */
export function encodeFragment(recipe: Recipe, params: DrawingParams, mix: Mix | null = null): string {
  const entries = new URLSearchParams();
  const start: Recipe = defaultRecipe(undefined, recipe.base, recipe.method);
  if (recipe.method !== defaultRecipe().method) entries.set(METHOD, recipe.method);
  // whose defaults the fields have that are left out
  if (recipe.base !== EMBEDDED) entries.set(BASE, recipe.base);
  if (mix && mix.guidances.length > 0) entries.set(MIX_KEY, JSON.stringify({ ...mix, start: null }));
  for (const key of Object.keys(metaOf(recipe).fields) as RecipeKey[]) {
    if (valueOf(recipe, key) !== valueOf(start, key)) entries.set(RECIPE_PREFIX + key, String(valueOf(recipe, key)));
  }
  for (const key of drawingKeys) if (params[key] !== defaultParams[key]) entries.set(key, String(params[key]));
  return entries.toString();
}

const recipeValue = (field: Field | undefined, text: string): unknown => {
  if (field?.type === 'number') return text.trim() === '' ? text : Number(text);
  if (field?.type === 'flag') return text === 'true' ? true : text === 'false' ? false : text;
  return text;
};

const parsedJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

/** What a fragment (without #) says. Throws Fault `recipe-invalid`, `prompt-invalid` or `mix-invalid` with the field as subject. */
export function decodeFragment(fragment: string): { recipe: Recipe | null; params: Partial<DrawingParams>; mix: Mix | null } {
  const entries = new URLSearchParams(fragment);
  const method = entries.get(METHOD) ?? defaultRecipe().method;
  // parseRecipe says that a method is unknown
  const fields: Fields = Object.hasOwn(metas, method) ? metas[method as MethodId].fields : {};
  const recipe: Record<string, unknown> = {};
  const params: Record<string, unknown> = {};
  let mix: Mix | null = null;
  for (const [key, text] of entries) {
    if (key.startsWith(RECIPE_PREFIX)) {
      const name = key.slice(RECIPE_PREFIX.length);
      recipe[name] = recipeValue(fields[name], text);
    } else if (key === MIX_KEY) mix = parseMix(parsedJson(text));
    else if (key === 'prompt' || key === 'negative') params[key] = text;
    else if (key in choices) {
      const allowed = choices[key as keyof typeof choices];
      if (!allowed.includes(text)) throw new Fault('prompt-invalid', `The link’s ${key} is “${text}”; it must be one of ${allowed.join(', ')}.`, 'Use the defaults.', { subject: key });
      params[key] = key === 'skipLayers' ? text === 'true' : text;
    } else if (key in numberRanges) {
      const { min, max, label } = numberRanges[key as keyof typeof numberRanges];
      const value = text.trim() === '' ? Number.NaN : Number(text);
      if (!(value >= min && value <= max)) {
        throw new Fault('prompt-invalid', `The link’s ${label} is “${text}”; it must be a number between ${min} and ${max}.`, 'Use the defaults.', { subject: key });
      }
      params[key] = value;
    } else throw new Fault('prompt-invalid', `The link has a part “${key}” that this app does not know.`, 'Use the defaults.', { subject: key });
  }
  return { recipe: Object.keys(recipe).length === 0 ? null : parseRecipe(recipe), params, mix };
}
