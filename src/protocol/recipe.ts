/**
 * The recipe: everything that decides what a run computes, as one plain object. `parseRecipe` is the only door for
 * recipes from outside (URL, file, message); it fills defaults and names the offending field otherwise.
 */
import type { Field } from '../methods/fields';
import { pureccFields, pureccPresets, type PureccPreset, type PureccRecipe } from '../methods/purecc/meta';
import { Fault } from './faults';

export const RECIPE_VERSION = 1;

export interface Recipe extends PureccRecipe {
  version: typeof RECIPE_VERSION;
  method: 'purecc';
  /** Id of the base model the recipe is for. */
  base: string;
}

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

/** What is wrong with one value of the recipe, in words, or null. The panel calls it on every edit. */
export function fieldProblem(key: keyof PureccRecipe, value: unknown): string | null {
  return problem(pureccFields[key], value);
}

export function defaultRecipe(preset: PureccPreset = 'lamina', base = 'embedded'): Recipe {
  const values = Object.fromEntries(Object.entries(pureccFields).map(([key, field]) => [key, field.default])) as unknown as PureccRecipe;
  return { version: RECIPE_VERSION, method: 'purecc', base, ...values, ...pureccPresets[preset] };
}

/** A complete, valid recipe from anything. Unknown fields and bad values throw Fault `recipe-invalid` with the field as subject. */
export function parseRecipe(value: unknown): Recipe {
  if (typeof value !== 'object' || value === null) throw new Fault('recipe-invalid', 'A recipe must be an object.', 'Use a recipe that Lamina wrote.');
  const { version = RECIPE_VERSION, method = 'purecc', base = 'embedded', ...rest } = value as Record<string, unknown>;
  if (version !== RECIPE_VERSION) throw new Fault('recipe-invalid', `The recipe has version ${String(version)}; this app reads ${RECIPE_VERSION}.`, 'Update the app.', { subject: 'version' });
  if (method !== 'purecc') throw new Fault('recipe-invalid', `The recipe asks for the method “${String(method)}”, which this app does not have.`, 'Update the app.', { subject: 'method' });
  if (typeof base !== 'string') throw new Fault('recipe-invalid', 'The recipe names no base model.', 'Use a recipe that Lamina wrote.', { subject: 'base' });
  const recipe: Record<string, unknown> = { ...defaultRecipe('lamina', base) };
  for (const [key, given] of Object.entries(rest)) {
    const field = (pureccFields as Record<string, Field>)[key];
    if (!field) throw new Fault('recipe-invalid', `The recipe has a field “${key}” that this app does not know.`, 'Remove it or update the app.', { subject: key });
    const wrong = problem(field, given);
    if (wrong) throw new Fault('recipe-invalid', `${field.label} (${key}) ${wrong}; it is ${JSON.stringify(given)}.`, 'Change the value.', { subject: key });
    recipe[key] = given;
  }
  return recipe as unknown as Recipe;
}

/** Which preset a recipe's purity fields equal, if any. */
export function presetOf(recipe: Recipe): PureccPreset | null {
  const equals = (preset: Partial<PureccRecipe>) => Object.entries(preset).every(([key, value]) => recipe[key as keyof Recipe] === value);
  return (Object.keys(pureccPresets) as PureccPreset[]).find((name) => equals(pureccPresets[name])) ?? null;
}
