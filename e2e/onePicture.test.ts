/** One picture, one pass: dropped, masked, encoded, drawn by strength, kept as a card, opened without a network. On the page the encoder’s weights are random; the command draws by the one that ships. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { personalize } from '../scripts/personalizing.mjs';
import { root } from '../scripts/prepare.mjs';
import { readCard } from '../src/formats/cardFile';
import { likenessRange } from '../src/protocol/objects';
import { violations } from './axe';
import { dropOnPage, saved, type SavedFile } from './files';
import { serveObjectEncoder } from './objectBase';
import { at, baseReady, bothDrawn, full, ids, openStage, slide, twin, type Stage } from './studio';
import { closePrivate, visitWith } from './watch';

const PICTURE = join(root, 'public', 'concepts', 'one-eyed-monster', '1.png');
const OTHER = join(root, 'public', 'concepts', 'one-eyed-monster', '2.png');
const MOST_ENCODER_BYTES = 8e6;

let stage: Stage;
let card: SavedFile;
beforeAll(async () => { stage = await openStage({ firstVisit: true }); });
afterAll(() => closePrivate(stage));

it('draws a dropped picture by itself, and at strength 0 the base, bit for bit', async () => {
  const { page, context } = stage;
  expect(await serveObjectEncoder(context)).toBeLessThan(MOST_ENCODER_BYTES);
  await visitWith(stage, {}, { steps: 8 });
  await baseReady(page);
  const began = performance.now();
  await at(page, ids.dropInput).first().setInputFiles(PICTURE);
  const since = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  await page.waitForSelector(`[data-testid=${ids.twinConcept}][data-state=quick]`);
  const first = `${since()} to the first look`;
  await full(page, ids.twinConcept);
  console.log(`from drop: ${first}, ${since()} to the picture of 8 steps`);
  const drawn = await bothDrawn(stage.page);
  expect(drawn.concept).not.toBe(drawn.base);
  expect(await at(page, ids.maskPicture).getAttribute('data-found')).toBe('true');
  expect(await at(page, ids.balanceValue).textContent()).toBe(likenessRange.start.object.toFixed(2));
  expect(await at(page, ids.objectSize).textContent()).toBe('16 tokens · 6 kB');
  expect(await at(page, ids.classWord).inputValue()).not.toBe('');
  await at(page, ids.objectCopied).filter({ hasText: /\d\.\d\d · / }).waitFor();
  await at(page, ids.objectLikeness).filter({ hasText: /\d\.\d\d/ }).waitFor();

  await slide(page, 0);
  await page.waitForSelector(`[data-testid=${ids.twinConcept}]:not([data-state=full])`);
  const alone = await bothDrawn(stage.page);
  expect(alone.concept).toBe(alone.base);
  expect(alone.base).toBe(drawn.base);
  expect(await violations(page)).toEqual([]);
});

it('mends the mask by brush, and says what is wrong with an empty one', async () => {
  const { page } = stage;
  await slide(page, likenessRange.start.object);
  await bothDrawn(stage.page);
  await at(page, ids.maskInvert).click();
  await at(page, ids.maskInvert).click();
  await at(page, ids.maskBrush).click();
  await at(page, ids.maskErase).click();
  const box = (await at(page, ids.maskPicture).boundingBox())!;
  await page.mouse.move(box.x + 2, box.y + 2);
  await page.mouse.down();
  for (let n = 0; n <= 40; n++) await page.mouse.move(box.x + (n % 2 ? 2 : box.width - 2), box.y + (n / 40) * box.height, { steps: 2 });
  await page.mouse.up();
  await page.waitForSelector(`[data-testid=${ids.maskPicture}][data-fault=mask-empty]`);
  await at(page, ids.maskAgain).click();
  await page.waitForSelector(`[data-testid=${ids.maskPicture}][data-found=true]:not([data-fault])`);
});

it('keeps a card, a small file of tokens and words', async () => {
  const { page } = stage;
  await bothDrawn(stage.page);
  await at(page, ids.keepCard).click();
  await at(page, ids.tabShelf).click();
  await at(page, 'card-kept-0').waitFor();
  card = await saved(page, () => at(page, 'card-export-0').click());
  expect(readCard(card.buffer, card.name)).toMatchObject({ references: 1, base: 'embedded', tokens: { count: 16, width: 192 } });
});

it('needs no network after this visit: opens the card, draws another picture, takes the file back', async () => {
  const { page, context } = stage;
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await context.unrouteAll({ behavior: 'wait' });
  await stage.stopServer();
  await page.reload();
  await baseReady(page);
  await at(page, ids.tabShelf).click();
  await at(page, 'card-open-0').click();
  const opened = await bothDrawn(stage.page);
  expect(opened.concept).not.toBe(opened.base);
  await at(page, ids.newConcept).click();
  await at(page, ids.dropInput).first().setInputFiles(OTHER);
  await page.waitForSelector(`[data-testid=${ids.maskPicture}][data-found=true]`);
  expect((await bothDrawn(stage.page)).concept).not.toBe(opened.concept);
  await at(page, ids.tabShelf).click();
  await dropOnPage(page, card);
  await at(page, 'card-kept-1').waitFor();
});

it('goes on to learning with the picture, the word and the object still in hand, and back', async () => {
  const { page } = stage;
  await at(page, ids.tabLearn).click();
  await at(page, ids.learnProperly).click();
  await page.waitForSelector(`[data-testid=${ids.learn}]:not([disabled])`);
  expect(await twin(page, ids.twinConcept)).not.toBeNull();
  await at(page, ids.backToOne).click();
  await at(page, ids.maskPicture).waitFor();
  expect(stage.errors.filter((text) => !text.startsWith('Failed to load resource'))).toEqual([]);
});

it('draws a file of prompts by command, and keeps the card', async () => {
  const drawn: number[] = [];
  const { classWord, pictures, card: made, firstSeconds } = await personalize({
    images: [PICTURE], classWord: 'ghost', prompts: ['a [V] ghost on a beach', 'a ghost at night'], strength: 1.2, seed: 7, steps: 8, query: '?backend=wasm&threads=1',
    profile: inject('visitedProfile'), onPicture: async (n, { concept, base }) => { drawn[n] = concept.equals(base) ? 0 : concept.byteLength; },
  });
  console.log(`by command: ${firstSeconds.toFixed(1)} s to the first picture, likeness ${pictures.map(({ likeness }) => likeness?.toFixed(2)).join(', ')}, copied ${pictures.map(({ copied }) => copied?.toFixed(2)).join(', ')}`);
  expect(classWord).toBe('ghost');
  expect(pictures).toMatchObject([{ prompt: 'a [V] ghost on a beach', seed: 7 }, { prompt: 'a ghost at night', seed: 7 }]);
  expect(drawn.every((bytes) => bytes > 1000)).toBe(true);
  expect(drawn[0]).not.toBe(drawn[1]);
  expect(readCard(made.bytes, made.name)).toMatchObject({ classWord: 'ghost', tokens: { count: 32, width: 192 } });
});
