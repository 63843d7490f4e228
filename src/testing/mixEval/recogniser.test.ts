import { describe, expect, test } from 'vitest';
import { makeRecogniser, squaresOf, type Squares } from './recogniser';

const unit = (...values: number[]): Float32Array => { const size = Math.hypot(...values); return Float32Array.from(values, (value) => value / size); };
const picture = (...embeddings: Float32Array[]): Squares => ({ embeddings });
const [background, plain, thing] = [unit(1, 0, 0, 0), unit(0, 1, 0, 0), unit(0, 0.3, 1, 0)];

test('squares cover the picture and lie in it', () => {
  const squares = squaresOf(false);
  expect(squares).toHaveLength(25 + 9 + 1);
  expect(squares.every(([left, top, side]) => left + side <= 1 && top + side <= 1)).toBe(true);
  expect(squaresOf(true)).toEqual([[0, 0, 1]]);
});

describe('a concept', () => {
  // the concept's pictures are mostly background, which the base draws too
  const concept = [picture(background, thing, background, background)];
  const against = [picture(background, plain)];
  const heldOut = Array.from({ length: 20 }, (_, n) => picture(background, unit(0, 1, 0.05 * n, 0.1)));
  const { score, threshold } = makeRecogniser(concept, against, heldOut);
  test('is seen where one square shows it', () => expect(score(picture(background, background, thing))).toBeGreaterThan(threshold));
  test('is not seen in what the base makes of the same words', () => expect(score(picture(background, plain))).toBeLessThanOrEqual(threshold));
  test('its background alone is not it', () => expect(score(picture(background))).toBeLessThan(0.2));
  test('the threshold lets one in twenty of the base’s pictures pass', () => expect(heldOut.filter((each) => score(each) > threshold)).toHaveLength(1));
});
