/**
 * npm run mix-eval -- --concepts DIR [--learned DIR] [--json FILE] [--out DIR] [--seeds N] [--steps N] [--only A+B,…]
 * Through the built app, headless: learns every set in DIR (or imports DIR/<set>/*.safetensors that were exported before), then draws
 * each pair in one picture by guidance, with the weights solved together, and as merged LoRAs, same seeds; beside them the untouched
 * base, each concept alone, and prompts that name none of them. Two things stand left and right, each drawn in its half as a scene of
 * its own; a style has the whole picture. Then src/testing/mixEval/main.ts recognises, prints the table and writes the JSON; OUT/<a>+<b>.png are sheets
 * (rows: base, guidance, solved together, merged; columns: the first eight seeds).
 */
import { copyFile, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuild, ensurePackages, giveUp, root } from './prepare.mjs';

const { values } = parseArgs({ options: { concepts: { type: 'string', default: join(root, 'public', 'concepts') }, learned: { type: 'string' }, json: { type: 'string' }, out: { type: 'string', default: 'out/mix' }, seeds: { type: 'string', default: '40' }, steps: { type: 'string', default: '16' }, only: { type: 'string' } } });
ensurePackages();
ensureBuild();
const { StudioPage, readSet } = await import('./studioPage.mjs');
const { runProgram } = await import('./node.mjs');

const out = resolve(values.out);
await mkdir(join(out, 'pictures'), { recursive: true });
const started = performance.now();
const say = (text) => console.log(`[${((performance.now() - started) / 1000).toFixed(0).padStart(5)} s] ${text}`);
const seeds = Array.from({ length: Number(values.seeds) }, (_, n) => 1000 + n);
const scenes = ['in the snow', 'on a beach', 'in a room', 'on grass'];
const unrelated = ['a cat in a room', 'a red car in a city', 'a house on grass', 'an apple on a wooden table', 'a tree in the snow', 'a robot on a beach', 'a fish on a blue background', 'a rocket at night'];

const names = [];
for (const name of (await readdir(resolve(values.concepts))).sort()) if ((await stat(join(resolve(values.concepts), name))).isDirectory()) names.push(name);
const sets = await Promise.all(names.map((name) => readSet(join(resolve(values.concepts), name))));
if (sets.length < 2) giveUp(`--concepts needs two sets at least; ${values.concepts} has ${sets.length}.`);

const studio = await StudioPage.open({ report: say });
try {
  await studio.visit({});
  const concepts = [];
  for (const [n, set] of sets.entries()) {
    if (values.learned) {
      const folder = join(resolve(values.learned), names[n]);
      const file = (await readdir(folder).catch(() => [])).find((each) => each.endsWith('.safetensors'));
      if (!file) giveUp(`${folder} has no .safetensors file.`);
      await studio.find('tab-shelf').click();
      await studio.find('import-input').setInputFiles(join(folder, file));
      await studio.page.waitForFunction((count) => document.querySelectorAll('.concept-card').length === count, n + 1, { timeout: 60_000 });
    } else {
      say(`learning ${names[n]}`);
      await studio.drop(set);
      let next = 0;
      await studio.learn((now) => { if (now.step >= next) { next = now.step + 100; say(`  step ${now.step} of ${now.totalSteps}`); } });
      await studio.find('concept-name').fill(names[n]);
      await studio.find('keep').click();
      await studio.page.waitForFunction((count) => globalThis.heard.kept >= count, n + 1, { timeout: 60_000 });
      await studio.find('new-concept').click();
    }
    const known = await studio.ask('concepts');
    const made = known.find(({ conceptId }) => !concepts.some((each) => each.conceptId === conceptId));
    concepts.push({ ...set, conceptId: made.conceptId, set: names[n] });
  }

  const nameOf = ({ set }) => set;
  const phrase = (concept) => `a [${nameOf(concept)}] ${concept.classWord}`;
  const plain = { against: '', schedule: { kind: 'constant' }, alone: false, muted: false, solo: false };
  const text = { id: 'text', ...plain, source: { kind: 'text', words: null }, weight: 1, mask: { kind: 'everywhere' } };
  // as the page's own preset has it
  const half = (left) => ({ kind: 'box', left, top: 0, right: left + 0.66, bottom: 1, feather: 0 });
  const besides = (concept, place, left, scene, muted) => ({ ...guidance(concept, half(left), `a [V] ${concept.classWord} on the ${place} ${scene}`, muted), alone: true });
  const guidance = (concept, mask = { kind: 'everywhere' }, words = null, muted = false) => ({ id: concept.conceptId, ...plain, source: { kind: 'concept', conceptId: concept.conceptId, words }, weight: 1, mask, muted });
  const composition = (together) => ({ orthogonal: false, together, parallel: 1, rescale: 0, zeroStar: false });
  const mixOf = (prompt, seed, guidances, together = false, called = concepts) => ({ version: 1, prompt, names: Object.fromEntries(called.map((each) => [nameOf(each), each.conceptId])), seed, steps: Number(values.steps), sampler: 'dpmpp-2m', guidance: 3, guidances, composition: composition(together), start: null });
  /** Draws it as the page would have it drawn; the PNG's name below OUT. */
  const draw = async (mix, merged, file) => {
    const url = await studio.drawMix(mix, merged);
    await writeFile(join(out, 'pictures', file), Buffer.from(url.split(',')[1], 'base64'));
    return join('pictures', file);
  };

  /** Alone: what the recogniser has to see. */
  const drawnSets = [];
  for (const concept of concepts) {
    const alone = [];
    for (const [n, seed] of seeds.slice(0, 8).entries()) {
      const prompt = concept.kind === 'style' ? `a house and a car ${scenes[n % scenes.length]}, [${nameOf(concept)}]` : `${phrase(concept)} ${scenes[n % scenes.length]}`;
      alone.push(await draw(mixOf(prompt, seed, [text, guidance(concept)], false, [concept]), false, `${concept.set}-alone-${n}.png`));
    }
    drawnSets.push({ name: concept.set, kind: concept.kind, pictures: concept.files.map((file) => join(concept.folder, file)), alone });
    say(`${concept.set} alone`);
  }

  const pairs = [];
  const wanted = values.only?.split(',');
  for (let i = 0; i < concepts.length; i++) {
    for (let j = i + 1; j < concepts.length; j++) {
      // a style comes second
      const [a, b] = concepts[i].kind === 'style' ? [concepts[j], concepts[i]] : [concepts[i], concepts[j]];
      const title = `${a.set}+${b.set}`;
      if ((wanted && !wanted.includes(title)) || a.kind === 'style') continue;
      const style = b.kind === 'style';
      const guidances = (scene, words = null, muted = false) => (style || words ? [guidance(a, undefined, words, muted), guidance(b, undefined, words, muted)] : [besides(a, 'left', 0, scene, muted), besides(b, 'right', 0.34, scene, muted)]);
      const pair = { a: a.set, b: b.set, overlap: null, base: [], drawn: { guidance: [], gram: [], merged: [] }, unrelated: { base: [], drawn: { guidance: [], gram: [], merged: [] } } };
      const overlaps = [];
      for (const [n, seed] of seeds.entries()) {
        const scene = scenes[n % scenes.length];
        const prompt = style ? `${phrase(a)} ${scene}, [${nameOf(b)}]` : `${phrase(a)} on the left and ${phrase(b)} on the right ${scene}`;
        const mix = (together) => mixOf(prompt, seed, [text, ...guidances(scene)], together, [a, b]);
        pair.base.push(await draw(mixOf(prompt, seed, [text, ...guidances(scene, null, true)], false, [a, b]), false, `${title}-${seed}-base.png`));
        pair.drawn.guidance.push(await draw(mix(false), false, `${title}-${seed}-guidance.png`));
        pair.drawn.gram.push(await draw(mix(true), false, `${title}-${seed}-gram.png`));
        pair.drawn.merged.push(await draw(mix(false), true, `${title}-${seed}-merged.png`));
        if (n < 4) overlaps.push(await studio.mixOverlap({ ...mix(false), guidances: [text, guidance(a), guidance(b)] }, a.conceptId, b.conceptId));
        if (n % 10 === 9) say(`${title}: ${n + 1} of ${seeds.length} seeds`);
      }
      pair.overlap = overlaps.reduce((x, y) => x + y, 0) / overlaps.length;
      for (const [n, words] of unrelated.entries()) {
        const mix = (together) => mixOf(words, seeds[n % seeds.length], [text, ...guidances(null, words)], together, []);
        pair.unrelated.base.push(await draw(mixOf(words, seeds[n % seeds.length], [text], false, []), false, `${title}-unrelated-${n}-base.png`));
        pair.unrelated.drawn.guidance.push(await draw(mix(false), false, `${title}-unrelated-${n}-guidance.png`));
        pair.unrelated.drawn.gram.push(await draw(mix(true), false, `${title}-unrelated-${n}-gram.png`));
        pair.unrelated.drawn.merged.push(await draw(mix(false), true, `${title}-unrelated-${n}-merged.png`));
      }
      pairs.push(pair);
      await studio.sheet([pair.base, pair.drawn.guidance, pair.drawn.gram, pair.drawn.merged].map((row) => row.slice(0, 8).map((file) => join(out, file))), join(out, `${title}.png`));
      say(`${title} drawn`);
    }
  }
  await writeFile(join(out, 'drawn.json'), JSON.stringify({ seeds, steps: Number(values.steps), sets: drawnSets, pairs }));
} finally {
  await studio.close();
}
const status = await runProgram(join(root, 'src', 'testing', 'mixEval', 'main.ts'), [out]);
if (status !== 0) giveUp('The pictures could not be recognised.');
if (values.json) await copyFile(join(out, 'mix.json'), resolve(values.json));
say(`Sheets and figures: ${basename(out)}, ${out}`);
