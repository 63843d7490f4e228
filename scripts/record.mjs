/**
 * npm run record -- [--set guide-dog] [--steps1 N] [--steps2 N]
 * Remakes public/example, what the first visit shows before the weights are in: learns a sample set through the real page and saves
 * the full pictures along the balance slider (0 … 2 in steps of 0.25) with what they were drawn from (src/protocol/example.ts).
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuild, ensurePackages, root } from './prepare.mjs';

const { values } = parseArgs({ options: { set: { type: 'string', default: 'guide-dog' }, steps1: { type: 'string' }, steps2: { type: 'string' } } });
ensurePackages();
ensureBuild();
const { StudioPage, readSet } = await import('./studioPage.mjs');
const set = await readSet(join(root, 'public', 'concepts', values.set));
const folder = join(root, 'public', 'example');
const balances = Array.from({ length: 9 }, (_, n) => n / 4);

/** Sets the slider as its own input event does, then draws and waits for the full picture. */
async function drawAt(studio, balance) {
  await studio.page.evaluate((value) => {
    const input = document.querySelector('[data-testid=balance]');
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, String(value));
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }, balance);
  await studio.page.waitForFunction((text) => document.querySelector('[data-testid=balance-value]')?.textContent?.includes(text), balance.toFixed(2));
  await studio.page.waitForSelector('[data-testid=draw]:not([disabled]), [data-testid=cancel-draw]');
  await studio.page.waitForTimeout(700);
  await studio.page.waitForSelector('[data-testid=twin-concept][data-state=full]', { timeout: 180_000 });
  await studio.page.waitForSelector('[data-testid=draw]', { timeout: 180_000 });
  return studio.canvas('[data-testid=twin-concept] canvas');
}

const studio = await StudioPage.open({ report: console.log });
try {
  await studio.visit({ ...(values.steps1 ? { stage1Steps: values.steps1 } : {}), ...(values.steps2 ? { stage2Steps: values.steps2 } : {}) });
  await studio.page.locator(`[data-testid=sample-${values.set}]`).first().click();
  await studio.page.waitForSelector(`[data-testid=card-${set.files.length - 1}][data-state=ready]`);
  let next = 0;
  const run = await studio.learn((now) => {
    if (now.step < next) return;
    next = now.step + 50;
    console.log(`step ${now.step} of ${now.totalSteps}`);
  });
  await studio.page.waitForSelector('[data-testid=draw]', { timeout: 180_000 });
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const pictures = [];
  for (const balance of balances) {
    const file = `balance-${balance.toFixed(2)}.png`;
    await writeFile(join(folder, file), await drawAt(studio, balance));
    pictures.push({ balance, file });
    console.log(`drawn at balance ${balance}`);
  }
  await writeFile(join(folder, 'base.png'), await studio.canvas('[data-testid=twin-base] canvas'));
  const value = (name) => studio.find(name).inputValue();
  const prompt = await value('prompt');
  const compute = await studio.heard('compute');
  await studio.find('more').click();
  const example = {
    version: 1, name: run.name.toLowerCase(), kind: run.recipe.kind, classWord: run.recipe.classWord, prompt, basePrompt: prompt.replace(/,?\s*\[V\] (picture|style|art)$/, '').replace('[V] ', ''),
    seed: Number(await value('seed')), steps: Number(await value('steps')), guidance: Number(await value('guidance')), lambda: run.lambda, adapter: compute.adapter, recordedAt: new Date().toISOString(), baseFile: 'base.png', pictures,
  };
  await writeFile(join(folder, 'example.json'), `${JSON.stringify(example, null, 2)}\n`);
  console.log(`Written to public/example.`);
} finally {
  await studio.close();
}
