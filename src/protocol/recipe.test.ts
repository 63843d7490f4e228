/** Recipes written before a field existed, and the trigger word they did not have. */
import { describe, expect, it } from 'vitest';
import { spokenWord } from '../pipeline/prompts';
import { triggerOf } from '../worker/shelf';
import { defaultRecipe, parseRecipe, RECIPE_VERSION, type RecipeOf } from './recipe';

describe('the trigger word', () => {
  const { trigger: _, version: __, ...before } = { ...defaultRecipe(), classWord: 'dog' };

  it('is none in a recipe of version 1, whose encoders read the class word', () => {
    const read = parseRecipe({ ...before, version: 1 });
    expect(read).toMatchObject({ version: RECIPE_VERSION, trigger: '' });
    expect(spokenWord(read)).toBe('dog');
    expect(triggerOf(read)).toBe('dog dog');
  });

  it('is a word of its own in a new one', () => {
    const read = parseRecipe({ ...before, version: RECIPE_VERSION }) as RecipeOf<'purecc'>;
    expect(read.trigger).toBe(defaultRecipe().trigger);
    expect(spokenWord(read)).not.toBe('dog');
    expect(triggerOf({ ...read, trigger: ' mimi ' })).toBe('mimi dog');
    expect(triggerOf({ ...read, trigger: 'mimi', kind: 'style' })).toBe('mimi');
  });
});
