/**
 * npm run screens -- [--out DIR] [--only SCENE,SCENE] [--sizes 1440x900,390x844] [--themes dark,light]
 * Takes a picture of every state of the studio (src/testing/studio/scenes.ts) at every size and in both themes, over a made-up
 * worker, so without computing. Sizes below 760 px are taken as a touch screen, whole length. Written as OUT/SIZE/SCENE-THEME.png.
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensurePackages, giveUp } from './prepare.mjs';

const { values } = parseArgs({ options: {
  out: { type: 'string', default: 'out/screens' }, only: { type: 'string' }, themes: { type: 'string', default: 'dark,light' }, sizes: { type: 'string', default: '1440x900,1280x720,1920x1080,1024x768,390x844' },
} });
const TOUCH_BELOW = 760;

ensurePackages();
const { Scenes } = await import('./scenes.mjs');
const stage = await Scenes.open();
const sizes = values.sizes.split(',').map((size) => { const [width, height] = size.split('x').map(Number); return { width, height }; });
let problems = 0;
const say = (text) => { problems++; console.error(text); };

for (const touch of [false, true]) {
  const ofKind = sizes.filter(({ width }) => width < TOUCH_BELOW === touch);
  if (ofKind.length === 0) continue;
  const page = await stage.page(ofKind[0], { touch, onError: (message) => say(`page error: ${message}`) });
  const all = await stage.play(page, 'first');
  for (const scene of values.only?.split(',') ?? all) {
    for (const theme of values.themes.split(',')) {
      await stage.play(page, scene, theme);
      for (const size of ofKind) {
        await page.setViewportSize(size);
        await page.waitForTimeout(150);
        const folder = join(resolve(values.out), `${size.width}x${size.height}`);
        await mkdir(folder, { recursive: true });
        await page.screenshot({ path: join(folder, `${scene}-${theme}.png`), fullPage: touch });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wide > 0) say(`${scene} at ${size.width}: ${wide} px too wide`);
      }
    }
  }
}
await stage.close();
console.log(`Written to ${resolve(values.out)}`);
if (problems > 0) giveUp(`${problems} problems, named above.`);
