import { describe, expect, it } from 'vitest';
import { Fault } from '../protocol/faults';
import { defaultRecipe } from '../protocol/recipe';
import { decodeFragment, encodeFragment } from './fragment';
import { defaultParams } from './params';

describe('the URL’s fragment', () => {
  it('is empty for the defaults', () => expect(encodeFragment(defaultRecipe(), defaultParams)).toBe(''));

  it('brings recipe and drawing parameters back', () => {
    const recipe = { ...defaultRecipe(), classWord: 'dog', stage1Steps: 12, flip: false, learningRate: 3e-4 };
    const params = { ...defaultParams, prompt: 'a [V] dog & a cake', seed: 7, balance: 0.5, sampler: 'euler' as const, skipLayers: true };
    const read = decodeFragment(encodeFragment(recipe, params));
    expect(read.recipe).toEqual(recipe);
    expect({ ...defaultParams, ...read.params }).toEqual(params);
  });

  it('names a base of the visitor’s own, whose defaults its fields have', () => {
    const recipe = { ...defaultRecipe(undefined, 'mine'), rank: 8 };
    const link = encodeFragment(recipe, defaultParams);
    expect(link).toBe('r.base=mine&r.rank=8');
    expect(decodeFragment(link).recipe).toEqual(recipe);
  });

  it.each(['r.stage1Steps=0', 'r.stage1Steps=many', 'r.stage1Steps=', 'r.flip=maybe', 'r.nothing=1', 'seed=-1', 'balance=3', 'steps=', 'sampler=heun', 'skipLayers=1', 'else=1'])('refuses %s with a named fault', (fragment) => {
    const read = () => decodeFragment(fragment);
    expect(read).toThrow(Fault);
  });
});
