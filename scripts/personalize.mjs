/**
 * npm run personalize -- --image FILE [--image FILE …] --class WORD --prompts FILE --out DIR [--strength 0.8, of a face 1] [--seed 42] [--steps 20] [--backend wasm] [--threads N]
 * npm run identity -- (the same, with) [--look faithful|plain|style] [--start-step 0] [--share 0.5: two --image are of two people, mixed, and so much is the second]
 * Draws the thing of one picture (or of several) by the prompts of a file, a line each, through the built app in headless Chromium and without
 * training. Writes OUT/NN.png and OUT/NN-base.png, sheet.png (the base above, the thing below), the card's file, and personalize.json with
 * likeness and copying of each picture. --class is left out to take the app's own guess. Needs a base with an object encoder. `npm run identity`
 * draws somebody by the face (--face) and needs a base with an identity adapter and its encoder.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuild, ensurePackages, giveUp } from './prepare.mjs';

const { values } = parseArgs({ options: {
  image: { type: 'string', multiple: true, default: [] }, class: { type: 'string' }, prompts: { type: 'string' }, out: { type: 'string' },
  face: { type: 'boolean', default: false }, look: { type: 'string', default: 'plain' }, 'start-step': { type: 'string', default: '0' }, share: { type: 'string' },
  strength: { type: 'string' }, seed: { type: 'string', default: '42' }, steps: { type: 'string', default: '20' }, backend: { type: 'string' }, threads: { type: 'string' },
} });
if (values.image.length === 0) giveUp('Say which picture: --image FILE');
if (!values.prompts) giveUp('Say what to draw: --prompts FILE, a prompt a line, with [V] or the class word for the thing.');
const strength = Number(values.strength ?? (values.face ? 1 : 0.8));
if (!(strength >= 0 && strength <= 1.4)) giveUp(`--strength takes a number from 0 to 1.4; it is “${values.strength}”.`);
if (!['faithful', 'plain', 'style'].includes(values.look)) giveUp(`--look is faithful, plain or style; it is “${values.look}”.`);
const startStep = Number(values['start-step']);
if (!(Number.isInteger(startStep) && startStep >= 0 && startStep <= 20)) giveUp(`--start-step takes a whole number from 0 to 20; it is “${values['start-step']}”.`);
const share = values.share === undefined ? null : Number(values.share);
if (share !== null && !(share >= 0 && share <= 1 && values.face && values.image.length === 2)) giveUp('--share takes a number from 0 to 1, and two pictures of faces.');
const name = values.face ? 'identity' : 'personalize';
const images = values.image.map((file) => resolve(file));
const prompts = (await readFile(resolve(values.prompts), 'utf8').catch((error) => giveUp(`The prompts could not be read: ${error.message}`))).split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
if (prompts.length === 0) giveUp(`${values.prompts} has no prompt.`);

ensurePackages();
ensureBuild();
const { personalize } = await import('./personalizing.mjs');
const out = resolve(values.out ?? join('out', name));
await mkdir(out, { recursive: true });
const started = performance.now();
const say = (text) => console.log(`[${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s] ${text}`);
const query = new URLSearchParams({ ...(values.backend ? { backend: values.backend } : {}), ...(values.threads ? { threads: values.threads } : {}) }).toString();

const names = prompts.map((_, n) => String(n + 1).padStart(2, '0'));
const found = await personalize({
  images, face: values.face ? { look: values.look, startStep, share } : null, classWord: values.class ?? null, prompts, strength, seed: Number(values.seed), steps: Number(values.steps), query: query ? `?${query}` : '', say,
  async onPicture(n, { concept, base }) {
    await writeFile(join(out, `${names[n]}.png`), concept);
    await writeFile(join(out, `${names[n]}-base.png`), base);
  },
  sheet: { rows: [names.map((name) => join(out, `${name}-base.png`)), names.map((name) => join(out, `${name}.png`))], file: join(out, 'sheet.png') },
}).catch((error) => giveUp(error.message));
await writeFile(join(out, found.card.name), found.card.bytes);
const { card, ...report } = found;
await writeFile(join(out, `${name}.json`), JSON.stringify({ version: 1, images: images.map((file) => basename(file)), strength, steps: Number(values.steps), card: { file: card.name, sizeBytes: card.bytes.byteLength }, ...report }, null, 1));
const fixed = (value) => (value === null ? '–' : value.toFixed(3));
console.log(`\n${'likeness'.padEnd(10)}${'copied'.padEnd(10)}prompt\n${report.pictures.map(({ prompt, likeness, copied }) => `${fixed(likeness).padEnd(10)}${fixed(copied).padEnd(10)}${prompt}`).join('\n')}`);
console.log(`\n${report.firstSeconds.toFixed(1)} s from drop to the first picture, ${report.fullSeconds.toFixed(1)} s to the full one; the card has ${(card.bytes.byteLength / 1000).toFixed(1)} kB.\nWritten to ${out}`);
