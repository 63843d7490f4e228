/** The studio over a made-up worker (src/testing/studio) on a server of its own, in a headless Chromium: for `npm run screens` and its tests. */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';
import { ensureBrowser, flags } from './browser.mjs';
import { root } from './prepare.mjs';

export class Scenes {
  static async open() {
    const server = await createServer({ root, logLevel: 'error', server: { port: 0, fs: { allow: [root, realpathSync(join(root, 'node_modules'))] } } });
    await server.listen();
    const browser = await chromium.launch({ executablePath: await ensureBrowser(), args: flags });
    return Object.assign(new Scenes(), { server, browser, address: new URL('src/testing/studio/index.html', server.resolvedUrls.local[0]) });
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

  /** Loads a scene and returns the names of all. */
  async play(page, scene, theme = 'dark') {
    const address = new URL(this.address);
    address.search = new URLSearchParams({ scene, theme }).toString();
    await page.goto(address.href);
    await page.waitForFunction(() => globalThis.played, null, { timeout: 60_000 });
    await page.waitForTimeout(300);
    return page.evaluate(() => globalThis.played);
  }

  async close() {
    await this.browser.close();
    await this.server.close();
  }
}
