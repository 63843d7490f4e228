import { beforeAll, expect, it } from 'vitest';
import { expectNoLeak, useBackend } from '../testing/backend';
import { tinyWords } from '../testing/tiny';
import { PromptCache } from './promptCache';
import { disposePrompts } from './prompts';

beforeAll(async () => void (await useBackend('cpu')));

it('keeps the latest used, makes the others anew, and frees all of them with itself', () => expectNoLeak(async () => {
  const cache = new PromptCache(2);
  const made: string[] = [];
  const ask = async (text: string, word = 'dog') => disposePrompts(await cache.encoded([text], [word], async () => {
    made.push(text);
    return tinyWords(1, false, 1);
  }));
  for (const text of ['a', 'b', 'a', 'c', 'a', 'b']) await ask(text);
  // c pushed b out, since a had been asked for after it
  expect(made).toEqual(['a', 'b', 'c', 'b']);
  await ask('b', 'cat');
  expect(made).toEqual(['a', 'b', 'c', 'b', 'b']);
  expect(cache.size).toBe(2);
  cache.dispose();
}));

it('keeps one of two that were asked for at once', () => expectNoLeak(async () => {
  const cache = new PromptCache();
  const ask = () => cache.encoded(['a'], [], async () => tinyWords(1, false, 1));
  const [one, other] = await Promise.all([ask(), ask()]);
  expect(other.context.dataSync()).toEqual(one.context.dataSync());
  [one, other].forEach(disposePrompts);
  expect(cache.size).toBe(1);
  cache.dispose();
}));
