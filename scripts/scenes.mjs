/** The studio over a made-up worker (src/testing/studio), built for itself and served, in a headless Chromium: for `npm run screens` and its tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import { chromium } from 'playwright-core';
import { build } from 'vite';
import { ensureBrowser, flags } from './browser.mjs';
import { root } from './prepare.mjs';
import { serve } from './server.mjs';

const page = 'src/testing/studio/index.html';

/** Vite builds what the environment names, and tests name theirs: React's development build renders everything twice. */
async function asShipped(work) {
  const { NODE_ENV } = process.env;
  process.env.NODE_ENV = 'production';
  try {
    return await work();
  } finally {
    if (NODE_ENV === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = NODE_ENV;
  }
}

export class Scenes {
  static async open() {
    // a built page loads in a few files; from its sources it is more than two hundred, at every scene
    const folder = await mkdtemp(join(tmpdir(), 'lamina-scenes-'));
    await asShipped(() => build({ root, configFile: false, logLevel: 'error', plugins: [react()], build: { outDir: folder, emptyOutDir: true, copyPublicDir: false, target: 'es2022', minify: false, chunkSizeWarningLimit: 9000, rolldownOptions: { input: join(root, page) } } }));
    const server = await serve([folder, join(root, 'public')]);
    const browser = await chromium.launch({ executablePath: await ensureBrowser(), args: flags });
    return Object.assign(new Scenes(), { folder, server, browser, address: new URL(page, server.url) });
  }

  /**
   * A page of a size; a touch screen on request.
   * @param {{ width: number; height: number }} viewport
   * @param {{ touch?: boolean; onError: (message: string) => void }} options
   */
  async page(viewport, { touch = false, onError }) {
    const context = await this.browser.newContext({ viewport, hasTouch: touch, isMobile: touch, reducedMotion: 'reduce' });
    const page = await context.newPage();
    page.on('pageerror', (error) => onError(error.message));
    return page;
  }

  /** Plays a scene and returns the names of all; the page is loaded once. */
  async play(page, scene, theme = 'dark') {
    if (!(await page.evaluate(() => 'play' in globalThis))) {
      await page.goto(this.address.href);
      await page.waitForFunction(() => globalThis.play, null, { timeout: 60_000 });
    }
    const played = await page.evaluate(([name, colours]) => globalThis.play(name, colours), [scene, theme]);
    // charts are drawn in the frame after, in their own font
    await page.evaluate(() => document.fonts.ready.then(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(painted, 50))))).then(() => undefined));
    return played;
  }

  async close() {
    await this.browser.close();
    await this.server.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
