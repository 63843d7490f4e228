/**
 * What drives the built studio in a headless Chromium, for the end-to-end tests as for demo, recording and soak: a server, a browser
 * with a profile of its own and one page; the address of a recipe; the slider; the tab's memory. studioPage.mjs and e2e/studio.ts add their own ways.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { ensureBrowser, flags } from './browser.mjs';
import { dist } from './prepare.mjs';
import { serve } from './server.mjs';

/** The studio's address where a profile is taken over: what a browser keeps belongs to it, and each server has a port of its own. A secure context, as all of localhost. */
const FIXED_HOST = 'studio.localhost';

/**
 * Server, browser and one page, not yet at any address.
 * @param {import('playwright-core').BrowserContextOptions & { args?: string[]; profile?: string | null; keep?: boolean }} [options] Of the browser, beside the flags of every run.
 *   profile: begins with a copy of what a browser left there, null for none; keep: leaves this one's there for others, whose path `close` then gives.
 */
export async function launch({ args = [], profile: before, keep = false, ...options } = {}) {
  const server = await serve(dist);
  const fixed = keep || before !== undefined;
  const profile = await mkdtemp(join(tmpdir(), 'lamina-'));
  if (before) await cp(before, profile, { recursive: true });
  const executablePath = /** @type {string} */ (await ensureBrowser());
  const mapped = fixed ? [`--host-resolver-rules=MAP ${FIXED_HOST} localhost:${server.port}`] : [];
  const context = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args: [...flags, ...mapped, ...args], viewport: { width: 1440, height: 900 }, acceptDownloads: true, ...options });
  const page = context.pages()[0] ?? (await context.newPage());
  let serving = true;
  const stopServer = async () => {
    if (serving) await server.close();
    serving = false;
  };
  const close = async () => {
    await context.close();
    await stopServer();
    if (!keep) await rm(profile, { recursive: true, force: true });
    return profile;
  };
  return { url: fixed ? `http://${FIXED_HOST}/` : server.url, context, page, stopServer, close };
}

/**
 * The studio's address with a recipe in its fragment, and what else stands there.
 * @param {string} url @param {string} query @param {Record<string, string | number | boolean>} recipe @param {Record<string, string | number>} [drawing]
 */
export function addressOf(url, query, recipe, drawing = {}) {
  const entries = [...Object.entries(recipe).map(([key, value]) => [`r.${key}`, String(value)]), ...Object.entries(drawing).map(([key, value]) => [key, String(value)])];
  return `${url}${query}#${new URLSearchParams(entries)}`;
}

/** @param {import('playwright-core').Page} page @param {number} [timeout] */
export const baseReady = (page, timeout = 180_000) => page.waitForSelector('[data-testid=base-status][data-ready=true]', { timeout, state: 'attached' });

/** Sets the balance as the slider's own input event does. @param {import('playwright-core').Page} page @param {number} balance */
export const slide = (page, balance) => page.evaluate((value) => {
  const input = /** @type {HTMLInputElement} */ (document.querySelector('[data-testid=balance]'));
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set?.call(input, String(value));
  input.dispatchEvent(new Event('input', { bubbles: true }));
}, balance);

/** What the browser says of its processes: kind, process id, CPU seconds so far. @param {import('playwright-core').BrowserContext} context */
export async function processes(context) {
  const cdp = await /** @type {import('playwright-core').Browser} */ (context.browser()).newBrowserCDPSession();
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
  await cdp.detach();
  return processInfo;
}

/** Resident bytes of the largest page of this browser, workers and wasm memory included; 0 where the system does not tell. @param {import('playwright-core').BrowserContext} context */
export async function tabBytes(context) {
  const pages = (await processes(context)).filter(({ type }) => type === 'renderer');
  const sizes = await Promise.all(pages.map(({ id }) => readFile(`/proc/${id}/status`, 'utf8').then((text) => Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024, () => 0)));
  return Math.max(0, ...sizes);
}
