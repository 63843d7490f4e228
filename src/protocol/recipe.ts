/**
 * The recipe: everything that decides what a run computes, as one plain object; a union by `method`. `parseRecipe` is the only
 * door for recipes from outside (URL, file, message, an earlier version); it fills defaults and names the offending field otherwise.
 */
import type { Field, Fields, ValuesOf } from '../methods/fields';
import { stageAfter, stagesOf, totalStepsOf, type MethodMeta } from '../methods/meta';
import { metas, type MethodId } from '../methods/metas';
import type { ConceptKind, Spoken } from './captions';
import { Fault } from './faults';
import { EMBEDDED } from './models';

/** Fields that came with version 2 say what their absence meant (`absent`): the trigger word was the class word. */
export const RECIPE_VERSION = 2;
const READABLE: readonly unknown[] = [1, RECIPE_VERSION];

export type RecipeOf<M extends MethodId> = {
  [K in M]: ValuesOf<(typeof metas)[K]['fields']> & {
    version: typeof RECIPE_VERSION;
    method: K;
    /** Id of the base model the recipe is for. */
    base: string;
  };
}[M];
export type Recipe = RecipeOf<MethodId>;
/** Keys of every method's fields. */
export type RecipeKey = { [M in MethodId]: keyof (typeof metas)[M]['fields'] }[MethodId];

const FIRST_METHOD = 'purecc' satisfies MethodId;

/** A recipe as one of any method: what a field holds, by its key. */
export const valueOf = (recipe: Recipe, key: RecipeKey): unknown => (recipe as unknown as Record<string, unknown>)[key];
/** The words of a recipe's concept; empty where its method has none. */
export const wordsOf = ({ kind, classWord = '', trigger = '' }: Spoken): Required<Spoken> => ({ kind, classWord, trigger });

export const metaOf = ({ method }: Pick<Recipe, 'method'>): MethodMeta => metas[method];
export const stagesOfRecipe = (recipe: Recipe): ReturnType<typeof stagesOf> => stagesOf(metaOf(recipe), recipe);
export const totalSteps = (recipe: Recipe): number => totalStepsOf(metaOf(recipe), recipe);
/** Id of the stage that the step after `done` steps belongs to; of the last one when all are done. */
export const stageIdAfter = (recipe: Recipe, done: number): string => stageAfter(metaOf(recipe), recipe, done).id;

/** The method that learns such a concept. */
export const methodOfKind = (kind: ConceptKind): MethodId =>
  (Object.keys(metas) as MethodId[]).find((method) => (metas[method].fields.kind.options as readonly ConceptKind[]).includes(kind))!;

const problem = (field: Field, value: unknown): string | null => {
  switch (field.type) {
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) return 'is not a number';
      if (field.integer && !Number.isInteger(value)) return 'must be a whole number';
      return value < field.min || value > field.max ? `must lie between ${field.min} and ${field.max}` : null;
    case 'flag':
      return typeof value === 'boolean' ? null : 'must be true or false';
    case 'choice':
      return field.options.includes(value as string) ? null : `must be one of ${field.options.join(', ')}`;
    case 'text':
      return typeof value !== 'string' ? 'must be text' : value.length > field.maxLength ? `is longer than ${field.maxLength} characters` : null;
  }
};

/** What an earlier version of the app wrote, in today's values. */
const today = (field: Field, value: unknown): unknown => (field.type === 'choice' && field.earlier?.[String(value)]) || value;

/** What is wrong with one value of a recipe, in words, or null. The panel calls it on every edit. */
export function fieldProblem(recipe: Pick<Recipe, 'method'>, key: RecipeKey, value: unknown): string | null {
  return problem(metaOf(recipe).fields[key]!, value);
}

const defaultsOf = (fields: Fields, base: string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, base === EMBEDDED ? field.default : (field.large ?? field.default)]));

export type PresetOf<M extends MethodId> = keyof (typeof metas)[M]['presets'] & string;

/** A method's defaults under a preset, its first unless told. */
export function defaultRecipe<M extends MethodId = typeof FIRST_METHOD>(preset?: PresetOf<M>, base: string = EMBEDDED, method: M = FIRST_METHOD as M): NoInfer<RecipeOf<M>> {
  const { fields, presets }: MethodMeta = metas[method];
  return { version: RECIPE_VERSION, method, base, ...defaultsOf(fields, base), ...presets[preset ?? Object.keys(presets)[0]!]!.values } as RecipeOf<M>;
}

/** A complete, valid recipe from anything. Unknown fields and bad values throw Fault `recipe-invalid` with the field as subject. */
export function parseRecipe(value: unknown): Recipe {
  if (typeof value !== 'object' || value === null) throw new Fault('recipe-invalid', 'A recipe must be an object.', 'Use a recipe that Lamina wrote.');
  const { version = RECIPE_VERSION, method = FIRST_METHOD, base = EMBEDDED, ...rest } = value as Record<string, unknown>;
  if (!READABLE.includes(version)) throw new Fault('recipe-invalid', `The recipe has version ${String(version)}; this app reads ${RECIPE_VERSION}.`, 'Update the app.', { subject: 'version' });
  if (typeof method !== 'string' || !Object.hasOwn(metas, method)) throw new Fault('recipe-invalid', `The recipe asks for the method “${String(method)}”, which this app does not have.`, 'Update the app.', { subject: 'method' });
  if (typeof base !== 'string') throw new Fault('recipe-invalid', 'The recipe names no base model.', 'Use a recipe that Lamina wrote.', { subject: 'base' });
  const recipe: Record<string, unknown> = { ...defaultRecipe(undefined, base, method as MethodId) };
  const { fields }: MethodMeta = metas[method as MethodId];
  for (const [key, given] of Object.entries(rest)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (!field) throw new Fault('recipe-invalid', `The recipe has a field “${key}” that this app does not know.`, 'Remove it or update the app.', { subject: key });
    const read = today(field, given);
    const wrong = problem(field, read);
    if (wrong) throw new Fault('recipe-invalid', `${field.label} (${key}) ${wrong}; it is ${JSON.stringify(given)}.`, 'Change the value.', { subject: key });
    recipe[key] = read;
  }
  if (version !== RECIPE_VERSION) {
    for (const [key, { absent }] of Object.entries(fields)) {
      if (absent !== undefined && !Object.hasOwn(rest, key)) recipe[key] = typeof absent === 'object' ? recipe[absent.sameAs] : absent;
    }
  }
  return recipe as unknown as Recipe;
}

/** The recipe for another base: fields that stand at the former base's defaults take the new one's. */
export function onBase(recipe: Recipe, base: string): Recipe {
  const { fields } = metaOf(recipe);
  const [from, to] = [defaultsOf(fields, recipe.base), defaultsOf(fields, base)];
  const moved = (Object.keys(fields) as RecipeKey[]).filter((key) => valueOf(recipe, key) === from[key]).map((key) => [key, to[key]]);
  return { ...recipe, base, ...Object.fromEntries(moved) } as Recipe;
}

/** The recipe with a preset's fields. */
export const withPreset = (recipe: Recipe, preset: string): Recipe => ({ ...recipe, ...metaOf(recipe).presets[preset]!.values }) as Recipe;

/** Which preset's fields a recipe has, if any. */
export function presetOf(recipe: Recipe): string | null {
  const values = recipe as unknown as Record<string, unknown>;
  return Object.entries(metaOf(recipe).presets).find(([, preset]) => Object.entries(preset.values).every(([key, value]) => values[key] === value))?.[0] ?? null;
}
