/**
 * The main job, small: a sample set is learned until drafts live (26 steps and a few of stage 2); the slider is moved while steps are made and afterwards.
 * Measured where the user feels it: from the slider's input event to the twin's new picture, in the page, while the worker trains.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { at, baseReady, full, ids, loadSample, openStage, slide, stepsDone, twin, untilPhase, type Stage } from './studio';
import { closePrivate, median, slideTimes, tabBytes, untilStep, visitWith } from './watch';

/** Colours of the linear map at once: one frame of a 60 Hz screen. */
const LINEAR_MS = 16;
/** Decoded pixels: below what reads as a delay while dragging. */
const DECODED_MS = 150;
/** Other work on the machine may spoil a round of moves; being quick once shows that the studio is not in the way. */
const MOST_ROUNDS = 4;
const TAB_BYTES = 2 * 1024 ** 3;
/** The pictures of an untrained base on its own prompts spread over 40 levels and more; a constant or NaN picture has 0. */
const LEAST_SPREAD = 10;

let stage: Stage;
let peakBytes = 0;
const note = async () => { peakBytes = Math.max(peakBytes, await tabBytes(stage)); };

beforeAll(async () => {
  stage = await openStage();
  await visitWith(stage, { stage1Steps: 26, stage2Steps: 60, batchSize: 1, previewEvery: 1000 }, { steps: 8 });
  await baseReady(stage.page);
  await loadSample(stage.page, 'one-eyed-monster');
  await at(stage.page, ids.learn).click();
});
afterAll(() => closePrivate(stage));

describe('learning and sliding', () => {
  it('answers the slider with a draft while steps are made', async () => {
    const { page } = stage;
    await untilStep(page, 25);
    await slideTimes(page, 3);
    const from = await stepsDone(page);
    const rounds: { linear: number; decoded: number }[] = [];
    const quick = () => rounds.some(({ linear, decoded }) => linear <= LINEAR_MS && decoded <= DECODED_MS);
    while (!quick() && rounds.length < MOST_ROUNDS) {
      const times = await slideTimes(page, 15);
      rounds.push({ linear: median(times.map(({ linearMs }) => linearMs)), decoded: median(times.map(({ decodedMs }) => decodedMs)) });
    }
    await note();
    const made = (await stepsDone(page)) - from;
    console.log(`slider during training, medians of 15 moves: ${rounds.map(({ linear, decoded }) => `linear ${linear.toFixed(1)} ms, decoded ${decoded.toFixed(1)} ms`).join('; ')}; ${made} steps made meanwhile`);
    expect(made).toBeGreaterThanOrEqual(1);
    expect(quick()).toBe(true);
  });

  it('draws other pixels at another balance, and the base itself at 0', async () => {
    const { page } = stage;
    await at(page, ids.stop).click();
    await untilPhase(page, ['stopped']);
    await full(page, ids.twinBase);
    const drawn = new Map<number, NonNullable<Awaited<ReturnType<typeof twin>>>>();
    for (const balance of [0, 1, 2]) {
      await slide(page, balance);
      await full(page, ids.twinConcept);
      const picture = await twin(page, ids.twinConcept);
      expect(picture?.spread).toBeGreaterThan(LEAST_SPREAD);
      drawn.set(balance, picture!);
    }
    await note();
    const base = await twin(page, ids.twinBase);
    expect(base?.spread).toBeGreaterThan(LEAST_SPREAD);
    expect(drawn.get(0)?.hash).toBe(base?.hash);
    expect(new Set([...drawn.values()].map(({ hash }) => hash)).size).toBe(3);
  });

  it('stays below 2 GB and says nothing in the console', () => {
    console.log(`tab at most ${(peakBytes / 2 ** 20).toFixed(0)} MB`);
    expect(peakBytes).toBeGreaterThan(0);
    expect(peakBytes).toBeLessThan(TAB_BYTES);
    expect(stage.errors.filter((text) => !text.startsWith('Failed to load resource'))).toEqual([]);
  });
});
