import { describe, expect, it } from 'vitest';
import { measures } from '../../testing/studio/figures';
import { verdict } from './verdict';

describe('the verdict', () => {
  // likeness, base and own as the sample sets have them (README)
  it.each([[0.552, 0.15, 0.534, 8], [0.572, -0.073, 0.58, 8], [0.617, 0.525, 0.601, 7], [0.597, -0.047, 0.715, 8]])('calls %f learned', (likeness, likenessBase, likenessOwn, nearer) =>
    expect(verdict({ ...measures, likeness, likenessBase, likenessOwn, nearer })).toBe('Learned.'));

  it.each([[0.2, 0.15, 0.534, 8], [0.55, 0.15, 0.534, 3]])('calls %f barely learned where it stayed near the base', (likeness, likenessBase, likenessOwn, nearer) =>
    expect(verdict({ ...measures, likeness, likenessBase, likenessOwn, nearer })).toBe('Barely learned: learn longer.'));

  it.each([[8, 'Learned.'], [5, 'Learned.'], [4, 'Learned in pieces: learn longer, or with a higher rank.'], [null, 'Learned.'], [undefined, 'Learned.']])('with %s of 8 whole says %s', (whole, said) =>
    expect(verdict({ ...measures, whole })).toBe(said));
});
