/**
 * npm run record -- [--set one-eyed-monster --name 'one-eyed monster'] [--steps1 N] [--steps2 N] [--lora FILE] [--prompt TEXT --seed N]
 * Remakes public/example, what the first visit shows before the weights are in: learns a sample set through the real page and saves
 * the full pictures along the balance slider (0 … 2 in steps of 0.25) with what they were drawn from (src/protocol/example.ts).
 * With --lora, a file that \`npm run demo\` exported is imported instead of learning once more. Also writes docs/learn.png, the page at the end.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuild, ensurePackages, root } from './prepare.mjs';

const { values } = parseArgs({ options: {
  set: { type: 'string', default: 'one-eyed-monster' }, name: { type: 'string' }, steps1: { type: 'string' }, steps2: { type: 'string' },
  lora: { type: 'string' }, prompt: { type: 'string', default: 'a big [V] ghost in the snow' }, seed: { type: 'string', default: '502' },
} });
ensurePackages();
ensureBuild();
const { StudioPage, readSet } = await import('./studioPage.mjs');
const set = await readSet(join(root, 'public', 'concepts', values.set));
const folder = join(root, 'public', 'example');
const balances = Array.from({ length: 9 }, (_, n) => n / 4);

/** Sets the slider as its own input event does, then draws and waits for the full picture. */
async function drawAt(studio, balance) {
  await studio.slide(balance);
  await studio.page.waitForFunction((text) => document.querySelector('[data-testid=balance-value]')?.textContent?.includes(text), balance.toFixed(2));
  await studio.page.waitForSelector('[data-testid=draw]:not([disabled]), [data-testid=cancel-draw]');
  await studio.page.waitForTimeout(700);
  await studio.page.waitForSelector('[data-testid=twin-concept][data-state=full]', { timeout: 180_000 });
  await studio.page.waitForSelector('[data-testid=draw]', { timeout: 180_000 });
  return studio.canvas('[data-testid=twin-concept] canvas');
}

/** Learns the set; gives what the example says of the concept. */
async function learned() {
  await studio.page.locator(`[data-testid=sample-${values.set}]`).first().click();
  await studio.page.waitForSelector(`[data-testid=card-${set.files.length - 1}][data-state=ready]`);
  let next = 0;
  const run = await studio.learn((now) => {
    if (now.step < next) return;
    next = now.step + 50;
    console.log(`step ${now.step} of ${now.totalSteps}`);
  });
  return { lambda: run.lambda };
}

/** Opens a concept from its exported file; λ is what the page then shows. */
async function imported(file) {
  await studio.find('tab-shelf').click();
  await studio.find('import-input').setInputFiles(file);
  await studio.find('concept-open-0').click();
  await studio.page.waitForSelector('[data-testid=lambda]');
  return { lambda: Number(await studio.find('lambda').textContent()) };
}

const studio = await StudioPage.open({ report: console.log });
try {
  await studio.visit({ ...(values.steps1 ? { stage1Steps: values.steps1 } : {}), ...(values.steps2 ? { stage2Steps: values.steps2 } : {}) });
  const concept = values.lora ? await imported(resolve(values.lora)) : await learned();
  await studio.page.waitForSelector('[data-testid=draw]', { timeout: 180_000 });
  await studio.find('prompt').fill(values.prompt);
  await studio.find('seed').fill(values.seed);
  await studio.find('seed').press('Tab');
  await studio.find('draw').click();
  await studio.page.waitForSelector('[data-testid=cancel-draw]');
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
    version: 1, name: values.name ?? set.title ?? set.name.replaceAll('-', ' '), kind: set.kind, classWord: set.classWord, prompt, basePrompt: prompt.replace(/,?\s*\[V\] (picture|style|art)$/, '').replace('[V] ', ''),
    seed: Number(await value('seed')), steps: Number(await value('steps')), guidance: Number(await value('guidance')), lambda: concept.lambda, adapter: compute.adapter, recordedAt: new Date().toISOString(), baseFile: 'base.png', pictures,
  };
  await writeFile(join(folder, 'example.json'), `${JSON.stringify(example, null, 2)}\n`);
  await studio.find('more').click();
  await drawAt(studio, 1);
  await studio.page.screenshot({ path: join(root, 'docs', 'learn.png') });
  console.log('Written to public/example.');
} finally {
  await studio.close();
}
