/**
 * npm run demo -- [--images DIR] [--class WORD] [--kind instance|style] [--captions FILE] [--steps1 N] [--steps2 N] [--recipe "rank=8 anchor=1"] [--compare lora] [--out DIR]
 * The studio learns a folder of pictures through its real page in headless Chromium, and out/ gets sheet.png (rows: base, customized,
 * customized on the Base prompt, base and customized on unrelated prompts; columns: 8 prompts, same seeds), strip-N.png over training, studio.png,
 * the LoRA and run.json (src/protocol/runReport.ts). --recipe sets any field of the recipe. --compare lora learns once more with η = 0 and no anchor, and adds its measures.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuild, ensurePackages, giveUp, root } from './prepare.mjs';
import { median } from './growth.mjs';

const { values } = parseArgs({ options: {
  images: { type: 'string', default: join(root, 'public', 'concepts', 'one-eyed-monster') }, class: { type: 'string' }, kind: { type: 'string' }, captions: { type: 'string' },
  steps1: { type: 'string' }, steps2: { type: 'string' }, seed: { type: 'string' }, recipe: { type: 'string', default: '' }, compare: { type: 'string' }, backend: { type: 'string' }, threads: { type: 'string' }, out: { type: 'string', default: 'out' },
} });
if (values.compare && values.compare !== 'lora') giveUp(`--compare takes “lora”; it is “${values.compare}”.`);

ensurePackages();
ensureBuild();
const { StudioPage, readSet } = await import('./studioPage.mjs');
const set = await readSet(resolve(values.images), values.captions).catch((error) => giveUp(`The pictures could not be read: ${error.message}`));
if (values.class) set.classWord = values.class;
if (values.kind) set.kind = values.kind;
if (set.files.length === 0) giveUp(`There is no picture in ${values.images}.`);
if (set.kind !== 'style' && !set.classWord) giveUp('Say what the pictures show in general: --class dog');

const steps = { ...(values.steps1 ? { stage1Steps: values.steps1 } : {}), ...(values.steps2 ? { stage2Steps: values.steps2 } : {}), ...(values.seed ? { seed: values.seed } : {}), ...Object.fromEntries(values.recipe.split(/\s+/).filter(Boolean).map((pair) => pair.split('='))) };
const query = new URLSearchParams({ ...(values.backend ? { backend: values.backend } : {}), ...(values.threads ? { threads: values.threads } : {}) }).toString();
const out = resolve(values.out);
await mkdir(out, { recursive: true });
const started = performance.now();
const say = (text) => console.log(`[${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s] ${text}`);
const fixed = (value, digits = 3) => (value === null || value === undefined ? '–' : value.toFixed(digits));

/** One learning from the first visit to the measures. */
async function learnOnce(recipe, name) {
  const studio = await StudioPage.open({ query: query ? `?${query}` : '', report: say });
  const began = performance.now();
  try {
    await studio.visit({ ...steps, ...recipe });
    const compute = await studio.heard('compute');
    say(`${name}: the base is in, computing on ${compute.adapter}`);
    await studio.drop(set);
    let next = 0;
    const run = await studio.learn((now, last) => {
      if (now.step < next) return;
      next = now.step + 25;
      say(`${name}: step ${now.step} of ${now.totalSteps}, ${now.phase}${last ? `, loss ${fixed(last.losses.total ?? last.losses.flow)}, ${(last.stepMs / 1000).toFixed(2)} s a step` : ''}${now.secondsLeft === null ? '' : `, ${Math.round(now.secondsLeft)} s left`}`);
    });
    const strip = await studio.page.evaluate(() => [...document.querySelectorAll('[data-testid^="strip-"]')].map((button) => ({ step: button.dataset.testid.slice(6), url: button.querySelector('canvas')?.toDataURL('image/png') ?? null })));
    let told = 0;
    const { measures, sheet } = await studio.measure((text) => { if (performance.now() - told > 15_000) { told = performance.now(); say(`${name}: measuring, ${text}`); } });
    const rows = await studio.heard('metrics');
    await studio.page.screenshot({ path: join(out, recipe.eta === 0 ? 'studio-lora.png' : 'studio.png') });
    const secondsTotal = (performance.now() - began) / 1000;
    const file = await studio.keepAndExport();
    return { run, compute, rows, measures, sheet, strip, file, secondsTotal, peakBytes: studio.peakBytes };
  } finally {
    await studio.close();
  }
}

const mean = (numbers) => (numbers.length === 0 ? 0 : numbers.reduce((sum, value) => sum + value, 0) / numbers.length);

const { run, compute, rows, measures, sheet, strip, file, secondsTotal, peakBytes } = await learnOnce({}, 'Lamina').catch((error) => giveUp(`The run did not end: ${error.message}`));
await writeFile(join(out, 'sheet.png'), sheet);
await writeFile(join(out, file.name), file.bytes);
for (const { step, url } of strip) if (url) await writeFile(join(out, `strip-${step}.png`), Buffer.from(url.split(',')[1], 'base64'));

let compare = null;
if (values.compare) {
  const plain = await learnOnce({ eta: 0, anchor: 0 }, 'plain LoRA').catch((error) => giveUp(`The second run did not end: ${error.message}`));
  await writeFile(join(out, 'sheet-lora.png'), plain.sheet);
  compare = { name: 'lora', measures: plain.measures };
}

// stages and figures are the method's, by the names that its steps bring
const last = rows.filter(({ stage }) => stage === rows.at(-1).stage).slice(-100).map(({ figures }) => figures);
const perStep = (name) => median(last.flatMap(({ [name]: values }) => (values?.length ? [mean(values)] : [])));
const stages = [...new Set(rows.map(({ stage }) => stage))];
const secondsOf = (stage) => median(rows.filter((row) => row.stage === stage).map(({ stepMs }) => stepMs / 1000));
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
/** @type {import('../src/protocol/runReport').RunReport} */
const report = {
  version: 2, app: `Lamina ${version}`, set: set.name, recipe: run.recipe, backend: compute.backend, adapter: compute.adapter, threads: compute.threads, steps: rows,
  secondsPerStep: Object.fromEntries(stages.map((stage) => [stage, secondsOf(stage)])), secondsTotal,
  figures: Object.fromEntries([...new Set(last.flatMap(Object.keys))].map((name) => [name, perStep(name)])), measures, compare, peakTabBytes: peakBytes,
};
await writeFile(join(out, 'run.json'), JSON.stringify(report, null, 1));

const line = (name, m) => [name, m.likeness, m.likenessOwn, m.likenessBase, `${m.nearer}/${m.prompts.length}`, m.wholeness == null ? '' : `${m.wholeness.toFixed(2)} ${m.whole}/${m.prompts.length}`, m.driftBase, m.driftUnrelated, m.sameBase, m.sameUnrelated, m.likenessWithoutRows, m.likenessElsewhere].map((value) => (typeof value === 'string' ? value : fixed(value)).padEnd(11)).join('');
console.log(`\n${['', 'likeness', 'own', 'base', 'nearer', 'whole', 'driftBase', 'driftOther', 'sameBase', 'sameOther', 'no rows', 'elsewhere'].map((name) => name.padEnd(11)).join('')}\n${line('Lamina', measures)}${compare ? `\n${line('plain LoRA', compare.measures)}` : ''}`);
const listed = (numbers, unit = '') => Object.entries(numbers).map(([name, value]) => `${name} ${fixed(value, 2)}${unit}`).join(', ');
console.log(`\n${[listed(report.figures), `${listed(report.secondsPerStep, ' s')} a step`].filter(Boolean).join('; ')} on ${compute.adapter}; ${(secondsTotal / 60).toFixed(1)} minutes; the tab held ${peakBytes === null ? 'an unmeasured amount' : `${(peakBytes / 2 ** 20).toFixed(0)} MB`} at most.\nWritten to ${out}`);
