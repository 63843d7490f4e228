/** Recipes written before a field existed, and the trigger word they did not have. */
import { describe, expect, it } from 'vitest';
import { spokenWord } from '../pipeline/prompts';
import { triggerOf } from '../worker/shelf';
import { defaultRecipe, onBase, parseRecipe, RECIPE_VERSION, type Recipe, type RecipeOf } from './recipe';

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

describe('the defaults of a base', () => {
  const large = defaultRecipe(undefined, 'mine');

  it('are lower rates and fewer layers on a large one', () => {
    expect(defaultRecipe()).toMatchObject({ learningRate: 1e-3, studentLearningRate: 2e-3, sites: 'attention+mlp' });
    expect(large).toMatchObject({ base: 'mine', learningRate: 1e-4, studentLearningRate: 2e-4, sites: 'attention', rank: defaultRecipe().rank });
    expect(defaultRecipe(undefined, 'mine', 'specialist').learningRate).toBe(1e-4);
  });

  it('are taken over with the base, but for what was changed and what a preset says', () => {
    const changed: Recipe = { ...defaultRecipe('paper'), classWord: 'dog', learningRate: 3e-4 };
    const there = onBase(changed, 'mine');
    expect(there).toEqual({ ...changed, base: 'mine', studentLearningRate: 2e-4, sites: 'attention' });
    expect(onBase(there, 'embedded')).toEqual(changed);
  });

  it('are no others where a recipe of version 1 says no layers', () => {
    const { sites: _, version: __, ...before } = defaultRecipe();
    expect(parseRecipe({ ...before, version: 1 })).toMatchObject({ sites: 'attention' });
  });
});
