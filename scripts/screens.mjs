/**
 * npm run screens -- [--out DIR] [--only SCENE,SCENE] [--sizes 1440x900,390x844] [--themes dark,light]
 * Takes a picture of every state of the studio (src/testing/studio/scenes.ts) at every size and in both themes, over a made-up
 * worker, so without computing. Sizes below 760 px are taken as a touch screen. Written as OUT/SIZE/SCENE-THEME.png.
 */
import { realpathSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';
import { ensureBrowser, flags } from './browser.mjs';
import { ensurePackages, giveUp, root } from './prepare.mjs';

const { values } = parseArgs({ options: {
  out: { type: 'string', default: 'out/screens' }, only: { type: 'string' }, themes: { type: 'string', default: 'dark,light' }, sizes: { type: 'string', default: '1440x900,1280x720,1920x1080,1024x768,390x844' },
} });
const TOUCH_BELOW = 760;

ensurePackages();
const server = await createServer({ root, logLevel: 'error', server: { port: 0, fs: { allow: [root, realpathSync(join(root, 'node_modules'))] } } });
await server.listen();
const address = new URL('src/testing/studio/index.html', server.resolvedUrls.local[0]);
const browser = await chromium.launch({ executablePath: await ensureBrowser(), args: flags });

/** Loads one scene and returns the names of all. */
async function play(page, scene, theme) {
  address.search = new URLSearchParams({ scene, theme }).toString();
  await page.goto(address.href);
  await page.waitForFunction(() => globalThis.played, null, { timeout: 60_000 });
  await page.waitForTimeout(400);
  return page.evaluate(() => globalThis.played);
}

const sizes = values.sizes.split(',').map((size) => { const [width, height] = size.split('x').map(Number); return { width, height, touch: width < TOUCH_BELOW }; });
let problems = 0;
for (const touch of [false, true]) {
  const ofKind = sizes.filter((size) => size.touch === touch);
  if (ofKind.length === 0) continue;
  const context = await browser.newContext({ hasTouch: touch, isMobile: touch, reducedMotion: 'reduce', viewport: ofKind[0] });
  const page = await context.newPage();
  page.on('pageerror', (error) => { problems++; console.error(`page error: ${error.message}`); });
  const all = await play(page, 'first', 'dark');
  for (const scene of values.only?.split(',') ?? all) {
    for (const theme of values.themes.split(',')) {
      await play(page, scene, theme);
      for (const { width, height } of ofKind) {
        await page.setViewportSize({ width, height });
        await page.waitForTimeout(150);
        const folder = join(resolve(values.out), `${width}x${height}`);
        await mkdir(folder, { recursive: true });
        await page.screenshot({ path: join(folder, `${scene}-${theme}.png`), fullPage: touch });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wide > 0) { problems++; console.error(`${scene} at ${width}: ${wide} px too wide`); }
      }
    }
  }
  await context.close();
}
await browser.close();
await server.close();
console.log(`Written to ${resolve(values.out)}`);
if (problems > 0) giveUp(`${problems} problems, named above.`);
