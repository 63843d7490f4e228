/**
 * The main way: a page alive before the weights, a sample set, a few steps, the slider while steps are made and afterwards, the keyboard.
 * The slider is measured where the user feels it: from its input event to the twin's new picture, in the page, while the worker trains.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from '../scripts/prepare.mjs';
import { nearestPicture, parseExample } from '../src/protocol/example';
import { violationsInBothThemes } from './axe';
import { at, baseReady, full, ids, loadSample, openStage, slide, stepsDone, twin, untilPhase, type Stage } from './studio';
import { median } from '../src/protocol/median';
import { tabBytes } from '../scripts/driver.mjs';
import { closePrivate, slideTimes, untilStep, visitWith, watchShare } from './watch';

/** Colours of the linear map at once: one frame of a 60 Hz screen. */
const LINEAR_MS = 16;
/** Decoded pixels: below what reads as a delay while dragging. */
const DECODED_MS = 150;
/** Below this share other programs compute all the time; how much longer work takes then beside them, beyond the share they take. */
const BUSY = 0.8, CROWDED = 1.5;
/** Other programs may spoil a round of moves; being quick once shows that the studio is not in the way. */
const MOST_ROUNDS = 4;
const TAB_BYTES = 2 * 1024 ** 3;
/** Levels of 255. Pictures of the base spread over 40 and more; a constant or NaN picture has 0. */
const LEAST_SPREAD = 10;

let stage: Stage;
let peakBytes = 0;
const noteMemory = async () => { peakBytes = Math.max(peakBytes, await tabBytes(stage.context)); };

beforeAll(async () => { stage = await openStage({ firstVisit: true }); });
afterAll(() => closePrivate(stage));

/** Holds the networks' weights back until the returned function is called. */
async function holdWeights(): Promise<() => Promise<void>> {
  let letGo = () => {};
  const held = new Promise<void>((resolve) => { letGo = resolve; });
  await stage.context.route('**/base/**/*.packed', async (route) => { await held; await route.continue(); });
  return async () => { letGo(); await stage.context.unrouteAll({ behavior: 'wait' }); };
}

it('is alive before the weights are in: the recorded example slides, pictures can be dropped, prompts written', async () => {
  const { page } = stage;
  const release = await holdWeights();
  const example = parseExample(JSON.parse(await readFile(join(root, 'public', 'example', 'example.json'), 'utf8')))!;
  await visitWith(stage, { stage1Steps: 26, stage2Steps: 60, batchSize: 1, previewEvery: 1000 }, { steps: 8 });
  await page.getByText('recorded example').first().waitFor();
  const shown = () => page.locator(`[data-testid=${ids.twinConcept}] img:visible`).getAttribute('src');
  for (const balance of [1, 0, 2]) {
    await slide(page, balance);
    await at(page, ids.balanceValue).filter({ hasText: balance.toFixed(2) }).waitFor();
    expect(await shown()).toContain(nearestPicture(example, balance).file);
  }
  await slide(page, 1);
  await loadSample(page, 'one-eyed-monster');
  await at(page, ids.prompt).fill('a [V] monster on a beach');
  expect(await at(page, ids.prompt).inputValue()).toBe('a [V] monster on a beach');
  expect(await at(page, ids.baseStatus).getAttribute('data-ready')).toBe('false');
  expect(await at(page, ids.learn).isDisabled()).toBe(true);
  await release();
  await baseReady(page);
  expect(await at(page, ids.learn).isDisabled()).toBe(false);
});

it('answers the slider with a draft while steps are made', async () => {
  const { page } = stage;
  await at(page, ids.learn).click();
  await untilStep(page, 25);
  await slideTimes(page, 3);
  const from = await stepsDone(page);
  const rounds: { linear: number; decoded: number; share: number }[] = [];
  // Where other programs compute, times are taken by the share of the machine that was left to the browser; two programs on one core's two threads also slow each other.
  const quick = () => rounds.some(({ linear, decoded, share }) => [linear / LINEAR_MS, decoded / DECODED_MS].every((times) => times * share <= (share < BUSY ? CROWDED : 1)));
  while (!quick() && rounds.length < MOST_ROUNDS) {
    const shareSince = await watchShare(stage);
    const times = await slideTimes(page, 15);
    rounds.push({ linear: median(times.map(({ linearMs }) => linearMs))!, decoded: median(times.map(({ decodedMs }) => decodedMs))!, share: await shareSince() });
  }
  await noteMemory();
  const made = (await stepsDone(page)) - from;
  const line = ({ linear, decoded, share }: (typeof rounds)[number]) => `linear ${linear.toFixed(1)} ms, decoded ${decoded.toFixed(1)} ms with ${(100 * share).toFixed(0)} % of the machine`;
  console.log(`slider during training, medians of 15 moves: ${rounds.map(line).join('; ')}; ${made} steps made meanwhile`);
  expect(made).toBeGreaterThanOrEqual(1);
  expect(quick()).toBe(true);
});

it('draws other pixels at another balance, and the base itself at 0', async () => {
  const { page } = stage;
  await at(page, ids.stop).click();
  await untilPhase(page, ['stopped']);
  await full(page, ids.twinBase);
  const drawn = new Map<number, number>();
  for (const balance of [0, 1, 2]) {
    await slide(page, balance);
    await page.waitForSelector(`[data-testid=${ids.twinConcept}]:not([data-state=full])`);
    await full(page, ids.twinConcept);
    const picture = await twin(page, ids.twinConcept);
    expect(picture?.spread).toBeGreaterThan(LEAST_SPREAD);
    drawn.set(balance, picture!.hash);
  }
  await noteMemory();
  const base = await twin(page, ids.twinBase);
  expect(base?.spread).toBeGreaterThan(LEAST_SPREAD);
  expect(drawn.get(0)).toBe(base?.hash);
  expect(new Set(drawn.values()).size).toBe(3);
});

const focused = () => stage.page.evaluate(() => document.activeElement?.getAttribute('data-testid') ?? '');

/** Presses Tab until an element with one of these test ids has the focus. */
async function tabTo(...wanted: string[]): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    if (wanted.includes(await focused())) return;
    await stage.page.keyboard.press('Tab');
  }
  throw new Error(`Tab never reaches “${wanted.join('” or “')}”.`);
}

it('slides and draws by keyboard alone', async () => {
  const { page } = stage;
  const value = () => at(page, ids.balanceValue).textContent();
  await tabTo(ids.balance);
  await page.keyboard.press('Home');
  expect(await value()).toBe('0.00');
  await page.keyboard.press('ArrowRight');
  expect(await value()).toBe('0.05');
  await page.keyboard.press('Shift+ArrowRight');
  expect(await value()).toBe('0.06');
  await page.keyboard.press('End');
  expect(await value()).toBe('2.00');
  await tabTo(ids.prompt);
  await page.keyboard.press('Control+A');
  await page.keyboard.type('a [V] monster in the snow');
  await page.keyboard.press('Escape');
  await tabTo(ids.draw);
  await page.keyboard.press('Enter');
  await page.getByRole('img', { name: 'a [V] monster in the snow' }).first().waitFor({ timeout: 60_000 });
  await full(page, ids.twinConcept);
});

it('reads well with a run’s figures, and no part that was read later loads for good', async () => {
  expect(await violationsInBothThemes(stage.page)).toEqual([]);
  expect(await at(stage.page, ids.loadingBar).count()).toBe(0);
});

it('stays below 2 GB and has nothing to say in the console', async () => {
  await noteMemory();
  console.log(`tab at most ${(peakBytes / 2 ** 20).toFixed(0)} MB`);
  expect(peakBytes).toBeGreaterThan(0);
  expect(peakBytes).toBeLessThan(TAB_BYTES);
  expect(stage.errors.filter((text) => !text.startsWith('Failed to load resource'))).toEqual([]);
});
