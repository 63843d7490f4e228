import { beforeAll, expect, it } from 'vitest';
import * as tf from '../engine/tf';
import { expectNoLeak, useBackend } from '../testing/backend';
import { tinyWords } from '../testing/tiny';
import { PromptCache } from './promptCache';
import { disposePrompts } from './prompts';

beforeAll(async () => void (await useBackend('cpu')));

it('keeps the latest used, makes the others anew, and frees all of them with itself', () => expectNoLeak(() => {
  const cache = new PromptCache(2);
  const made: string[] = [];
  const ask = (text: string, word = 'dog') => disposePrompts(cache.encoded([text], [word], () => {
    made.push(text);
    return tinyWords(1, false, 1);
  }));
  for (const text of ['a', 'b', 'a', 'c', 'a', 'b']) ask(text);
  // c pushed b out, since a had been asked for after it
  expect(made).toEqual(['a', 'b', 'c', 'b']);
  ask('b', 'cat');
  expect(made).toEqual(['a', 'b', 'c', 'b', 'b']);
  expect(cache.size).toBe(2);
  cache.dispose();
}));

it('outlives the tidy of whoever asked first', () => {
  const cache = new PromptCache();
  tf.tidy(() => void cache.encoded(['a'], [], () => tinyWords(1, false, 1)));
  const again = cache.encoded(['a'], [], () => { throw new Error('not kept'); });
  expect(again.context.dataSync()).toEqual(tinyWords(1, false, 1).context.dataSync());
  disposePrompts(again);
  cache.dispose();
});
