/**
 * npm run soak -- [--steps 2000] [--backend wasm|webgpu] [--set one-eyed-monster] [--samples 20] [--threads N] [--json FILE]
 * Does memory stay flat? The built studio learns for so many steps in headless Chromium while the slider moves and pictures are drawn.
 * At equal distances the run is paused, garbage is collected, and everything is read: JavaScript heaps of page and workers, tensors,
 * bytes in tensors, wasm heap, GPU bytes allocated and used. A line goes through the samples after the first tenth
 * of the run, and without the tenth after its second stage has begun (growth.mjs); anything that grows ends the program with status 1. WebGPU is the software adapter here, where a step takes seconds: give few steps.
 */
import { readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { softwareWebgpu } from './browser.mjs';
import { ALLOWED_SHARE, growth, HEAP_FLOOR_BYTES } from './growth.mjs';
import { ensureBuild, ensurePackages, giveUp, root } from './prepare.mjs';

const { values } = parseArgs({ options: {
  steps: { type: 'string', default: '2000' }, backend: { type: 'string', default: 'wasm' }, set: { type: 'string', default: 'one-eyed-monster' },
  samples: { type: 'string', default: '20' }, threads: { type: 'string', default: '1' }, json: { type: 'string' },
} });
const [steps, count] = [Number(values.steps), Number(values.samples)];
if (!Number.isInteger(steps) || steps < 10) giveUp(`--steps takes a whole number from 10; it is “${values.steps}”.`);
if (!Number.isInteger(count) || count < 4) giveUp(`--samples takes a whole number from 4; it is “${values.samples}”.`);
if (!['wasm', 'webgpu'].includes(values.backend)) giveUp(`--backend takes wasm or webgpu; it is “${values.backend}”.`);
const software = values.backend === 'webgpu';

/** Share of the run whose samples don't count, from its start and from that of its second stage: kernels, caches and canvases are made then. */
const WARM_UP = 0.1;
/** Share of the first stage. */
const FIRST = 0.4;
/** Bytes that the page keeps of each step for its charts and its report: one row of figures. */
const ROW_BYTES = 1024;
/** Tensors that may come to stay: a probe's point, a preview's twin. They are counted exactly, so no share of the level is allowed. */
const TENSORS = 4;
/** Between two moves of the slider, and between two drawn pictures. */
const MOVE_MS = 1500;
const DRAW_MS = software ? 120_000 : 25_000;

ensurePackages();
ensureBuild();
const { StudioPage, readSet } = await import('./studioPage.mjs');
const { watchHeaps } = await import('./heaps.mjs');
const known = join(root, 'public', 'concepts', values.set);
const folder = (await readdir(known).catch(() => null)) ? known : resolve(values.set);
const set = await readSet(folder).catch((error) => giveUp(`The pictures could not be read: ${error.message}`));

const began = performance.now();
const say = (text) => console.log(`[${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s] ${text}`);
const studio = await StudioPage.open({ query: `?${new URLSearchParams({ backend: values.backend, threads: values.threads })}`, report: say, extraFlags: software ? softwareWebgpu : [] });
const { page } = studio;
const heaps = await watchHeaps(page);
const run = () => studio.heard('run');
const failed = () => page.evaluate(() => globalThis.heard.faults.find(({ code }) => code !== 'aborted')?.message ?? null);

async function until(holds, what, limitMs) {
  for (const started = performance.now(); !(await holds()); await page.waitForTimeout(100)) {
    const fault = await failed();
    if (fault) throw new Error(fault);
    if (performance.now() - started > limitMs) throw new Error(`The studio did not ${what} within ${Math.round(limitMs / 1000)} s.`);
  }
}

/** Nothing is drawn, nothing awaited: what is held now is held on purpose. */
const resting = () => page.evaluate(() => !document.querySelector('[data-testid=cancel-draw]') && globalThis.heard.run?.phase !== 'learning');

async function sample() {
  const patience = software ? 900_000 : 180_000;
  const { phase } = await run();
  if (phase === 'learning') await studio.find('pause').click();
  await until(resting, 'come to rest', patience);
  await page.waitForTimeout(1500);
  await until(resting, 'come to rest', patience);
  const { step } = await run();
  // What the soak itself has overheard is not the studio's.
  await page.evaluate(() => { globalThis.heard.metrics.length = 0; globalThis.heard.drafts.length = 0; });
  const memory = await studio.ask('memory');
  const heap = await heaps.read();
  if ((await run()).phase === 'paused') await studio.find('resume').click();
  return { step, seconds: (performance.now() - began) / 1000, ...memory, ...Object.fromEntries(Object.entries(heap).map(([name, bytes]) => [`heap ${name}`, bytes])) };
}

const samples = [];
const stage1Steps = Math.floor(FIRST * steps);
async function soak() {
  await studio.visit({ stage1Steps, stage2Steps: steps - stage1Steps, previewEvery: Math.max(50, Math.floor(steps / 20)), seed: 7, ...(software ? { batchSize: 1 } : {}) });
  say(`${steps} steps on ${(await studio.heard('compute')).adapter}`);
  await studio.drop(set);
  await studio.find('learn').click();
  await until(async () => (await run()) !== null, 'begin', 300_000);
  let [due, moved, drawn, move, pictures] = [1, 0, performance.now(), 0, 0];
  for (;;) {
    const { phase, step } = await run();
    const ended = phase === 'finished';
    if (phase === 'failed') throw new Error((await failed()) ?? 'The run failed.');
    if (ended || step >= (due * steps) / count) {
      due = Math.floor((step * count) / steps) + 1;
      const taken = await sample();
      samples.push(taken);
      say(`step ${taken.step}: ${Object.entries(taken).filter(([name, value]) => value !== null && name !== 'step' && name !== 'seconds').map(([name, value]) => `${name} ${shown(name, value)}`).join(', ')}`);
      if (ended) return { pictures, moves: move };
    }
    const now = performance.now();
    if (now - moved > MOVE_MS) {
      moved = now;
      await studio.slide(0.1 * (move++ % 20));
    }
    if (now - drawn > DRAW_MS && (await studio.find('draw').isEnabled().catch(() => false))) {
      drawn = now;
      pictures++;
      await studio.find('draw').click();
    }
    const fault = await failed();
    if (fault) throw new Error(fault);
    await page.waitForTimeout(250);
  }
}

const shown = (name, value) => (name === 'tensors' ? value.toFixed(Number.isInteger(value) ? 0 : 2) : `${(value / 1e6).toFixed(Math.abs(value) < 1e5 ? 4 : 2)} MB`);

const { pictures, moves } = await soak().catch((error) => giveUp(`The soak did not end: ${error.message}`)).finally(() => studio.close());
const counted = samples.filter(({ step }) => step >= WARM_UP * steps && !(step >= stage1Steps && step < stage1Steps + WARM_UP * steps));
const names = Object.keys(samples[0]).filter((name) => name !== 'step' && name !== 'seconds' && counted.every((taken) => typeof taken[name] === 'number'));
const rows = names.map((name) => ({ name, ...growth(counted.map((taken) => ({ step: taken.step, value: taken[name], part: taken.step < stage1Steps ? 'extractor' : 'student' })), name === 'tensors' ? { share: 0, floor: TENSORS } : { keptPerStep: name === 'heap page' ? ROW_BYTES : 0, floor: name.startsWith('heap') ? HEAP_FLOOR_BYTES : 0 }) }));

const columns = (cells) => cells.map((cell, n) => (n === 0 ? cell.padEnd(20) : cell.padStart(14))).join('');
console.log(`\n${columns(['', 'level', 'rise', 'allowed', 'scatter', ''])}`);
for (const { name, level, rise, allowed, scatter, grows } of rows) console.log(columns([name, ...[level, rise, allowed, scatter].map((value) => shown(name, value)), grows ? 'GROWS' : 'flat']));
console.log(`\n${steps} steps, ${moves} moves of the slider, ${pictures} pictures, ${counted.length} samples from step ${counted[0].step} on. Grows: rises by more than ${100 * ALLOWED_SHARE} % of its level (tensors: by more than ${TENSORS}) and beyond the scatter; a heap, compiled code left out, may rise by ${HEAP_FLOOR_BYTES / 1e6} MB, and the page keep ${ROW_BYTES} bytes of figures a step.`);
if (values.json) await writeFile(values.json, JSON.stringify({ steps, backend: values.backend, moves, pictures, seconds: (performance.now() - began) / 1000, samples, rows }, null, 1));
process.exit(rows.some(({ grows }) => grows) ? 1 : 0);
