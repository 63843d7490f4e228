/** Cards of the Shelf in a mix: added, called, gone and found again, over a client that is made up. */
import { beforeEach, expect, it } from 'vitest';
import type { CardSummary } from '../protocol/objects';
import { parseMix, type Mix } from '../protocol/mix';
import { fakeClient, type FakeClient } from '../testing/studio/fakeClient';
import { studioOver } from '../testing/studio/studioOver';
import { cardsToMix, drawnMix, guidanceName, sameCard, whySilent } from './mixCards';

const ghost: CardSummary = { cardId: 'G', kind: 'object', name: 'My ghost', classWord: 'ghost', createdAt: '', sizeBytes: 8192, references: 1, preview: null, base: 'embedded', imported: false, pictured: true };
let client: FakeClient;
let now: ReturnType<typeof studioOver>['now'];
let timers: (() => void)[];
const ready = (objects = true) => client.emit('ready', { base: 'embedded', name: 'Embedded base', sizeBytes: 1, imageSize: 128, sees: true, skips: false, withoutT5: false, objects });
const pause = () => { for (const run of timers.splice(0)) run(); };
const probes = () => client.asked.flatMap(({ name, params }) => (name === 'probeMix' ? [(params as { mix: Mix }).mix] : []));
const cards = async (list: CardSummary[]) => { client.answers.cards = () => list; await now().refreshCards(); };
const last = () => now().mix.guidances.at(-1)!;

beforeEach(async () => {
  client = fakeClient();
  ({ now, timers } = studioOver(client));
  ready();
  await cards([ghost, { ...ghost, cardId: 'other', name: 'Elsewhere', base: 'sd35' }]);
  now().enterMix();
});

it('takes part when the prompt calls it, and leaves the prompt with its guidance', () => {
  expect(cardsToMix(now()).map(({ cardId }) => cardId)).toEqual(['G']);
  now().setMix({ prompt: 'a [my-ghost] in the snow' });
  expect(now().mix.names).toEqual({ 'my-ghost': 'G' });
  expect(last()).toMatchObject({ weight: 1, source: { kind: 'object', object: { cardId: 'G', strength: 1 }, name: 'My ghost', classWord: 'ghost' } });
  now().setMix({ prompt: 'a [my-ghost] in the snow at night' });
  expect(now().mix.guidances.filter(({ source }) => source.kind === 'object')).toHaveLength(1);
  expect(parseMix(JSON.parse(JSON.stringify(now().mix)))).toEqual(now().mix);
  now().removeGuidance(last().id);
  expect(now().mix).toMatchObject({ prompt: 'a ghost in the snow at night', names: {} });
});

it('moves with the concepts on the pad', () => {
  now().setMix({ prompt: 'a [my-ghost]' });
  now().setPad(1.2, 0.6);
  expect(now().mix.guidances.map(({ weight }) => weight)).toEqual([1.2, 0.6]);
});

it('is gone: it says so by name, is left out of what is drawn, and acts again with all it had once a card of its name is there', async () => {
  now().setMix({ prompt: 'a [my-ghost] in the snow' });
  pause();
  const { id, source } = last();
  now().setGuidance(id, { weight: 0.7, mask: { kind: 'box', left: 0, top: 0, right: 0.5, bottom: 1, feather: 0.1 } });
  expect(whySilent(source, now())).toBeNull();
  expect(probes().at(-1)!.guidances.at(-1)!.muted).toBe(false);
  const before = probes().length;
  await cards([]);
  now().enterMix();
  expect(guidanceName(last(), now())).toBe('My ghost');
  expect(whySilent(source, now())).toMatch(/“My ghost” is not on this Shelf\. Import/);
  expect(probes()).toHaveLength(before + 1);
  expect(probes().at(-1)!.guidances.at(-1)).toMatchObject({ id, muted: true });
  await now().drawMix();
  expect((client.asked.findLast(({ name }) => name === 'drawMix')!.params as { mix: Mix }).mix.guidances.at(-1)!.muted).toBe(true);
  expect(last()).toMatchObject({ id, muted: false, weight: 0.7 });

  const imported = { ...ghost, cardId: 'again', imported: true };
  await cards([imported]);
  expect(sameCard(source, now())).toEqual(imported);
  now().seeCard(id, imported);
  expect(last()).toMatchObject({ id, weight: 0.7, mask: { right: 0.5 }, source: { object: { cardId: 'again' } } });
  expect(now().mix.names).toEqual({ 'my-ghost': 'again' });
  expect(drawnMix(now().mix, now())).toBe(now().mix);
});

it('does not act where the model has no object encoder, or is not the card’s', async () => {
  now().setMix({ prompt: 'a [my-ghost] in the snow' });
  const { source } = last();
  await cards([{ ...ghost, base: 'sd35' }]);
  expect(whySilent(source, now())).toMatch(/another model/);
  ready(false);
  expect(cardsToMix(now())).toEqual([]);
  expect(whySilent(source, now())).toMatch(/no object encoder/);
  expect(drawnMix(now().mix, now()).guidances.map(({ muted }) => muted)).toEqual([false, true]);
});

it('is not judged before the session has said which cards there are', () => {
  const fresh = studioOver(fakeClient()).now();
  expect(whySilent({ kind: 'object', object: { cardId: 'G', strength: 1, zeroTokens: 0, ortho: 'none', startStep: 0 }, words: null, name: 'My ghost', classWord: '' }, { ...fresh, ready: now().ready })).toBeNull();
});
