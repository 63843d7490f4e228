/** A face of one picture: dropped, its head found, drawn by strength, compared, kept. On the page adapter and encoder have random weights; the commands draw by those that ship. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { personalize } from '../scripts/personalizing.mjs';
import { root } from '../scripts/prepare.mjs';
import { readCard } from '../src/formats/cardFile';
import { violations } from './axe';
import { serveFaces } from './objectBase';
import { at, baseReady, bothDrawn, ids, openStage, slide, type Stage } from './studio';
import { closePrivate, visitWith } from './watch';

const PICTURE = join(root, 'public', 'concepts', 'one-eyed-monster', '1.png');
const SOMEBODY = join(root, 'public', 'concepts', 'redbeard', '1.png');

let stage: Stage;
beforeAll(async () => { stage = await openStage({ firstVisit: true }); });
afterAll(() => closePrivate(stage));

it('draws by the head that was found, and at strength 0 the base, bit for bit', async () => {
  const { page, context } = stage;
  await serveFaces(context);
  await visitWith(stage, {}, { steps: 8 });
  await baseReady(page);
  await at(page, ids.dropInput).first().setInputFiles(SOMEBODY);
  await at(page, ids.classWord).fill('man');
  await at(page, ids.byFace).click();
  await at(page, ids.headFrame).waitFor();
  const drawn = await bothDrawn(stage.page);
  expect(drawn.concept).not.toBe(drawn.base);
  await at(page, ids.twinConcept).hover();
  await at(page, ids.heat).click();
  await at(page, ids.heatShare).filter({ hasText: /^[1-9]\d* % differs/ }).waitFor();
  expect(await violations(page)).toEqual([]);
  await slide(page, 0);
  await page.waitForSelector(`[data-testid=${ids.twinConcept}]:not([data-state=full])`);
  const alone = await bothDrawn(stage.page);
  expect(alone.concept).toBe(alone.base);
});

it('draws a file of prompts by command, and keeps the card', async () => {
  const drawn: boolean[] = [];
  const { card } = await personalize({
    images: [SOMEBODY], face: { look: 'style', startStep: 2 }, classWord: 'man', prompts: ['a [V] man on a beach'], strength: 1.2, seed: 7, steps: 8, query: '?backend=wasm&threads=1',
    profile: inject('visitedProfile'), onPicture: async (n, { concept, base }) => { drawn[n] = !concept.equals(base); },
  });
  expect(drawn).toEqual([true]);
  expect(readCard(card.bytes, card.name)).toMatchObject({ kind: 'identity', classWord: 'man', tokens: { count: 32, width: 192 } });
});

it('says by command that nobody is in a picture of a thing', async () => {
  await expect(personalize({ images: [PICTURE], face: { look: 'plain', startStep: 0 }, classWord: 'ghost', prompts: ['a [V] ghost on a beach'], strength: 1, seed: 7, steps: 8, query: '?backend=wasm&threads=1', profile: inject('visitedProfile'), onPicture: () => Promise.resolve() }))
    .rejects.toThrow('No head is recognised in this picture. If somebody is there, choose what is marked or frame the head yourself.');
});
