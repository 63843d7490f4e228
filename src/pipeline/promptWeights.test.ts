import { beforeAll, describe, expect, it } from 'vitest';
import type * as tf from '../engine/tf';
import { expectNoLeak, useBackend } from '../testing/backend';
import { folderFiles } from '../testing/files';
import { loadBase, type Base } from './base';
import { disposePrompts, encodePrompts } from './prompts';
import { readWeights } from './promptWeights';

describe('weighted words', () => {
  it('are cut out of the prompt with their weights', () => {
    expect(readWeights('a (red:1.3) dog on (a beach: .5)')).toEqual({ text: 'a red dog on a beach', spans: [{ from: 2, to: 5, weight: 1.3 }, { from: 13, to: 20, weight: 0.5 }] });
    expect(readWeights('(dog:-0.5)').spans).toEqual([{ from: 0, to: 3, weight: -0.5 }]);
    expect(readWeights('(a:12) (b:2)')).toEqual({ text: '(a:12) b', spans: [{ from: 7, to: 8, weight: 2 }] });
  });

  it.each(['a dog', 'a (red) dog', 'a dog (at 12:30)', 'a (dog:x)', '(:1.2)', 'a dog: 1.2'])('are not seen in “%s”', (prompt) => expect(readWeights(prompt).spans).toEqual([]));

  it('inside others count alone', () => expect(readWeights('(a (red:1.5) dog:2)')).toEqual({ text: '(a red dog:2)', spans: [{ from: 3, to: 6, weight: 1.5 }] }));
});

describe('prompts with weighted words', () => {
  let base: Base;
  beforeAll(async () => {
    await useBackend('wasm');
    base = await loadBase('embedded', folderFiles('public/base'));
  });
  const numbers = (x: tf.Tensor) => x.dataSync() as Float32Array;

  it('move those tokens alone away from the empty prompt’s, and know where [V] stands', async () => {
    await expectNoLeak(async () => {
      const words = await encodePrompts(base, ['a (red [V]:1.5) dog', 'a red [V] dog', 'a red (dog:1) [V]'], 'zq');
      const width = words.context.shape[2];
      const [all, empty] = [numbers(words.context), numbers(base.null.context)];
      const row = (i: number, t: number) => all.subarray((i * words.context.shape[1] + t) * width, (i * words.context.shape[1] + t + 1) * width);
      expect(words.at.slice(0, 2)).toEqual([words.at[1], words.at[1]]);
      const after = base.tokenizer.encodeBare('a red zq').length - 1;
      for (let t = 0; t < words.context.shape[1]; t++) {
        const inside = t >= 2 && t < after;
        row(0, t).forEach((value, k) => {
          const plain = row(1, t)[k]!;
          const none = empty[t * width + k]!;
          expect(value).toBeCloseTo(inside ? none + 1.5 * (plain - none) : plain, 4);
        });
      }
      disposePrompts(words);
    });
  });
});
