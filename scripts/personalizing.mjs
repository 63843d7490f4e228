/** What `npm run personalize` and `npm run identity` do in the page: drops pictures, waits for the object, draws prompts, keeps the card. Its tests hand in a profile that has the base stored. */
import { readFileSync } from 'node:fs';
import { StudioPage } from './studioPage.mjs';

/** In the page: whether both twins show this prompt in full, or what went wrong. */
const drawnOr = ([prompt, seed]) => {
  const fault = document.querySelector('.prompt-line [data-testid=fault], .mask-said [data-testid=fault], .banner [data-testid=fault]');
  if (fault) return `fault: ${fault.textContent}`;
  if (!document.querySelector('[data-testid=draw]')) return false;
  return ['twin-base', 'twin-concept'].every((id) => {
    const figure = document.querySelector(`[data-testid=${id}]`);
    return figure?.dataset.state === 'full' && !figure.dataset.stale && figure.querySelector('canvas')?.getAttribute('aria-label')?.endsWith(`“${prompt}”, seed ${seed}`);
  }) ? 'drawn' : false;
};

/**
 * `face`: how somebody's face is seen; a thing without it.
 * @param {{ images: string[]; face?: { look: 'faithful' | 'plain' | 'style'; startStep: number; share?: number | null } | null; classWord: string | null; prompts: string[]; strength: number; seed: number; steps: number; query?: string; say?: (text: string) => void; timeout?: number;
 *   profile?: string; onPicture: (n: number, pictures: { concept: Buffer; base: Buffer }) => Promise<void>; sheet?: { rows: string[][]; file: string } | null }} options
 */
export async function personalize({ images, face = null, classWord, prompts, strength, seed, steps, query = '', say = () => {}, timeout = 300_000, profile = undefined, onPicture, sheet = null }) {
  const studio = await StudioPage.open({ query, report: say, profile });
  const { page } = studio;
  const drawn = async (prompt) => {
    const text = String(await (await page.waitForFunction(drawnOr, [prompt, seed], { timeout, polling: 200 })).jsonValue());
    if (text.startsWith('fault')) throw new Error(text.slice(7));
  };
  try {
    await studio.visit({}, { seed, steps });
    const ready = await studio.heard('ready');
    if (face && !ready.faces) throw new Error('This base has no identity adapter with its encoder (identity_adapter and identity_encoder), so nobody can be drawn from a picture alone.');
    if (!face && !ready.objects) throw new Error('This base has no object encoder (object_adapter/model.safetensors), so nothing can be drawn from a picture alone.');
    const began = performance.now();
    await studio.find('drop-input').setInputFiles(images);
    const word = studio.find('class-word');
    await word.waitFor();
    if (face) await seenAs(studio, face, timeout);
    if (classWord !== null) await word.fill(classWord);
    await page.waitForSelector('[data-testid=twin-concept]:is([data-state=quick], [data-state=full]):not([data-stale])', { timeout });
    const firstSeconds = (performance.now() - began) / 1000;
    await page.waitForSelector('[data-testid=twin-concept][data-state=full]:not([data-stale])', { timeout });
    const fullSeconds = (performance.now() - began) / 1000;
    const compute = await studio.heard('compute');
    const called = await word.inputValue();
    say(`the first picture of “${called}” after ${firstSeconds.toFixed(1)} s, in full after ${fullSeconds.toFixed(1)} s, computing on ${compute.adapter}`);
    await studio.slide(strength);
    const pictures = [];
    for (const [n, prompt] of prompts.entries()) {
      await studio.find('prompt').fill(prompt);
      const draw = page.locator('[data-testid=draw], [data-testid=cancel-draw]').first();
      if ((await draw.getAttribute('data-testid')) === 'draw') await draw.click();
      await drawn(prompt);
      const concept = studio.find('twin-concept');
      const revision = Number(await concept.getAttribute('data-revision'));
      const { likeness, copied } = await studio.ask('judgeObject', { revision });
      await onPicture(n, { concept: await studio.canvas('[data-testid=twin-concept] canvas'), base: await studio.canvas('[data-testid=twin-base] canvas') });
      pictures.push({ prompt, seed, likeness, copied });
      say(`${n + 1} of ${prompts.length}: ${prompt}`);
    }
    if (sheet) await studio.sheet(sheet.rows, sheet.file);
    const card = await keptCard(studio);
    return { classWord: called, firstSeconds, fullSeconds, compute, pictures, card };
  } finally {
    await studio.close();
  }
}

/** Turns what was dropped into a face, seen in this way. Throws what the page says where no single head was found. */
async function seenAs({ page }, { look, startStep, share = null }, timeout) {
  await page.locator('[data-testid=kind-person]').click();
  const found = await page.waitForFunction(() => (document.querySelector('[data-testid=head-frame]') ? 'framed' : document.querySelector('.mask-said [data-testid=fault]')?.textContent ?? false), undefined, { timeout, polling: 200 });
  const said = String(await found.jsonValue());
  if (said !== 'framed') throw new Error(said);
  if (look !== 'plain') await page.locator(`[data-testid=look-${look}]`).click();
  if (startStep > 0) await page.locator('[data-testid=start-step]').fill(String(startStep));
  if (share === null) return;
  await page.locator('[data-testid=faces-two]').click();
  await page.locator('[data-testid=face-share]').fill(String(share));
}

/** Keeps what is in hand through the page and saves its file from the Shelf. */
async function keptCard(studio) {
  const { page } = studio;
  await studio.find('keep-card').click();
  await studio.find('tab-shelf').click();
  await studio.find('card-export-0').waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), studio.find('card-export-0').click()]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}
