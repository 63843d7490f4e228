import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { readCaptionsFile } from './captionsFile';

it('reads the sets of the app', async () => {
  const read = readCaptionsFile(await readFile('public/concepts/guide-dog/captions.json', 'utf8'))!;
  expect(read).toMatchObject({ kind: 'instance', classWord: 'dog' });
  expect(read.images).toHaveLength(5);
});

it.each([
  ['no JSON', '{'],
  ['a page instead of the file', '<!doctype html>'],
  ['a kind it does not know', '{"kind":"person","classWord":"dog","images":[{"file":"1.png","complete":"a [V]","base":"a","target":"[V]"}]}'],
  ['a caption that is a number', '{"kind":"style","classWord":"","images":[{"file":"1.png","complete":"a, [V]","base":7,"target":"[V]"}]}'],
  ['a file elsewhere', '{"kind":"style","classWord":"","images":[{"file":"../../secret.png","complete":"a, [V]","base":"a","target":"[V]"}]}'],
  ['no pictures', '{"kind":"style","classWord":"","images":[]}'],
])('refuses %s', (_, text) => expect(readCaptionsFile(text)).toBeNull());
