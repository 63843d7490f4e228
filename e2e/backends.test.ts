/**
 * The same 1 + 2 steps on WebGPU (SwiftShader, the software adapter), on wasm with two threads and with one: every loss agrees at every
 * step, also while the engine is measured for ?hud. The second loss needs the first stage's update, the third the student's. Batch 1,
 * because SwiftShader takes some hundred times as long as a GPU.
 */
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { root } from '../scripts/prepare.mjs';
import { violationsInBothThemes } from './axe';
import { at, baseReady, ids, openStage, visit } from './studio';
import { closePrivate, visitWith, watchSteps } from './watch';

/** f32 sums in another order on another backend, grown over two optimizer steps. */
const TOLERANCE = 1e-3;
const STEPS = 3;
/** SwiftShader on two busy cores: shaders, encoding, the base's picture and three steps. */
const SLOW_MS = 500_000;
const recipe = { classWord: 'monster', stage1Steps: 1, stage2Steps: 2, batchSize: 1, flip: false, previewEvery: 1000, seed: 3 };

interface Learned { backend: string | null; adapter: string; losses: Record<string, number>[]; hud: Hud | null }
/** What the overlay showed: the steps, in order, then all its text, its longest kernels, and what axe has against it in both themes. */
interface Hud { steps: string[]; text: string; longest: string; violations: string[] }

async function learn(query: string, webgpu = false): Promise<Learned> {
  const stage = await openStage({ webgpu });
  try {
    const { page } = stage;
    const steps = await watchSteps(stage);
    // the pictures around the run are not what this test is about
    await visitWith(stage, recipe, { steps: 8, guidance: 1 }, query);
    await baseReady(page, 200_000);
    // two: a single picture is first looked at by the object encoder
    await at(page, ids.dropInput).setInputFiles(['1.png', '2.png'].map((name) => join(root, 'public', 'concepts', 'one-eyed-monster', name)));
    for (const card of ['card-0', 'card-1']) await page.waitForSelector(`[data-testid=${card}][data-state=ready]`);
    await at(page, ids.learn).click();
    const hud = at(page, ids.hud);
    const shown = new Set<string>();
    const measured = query.includes('hud');
    const done = async () => {
      if (measured) shown.add((await at(page, 'hud-step').textContent()) ?? '');
      return steps.length === STEPS && (!measured || [...shown].some((text) => text.startsWith(`step ${STEPS}`)));
    };
    await expect.poll(done, { timeout: SLOW_MS, interval: 200 }).toBe(true);
    expect(await hud.count()).toBe(measured ? 1 : 0);
    console.log(`${query} ${steps.map(({ stage: name, losses, stepMs }) => `${name} ${JSON.stringify(losses)} ${(stepMs / 1000).toFixed(1)} s`).join('; ')}`);
    const compute = at(page, ids.compute);
    return { backend: await compute.getAttribute('data-backend'), adapter: (await compute.textContent()) ?? '', losses: steps.map(({ losses }) => losses), hud: measured ? await readHud(page, [...shown]) : null };
  } finally {
    await closePrivate(stage);
  }
}

async function readHud(page: Page, steps: string[]): Promise<Hud> {
  return { steps, text: await at(page, ids.hud).innerText(), longest: await at(page, ids.hudTop).innerText(), violations: await violationsInBothThemes(page) };
}

let first: Promise<Learned> | null = null;
/** One-threaded wasm: what the others are held against. */
const reference = () => (first ??= learn('?backend=wasm&threads=1'));

function expectAlike(one: Learned, other: Learned): void {
  expect(other.losses.map((losses) => Object.keys(losses).sort())).toEqual(one.losses.map((losses) => Object.keys(losses).sort()));
  const gaps = one.losses.flatMap((losses, step) => Object.entries(losses).map(([name, value]) => ({ step, name, gap: Math.abs(value - other.losses[step]![name]!) })));
  expect(gaps.length).toBeGreaterThan(STEPS);
  expect(gaps.filter(({ gap }) => !(gap <= TOLERANCE))).toEqual([]);
}

it('learns alike with two wasm threads, and tells what the engine does', async () => {
  const one = await reference();
  const two = await learn('?backend=wasm&threads=2&hud');
  expect(one.adapter).toContain('1 thread');
  expect(two.adapter).toContain('2 threads');
  expectAlike(one, two);
  const { hud } = two;
  expect(hud?.steps.filter((text) => /^step \d\d?\d*[\d.]* ms$/.test(text)).length).toBeGreaterThan(1);
  expect(hud?.text).toMatch(/kernels\s+[\d.]+ ms\s+tensors\s+\d+\s+bytes\s+\d+ MB, peak \d+ MB\s+wasm heap\s+\d+ MB\s+page heap\s+\d+ MB/);
  expect(hud?.longest).toMatch(/BatchMatMul\s+\d+ %/);
  expect(hud?.violations).toEqual([]);
});

it('learns alike on WebGPU', async () => {
  const gpu = await learn('?backend=webgpu', true);
  expect(gpu.backend).toBe('webgpu');
  expectAlike(await reference(), gpu);
}, SLOW_MS);

it('takes wasm, and says why, where there is no WebGPU', async () => {
  const stage = await openStage();
  try {
    await visit(stage, {}, '');
    await baseReady(stage.page);
    expect(await at(stage.page, ids.compute).getAttribute('data-backend')).toBe('wasm');
    expect((await at(stage.page, ids.compute).getAttribute('title'))?.length).toBeGreaterThan(10);
  } finally {
    await closePrivate(stage);
  }
});
