/**
 * The session worker is killed at random moments of a run, in every way a browser may do it, also while its successor is still
 * loading; on WebGPU the browser's GPU process is crashed, so that the device is really lost. Nobody presses anything, and the
 * run ends in the weights of one that was left alone, byte for byte, having lost no more than the steps since its last checkpoint.
 * `npm test` does 3 moments on wasm, one of each way; `npm run recovery` does 20, on the backend of its choice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StepMetrics } from '../src/protocol/run';
import { root } from '../scripts/prepare.mjs';
import { CHECKPOINT_MS, checkpointDigest, checkpointStep, stored } from './runs';
import { at, baseReady, ids, openStage, phaseOf, untilPhase, type Stage } from './studio';
import { closePrivate, visitWith, watchSteps, watchWorkers, type Workers } from './watch';

const webgpu = process.env.RECOVERY_BACKEND === 'webgpu';
const MOMENTS = Number(process.env.RECOVERY_MOMENTS ?? 3);
const SEED = Number(process.env.RECOVERY_SEED ?? 1);
/** Steps enough that the moments spread over several checkpoints; SwiftShader takes seconds for one. */
const STEPS = (webgpu ? 3 : 4) * MOMENTS + 4;
const recipe = { classWord: 'monster', stage1Steps: Math.floor(STEPS / 2), stage2Steps: Math.ceil(STEPS / 2), batchSize: 1, flip: false, previewEvery: 1000, seed: 7 };
const PATIENCE_MS = webgpu ? 300_000 : 90_000;

type Kind = 'terminated' | 'closed itself' | 'threw' | 'GPU process crashed';
interface Moment { kind: Kind; atStep: number; checkpoint: number; lost: number; noticedMs: number; backMs: number; twice: boolean }

/** Mulberry32: the same moments for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

let stage: Stage;
let steps: StepMetrics[];
let workers: Workers;
beforeAll(async () => {
  // a browser keeps a page whose GPU process crashed from trying again, and gives WebGPU up altogether after some crashes
  stage = await openStage({ webgpu, args: ['--disable-domain-blocking-for-3d-apis', '--disable-gpu-process-crash-limit'] });
  steps = await watchSteps(stage);
  workers = await watchWorkers(stage);
});
afterAll(() => closePrivate(stage));

async function kill(kind: Kind): Promise<void> {
  const { page } = stage;
  if (kind === 'GPU process crashed') {
    const cdp = await stage.context.browser()!.newBrowserCDPSession();
    await cdp.send('Browser.crashGpuProcess');
    return cdp.detach();
  }
  if (kind === 'terminated') return workers.terminate('session');
  const session = page.workers().filter((worker) => /\/entry[^/]*$/.test(worker.url())).at(-1)!;
  if (kind === 'threw') await session.evaluate(() => { setTimeout(() => { throw new Error('The worker dies of this test.'); }); });
  // a worker that closes itself does not answer what asked it to
  else void session.evaluate(() => self.close()).catch(() => undefined);
}

async function learn(): Promise<void> {
  const { page } = stage;
  // away first: another fragment alone would not begin the page anew; the full picture after the run is not what this test is about
  await page.goto('about:blank');
  await visitWith(stage, recipe, { steps: 8, guidance: 1 }, webgpu ? '?backend=webgpu' : '?backend=wasm&threads=1');
  await baseReady(page, PATIENCE_MS);
  // two: a single picture is first looked at by the object encoder
  await at(page, ids.dropInput).setInputFiles(['1.png', '2.png'].map((name) => join(root, 'public', 'concepts', 'one-eyed-monster', name)));
  for (const card of ['card-0', 'card-1']) await page.waitForSelector(`[data-testid=${card}][data-state=ready]`);
  await at(page, ids.learn).click();
}

/** Waits for a step of this life and kills within the next one; `held`: not before a checkpoint was made on the way, however fast the machine is. */
async function moment(kind: Kind, step: number, random: () => number, { twice, held }: { twice: boolean; held: boolean }): Promise<Moment> {
  const { page } = stage;
  const life = steps.length;
  const reached = (least: number) => expect.poll(() => steps.length > life && steps.at(-1)!.step >= least, { timeout: PATIENCE_MS, interval: 5 }).toBe(true);
  await reached(step);
  if (held) {
    await at(page, ids.pause).click();
    await untilPhase(page, ['paused'], PATIENCE_MS);
    await at(page, ids.resume).click();
    await reached(steps.at(-1)!.step + 1);
  }
  await sleep(random() * steps.at(-1)!.stepMs);
  const before = (await workers.made('session')).length;
  const killedAt = Date.now();
  await kill(kind);
  await expect.poll(async () => (await workers.made('session')).length, { timeout: PATIENCE_MS, interval: 10 }).toBe(before + 1);
  const noticedMs = (await workers.made('session')).at(-1)! - killedAt;
  const seen = steps.length;
  const atStep = steps.at(-1)!.step;
  const checkpoint = await checkpointStep(stage, steps[seen - 1]!.runId);
  await at(page, ids.restarting).waitFor({ state: 'attached' });
  if (twice) {
    await sleep(random() * 1500);
    await kill('terminated');
  }
  await expect.poll(() => steps.length, { timeout: PATIENCE_MS, interval: 5 }).toBeGreaterThan(seen);
  const first = steps[seen]!;
  expect(first.runId).toBe(steps[seen - 1]!.runId);
  expect(first.step).toBe(checkpoint + 1);
  const again = steps.slice(0, seen).filter((row) => row.runId === first.runId && row.step > checkpoint);
  const work = new Map(again.map((row) => [row.step, row.stepMs]));
  work.delete(atStep);
  expect([...work.values()].reduce((sum, stepMs) => sum + stepMs, 0)).toBeLessThanOrEqual(CHECKPOINT_MS);
  return { kind, atStep, checkpoint, lost: atStep - checkpoint, noticedMs, backMs: Date.now() - killedAt, twice };
}

/** Each file of the base whole, one run with each of its steps once, at most two complete checkpoints. */
async function expectSoundDatabase(runId: string): Promise<void> {
  const manifests = await stored<{ sha256: string; chunks: { sizeBytes: number }[] }>(stage, 'manifests');
  const chunks = await stored<number>(stage, 'chunks');
  expect(chunks.reduce((sum, size) => sum + size, 0)).toBe(manifests.flatMap((file) => file.chunks).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  expect((await stored<{ runId: string }>(stage, 'runs')).filter((run) => run.runId === runId)).toHaveLength(1);
  const rows = (await stored<{ runId: string; rows: { step: number }[] }>(stage, 'metrics')).filter((part) => part.runId === runId).flatMap((part) => part.rows.map(({ step }) => step));
  expect(rows).toEqual(Array.from({ length: STEPS }, (_, n) => n + 1));
  const checkpoints = (await stored<{ runId: string; complete: boolean; step: number }>(stage, 'checkpoints')).filter((one) => one.runId === runId);
  expect(checkpoints.length).toBeLessThanOrEqual(2);
  expect(checkpoints.every(({ complete }) => complete)).toBe(true);
  expect(Math.max(...checkpoints.map(({ step }) => step))).toBe(STEPS);
}

it(`loses no more than the steps since a checkpoint at ${MOMENTS} moments, and ends in the same weights`, async () => {
  const { page } = stage;
  const finished = async () => {
    await expect.poll(() => phaseOf(page), { timeout: PATIENCE_MS * 10, interval: 200 }).toBe('finished');
    return checkpointDigest(stage, steps.at(-1)!.runId);
  };
  await learn();
  const straight = await finished();
  console.log(`${STEPS} steps left alone: ${steps.map(({ stepMs }) => (stepMs / 1000).toFixed(1)).join(' ')} s`);
  const random = randomFrom(SEED);
  const chosen = new Set<number>();
  while (chosen.size < MOMENTS) chosen.add(1 + Math.floor(random() * (STEPS - 3)));
  const kinds: Kind[] = webgpu ? ['GPU process crashed', 'GPU process crashed', 'terminated'] : ['terminated', 'closed itself', 'threw'];

  await learn();
  const began = Date.now();
  const moments: Moment[] = [];
  for (const [n, step] of [...chosen].sort((a, b) => a - b).entries()) {
    moments.push(await moment(kinds[n % kinds.length]!, step, random, { twice: n % 4 === 1, held: n % 3 === 0 }));
    console.log(JSON.stringify(moments.at(-1)));
  }
  const recovered = await finished();
  const compute = at(page, ids.compute);
  expect(await compute.getAttribute('data-backend')).toBe(webgpu ? 'webgpu' : 'wasm');
  expect(await at(page, ids.fault).allTextContents()).toEqual([]);
  await expectSoundDatabase(steps.at(-1)!.runId);
  const sum = (pick: (one: Moment) => number) => moments.reduce((total, one) => total + pick(one), 0);
  console.log(`${MOMENTS} moments, seed ${SEED}, ${await compute.textContent()}: ${sum(({ lost }) => lost)} steps lost in all, at most ${Math.max(...moments.map(({ lost }) => lost))} at once; `
    + `noticed after ${Math.round(sum(({ noticedMs }) => noticedMs) / MOMENTS)} ms (at most ${Math.max(...moments.map(({ noticedMs }) => noticedMs))}), a step made again after ${(sum(({ backMs }) => backMs) / MOMENTS / 1000).toFixed(1)} s; ${((Date.now() - began) / 1000).toFixed(0)} s`);
  expect(straight.numbers).toBeGreaterThan(100_000);
  expect(recovered).toEqual(straight);
}, webgpu ? 7_200_000 : 900_000);

if (webgpu) it('goes on in wasm, and says so, once the device has failed three times within a minute or does not come back', async () => {
  const { page } = stage;
  await learn();
  const life = steps.length;
  await expect.poll(() => steps.length, { timeout: PATIENCE_MS, interval: 50 }).toBeGreaterThan(life);
  await at(page, ids.pause).click();
  await untilPhase(page, ['paused'], PATIENCE_MS);
  const { runId, step } = steps.at(-1)!;
  const backend = () => at(page, ids.compute).getAttribute('data-backend');
  for (let crash = 0; crash < 3 && (await backend()) === 'webgpu'; crash++) {
    const made = (await workers.made('session')).length;
    await kill('GPU process crashed');
    await expect.poll(async () => (await workers.made('session')).length > made || (await backend()) === 'wasm', { timeout: PATIENCE_MS }).toBe(true);
    // time to get a device again, so that there is one to lose; three of these are well within the minute
    await sleep(5000);
  }
  await expect.poll(backend, { timeout: PATIENCE_MS }).toBe('wasm');
  await expect.poll(() => phaseOf(page), { timeout: PATIENCE_MS }).toBe('paused');
  expect(await at(page, ids.compute).getAttribute('title')).toMatch(/failed 3 times within a minute|could not be had again/);
  const seen = steps.length;
  await at(page, ids.resume).click();
  await expect.poll(() => steps.length, { timeout: PATIENCE_MS }).toBeGreaterThan(seen);
  expect(steps[seen]).toMatchObject({ runId, step: step + 1 });
  expect(await page.getByText('the last digits may differ from an uninterrupted run').count()).toBe(1);
}, 1_800_000);
