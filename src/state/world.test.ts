/** A world before it is learned: the recipe of another method, captions that wait, undo, and what a link says. */
import { expect, it } from 'vitest';
import { defaultRecipe, type Recipe } from '../protocol/recipe';
import { fakeClient } from '../testing/studio/fakeClient';
import { file, reading, studioOver } from '../testing/studio/studioOver';
import { decodeFragment, encodeFragment } from './fragment';
import { defaultParams } from './params';
import { picturesProblem } from './pictures';

function dropping() {
  const client = fakeClient();
  reading(client);
  return { ...studioOver(client), client };
}
const files = (count: number) => Array.from({ length: count }, (_, n) => file(`${n}.png`));

it('has a method, a recipe and limits of its own', async () => {
  const { now, client } = dropping();
  now().setKind('world');
  expect(now().recipe).toEqual(defaultRecipe(undefined, 'embedded', 'specialist'));
  await now().addFiles(files(19));
  expect(picturesProblem(now())).toMatch(/at least 20/);
  await now().addFiles(files(81));
  expect(picturesProblem(now())).toBeNull();
  expect({ cards: now().cards.length, name: now().conceptName, fault: now().inputFault }).toEqual({ cards: 100, name: 'My world', fault: null });
  await now().learn();
  expect(client.asked.find(({ name }) => name === 'learn')!.params).toMatchObject({ pictures: { length: 100 }, recipe: { method: 'specialist' } });
});

it('reads few pictures at a time', async () => {
  const { now, client } = dropping();
  let open = 0, most = 0;
  const drop = client.answers.drop!;
  client.answers.drop = async (params) => { most = Math.max(most, ++open); await Promise.resolve(); open--; return drop(params); };
  now().setKind('world');
  await now().addFiles(files(200));
  expect(now().cards.filter(({ state }) => state === 'ready')).toHaveLength(200);
  expect(most).toBeLessThanOrEqual(20);
});

it('leaves captions and the other recipe as they were, and undo brings the kind back', async () => {
  const { now } = dropping();
  now().setClassWord('dog');
  now().setField('rank', 8);
  await now().addFiles(files(2));
  now().setCaption(now().cards[0]!.pictureId, 'complete', 'a [V] dog on a beach');
  now().setKind('world');
  await now().addFiles(files(1));
  now().setField('steps', 77);
  now().setKind('instance');
  expect(now().recipe).toMatchObject({ method: 'purecc', classWord: 'dog', rank: 8 });
  expect(now().cards.map(({ captions }) => captions.complete)).toEqual(['a [V] dog on a beach', 'a [V] dog', 'a [V] dog']);
  now().undo();
  expect(now().recipe).toMatchObject({ method: 'specialist', kind: 'world', steps: 77 });
  now().resetRecipe();
  expect(now().recipe).toEqual(defaultRecipe(undefined, 'embedded', 'specialist'));
  now().setClassWord('cat');
  expect(now().recipe).not.toHaveProperty('classWord');
});

it('goes from a style to a thing as if there had been no world between', async () => {
  const { now } = dropping();
  now().setKind('style');
  await now().addFiles(files(1));
  now().setCaption(now().cards[0]!.pictureId, 'complete', 'a dog on a beach, [V]');
  now().setKind('world');
  await now().addFiles(files(1));
  now().setKind('instance');
  now().setClassWord('dog');
  expect(now().cards[0]!.captions).toEqual({ complete: 'a [V] dog on a beach', base: 'a dog on a beach', target: '[V] dog' });
});

it('says how many are too many for a thing', async () => {
  const { now } = dropping();
  now().setKind('world');
  await now().addFiles(files(25));
  now().setKind('instance');
  expect(picturesProblem(now())).toMatch(/up to 20 pictures; these are 25/);
});

it('goes with the link', () => {
  const recipe = { ...defaultRecipe(undefined, 'embedded', 'specialist'), steps: 300, flip: false };
  const text = encodeFragment(recipe, defaultParams);
  expect(decodeFragment(text).recipe).toEqual(recipe);
  expect(() => decodeFragment('r.method=specialist&r.classWord=dog')).toThrow(/classWord/);
  expect(() => decodeFragment('r.method=alchemy')).toThrow(/alchemy/);
});

it.each(['purecc', 'pulid'] as const)('asks for the class word before anything is let go (%s)', (method) => {
  const cards = [{ state: 'ready', captions: { complete: 'a [V] woman', base: 'a woman', target: '[V] woman' } }] as never;
  const recipe = defaultRecipe(undefined, 'embedded', method);
  expect(picturesProblem({ cards, recipe: { ...recipe, classWord: ' ' } as Recipe })).toMatch(/class word/);
  expect(picturesProblem({ cards, recipe: { ...recipe, classWord: 'woman' } as Recipe })).toBeNull();
});
