/**
 * The bench page in a headless Chromium: built into a scratch folder (it is no part of the app), served with isolation headers, and
 * run through its own `runBench`. Without a GPU, WebGPU is SwiftShader, the software adapter.
 */
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { ensureBrowser, flags, softwareWebgpu } from './browser.mjs';
import { scratch } from './node.mjs';
import { root } from './prepare.mjs';
import { serve } from './server.mjs';

const page = 'src/bench/index.html';
const hasGpu = () => process.platform !== 'linux' || existsSync('/dev/nvidiactl') || (existsSync('/dev/dri') && readdirSync('/dev/dri').some((name) => name.startsWith('render')));
const hardwareWebgpu = ['--enable-unsafe-webgpu', '--enable-features=Vulkan', '--ignore-gpu-blocklist'];

async function build() {
  const folder = await scratch('bench-page');
  const { build: viteBuild } = await import('vite');
  await viteBuild({
    root, configFile: false, logLevel: 'error', publicDir: false, base: './', worker: { format: 'es', rollupOptions: { output: { minify: false } } },
    build: { outDir: folder, target: 'es2022', minify: false, chunkSizeWarningLimit: 10_000, rollupOptions: { input: join(root, page) } },
  });
  return folder;
}

export class BenchPage {
  /** @param {'auto' | 'webgpu' | 'wasm'} backend */
  static async open(backend) {
    const folder = await build();
    const server = await serve(folder);
    const profile = await mkdtemp(join(tmpdir(), 'lamina-'));
    const gpu = backend === 'wasm' ? [] : hasGpu() ? hardwareWebgpu : softwareWebgpu;
    const context = await chromium.launchPersistentContext(profile, { executablePath: await ensureBrowser(), headless: true, args: [...flags, ...gpu] });
    const tab = context.pages()[0] ?? (await context.newPage());
    tab.on('pageerror', (error) => console.error(`page error: ${error.message}`));
    await tab.goto(`${server.url}${page}?headless&backend=${backend}`);
    return Object.assign(new BenchPage(), { folder, server, profile, context, tab });
  }

  /** Runs the rows that `only` matches; `say` gets a line for each. Gives the report as table and as JSON. */
  async run({ only, say }) {
    await this.tab.exposeFunction('benchSays', say);
    return this.tab.evaluate((pattern) => globalThis.runBench(pattern, globalThis.benchSays), only);
  }

  async close() {
    await this.context.close();
    await this.server.close();
    await Promise.all([this.folder, this.profile].map((path) => rm(path, { recursive: true, force: true })));
  }
}
