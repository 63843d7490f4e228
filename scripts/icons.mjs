/**
 * Draws the installable app's icons from public/icons/mark.svg in headless Chromium: plain ones on transparent ground, the maskable
 * one with the mark in the inner 60 % on the canvas colour. Their output is committed; run it again only when the mark changes.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const icons = [{ name: 'mark-192', size: 192, share: 1, ground: 'transparent' }, { name: 'mark-512', size: 512, share: 1, ground: 'transparent' }, { name: 'mark-maskable-512', size: 512, share: 0.6, ground: '#0f0f10' }];
const folder = new URL('../public/icons/', import.meta.url);
const mark = Buffer.from(await readFile(new URL('mark.svg', folder))).toString('base64');
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
for (const { name, size, share, ground } of icons) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(`<body style="margin:0;display:grid;place-items:center;height:100vh;background:${ground}"><img style="width:${size * share}px" src="data:image/svg+xml;base64,${mark}"></body>`);
  await writeFile(new URL(`${name}.png`, folder), await page.screenshot({ omitBackground: true }));
  await page.close();
}
await browser.close();
