/**
 * npm run figures -- [--sets NAME,NAME] [--seeds 0,1,2] [--lanes 2] [--out DIR] [--fill]
 * Runs the demo on every sample set and seed, with and without PureCC, several at once, and writes figures.md: one row per set and
 * method, mean over seeds with the range behind it. Runs whose run.json is already there are not made again, so it can be stopped
 * and gone on with. --fill writes the table into README.md between its two markers, and the sheets of the first seed into docs/sheets.
 */
import { spawn } from 'node:child_process';
import { access, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuild, ensurePackages, giveUp, root } from './prepare.mjs';

const { values } = parseArgs({ options: {
  sets: { type: 'string', default: 'guide-dog,one-eyed-monster,birthday-cake,redbeard,blue-curls,duotone' }, seeds: { type: 'string', default: '0,1,2' },
  lanes: { type: 'string', default: '2' }, out: { type: 'string', default: join('out', 'figures') }, fill: { type: 'boolean', default: false },
} });
const sets = values.sets.split(',');
const seeds = values.seeds.split(',');
const out = resolve(values.out);
const folder = (set, seed) => join(out, `${set}-${seed}`);
const exists = (path) => access(path).then(() => true, () => false);

/** One demo as a process of its own, so that a crash costs that run alone. */
function demo(set, seed) {
  const child = spawn(process.execPath, [join(root, 'scripts', 'demo.mjs'), '--images', join(root, 'public', 'concepts', set), '--seed', seed, '--compare', 'lora', '--out', folder(set, seed)], { stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((done, failed) => child.on('exit', (code) => (code === 0 ? done() : failed(new Error(`${set}, seed ${seed}, ended with ${code}`)))));
}

const short = (value) => value.toFixed(3).replace(/^(-?)0\./, '$1.').replace('-', '−');
/** Mean, and the range where there are several. */
const figure = (numbers) => {
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return numbers.length === 1 || high - low < 0.0005 ? short(mean) : `${short(mean)} (${short(low)}…${short(high)})`;
};

function rowsOf(set, reports) {
  const columns = (measures) => [
    ...['likeness', 'likenessOwn', 'likenessBase'].map((key) => figure(measures.map((m) => m[key]))),
    measures.map((m) => m.nearer).join(', '),
    measures.map((m) => m.whole ?? '').join(', '),
    ...['driftBase', 'driftUnrelated', 'sameBase', 'sameUnrelated'].map((key) => figure(measures.map((m) => m[key]))),
    ...['likenessWithoutRows', 'likenessElsewhere'].map((key) => (measures.some((m) => m[key] == null) ? '' : figure(measures.map((m) => m[key])))),
  ].join(' | ');
  const lora = reports.flatMap(({ compare }) => (compare ? [compare.measures] : []));
  return [
    `| [${set}](docs/sheets/${set}.png) | Lamina | ${columns(reports.map(({ measures }) => measures))} |`,
    ...(lora.length > 0 ? [`| [the same](docs/sheets/${set}-lora.png) | plain LoRA | ${columns(lora)} |`] : []),
  ];
}

ensurePackages();
ensureBuild();
await mkdir(out, { recursive: true });
const waiting = [];
for (const seed of seeds) for (const set of sets) if (!(await exists(join(folder(set, seed), 'run.json')))) waiting.push([set, seed]);
console.log(`${waiting.length} runs to make, ${values.lanes} at once`);
await Promise.all(Array.from({ length: Number(values.lanes) }, async () => {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const started = performance.now();
    await demo(...next).catch((error) => console.error(error.message));
    console.log(`${next.join(', seed ')}: ${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
  }
}));

const lines = ['| set | | likeness | own | base | nearer | whole | drift Base | drift unrelated | same Base | same unrelated | without rows | elsewhere |', '|---|---|---|---|---|---|---|---|---|---|---|---|---|'];
for (const set of sets) {
  const reports = [];
  for (const seed of seeds) {
    const text = await readFile(join(folder(set, seed), 'run.json'), 'utf8').catch(() => null);
    if (text) reports.push(JSON.parse(text));
  }
  if (reports.length > 0) lines.push(...rowsOf(set, reports));
}
const table = lines.join('\n');
await writeFile(join(out, 'figures.md'), `${table}\n`);
console.log(table);

if (values.fill) {
  const path = join(root, 'README.md');
  const text = await readFile(path, 'utf8');
  const between = /(<!-- figures -->\n)[\s\S]*?(\n<!-- end of figures -->)/;
  if (!between.test(text)) giveUp('README.md has no place for the figures: <!-- figures --> … <!-- end of figures -->.');
  await writeFile(path, text.replace(between, `$1${table}$2`));
  for (const set of sets) {
    await copyFile(join(folder(set, seeds[0]), 'sheet.png'), join(root, 'docs', 'sheets', `${set}.png`));
    await copyFile(join(folder(set, seeds[0]), 'sheet-lora.png'), join(root, 'docs', 'sheets', `${set}-lora.png`));
  }
}
