/**
 * npm run bench -- [--backend webgpu|wasm] [--node] [--only PATTERN] [--json FILE] [--bundle DIR] [--docs]
 * Measures our kernels, products and training steps against their rivals; src/bench has the rows. In a headless Chromium, or with
 * --node in Node, where WebGPU is Dawn on any Vulkan driver. --bundle writes a folder that does the same on a machine with nothing
 * but Node. --docs writes the tables of docs/performance.md from docs/bench/*.json and measures nothing.
 */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensurePackages, giveUp, root } from './prepare.mjs';

function asked() {
  try {
    return parseArgs({ options: {
      backend: { type: 'string' }, node: { type: 'boolean', default: false }, only: { type: 'string', default: '' }, json: { type: 'string' }, bundle: { type: 'string' }, docs: { type: 'boolean', default: false },
    } }).values;
  } catch (error) {
    return giveUp(error.message);
  }
}

const values = asked();
if (values.backend && !['webgpu', 'wasm'].includes(values.backend)) giveUp(`--backend takes webgpu or wasm; it is “${values.backend}”.`);
ensurePackages();

const { backend, only, json } = values;

async function inBrowser() {
  const { BenchPage } = await import('./benchPage.mjs');
  const page = await BenchPage.open(backend ?? 'auto');
  try {
    const report = await page.run({ only, say: (line) => console.log(line) });
    console.log(`\n${report.text}`);
    if (json) await writeFile(json, report.json);
    if (report.failed) process.exitCode = 1;
  } finally {
    await page.close();
  }
}

const inNode = async (entry, args) => process.exit(await (await import('./node.mjs')).runProgram(join(root, entry), args));

if (values.bundle) {
  const { writeBundle } = await import('./benchBundle.mjs');
  await writeBundle(resolve(values.bundle));
} else if (values.docs) await inNode('src/bench/docs/main.ts', []);
else if (values.node) await inNode('src/bench/node.ts', [...(backend ? ['--backend', backend] : []), '--only', only, ...(json ? ['--json', json] : [])]);
else await inBrowser();
