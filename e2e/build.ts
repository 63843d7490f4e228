/**
 * Before the end-to-end tests: builds the app if a source is newer than the build, and visits it once, so that most tests begin where a user
 * is on the second visit, with the base stored. Their browsers begin with copies of that one's profile.
 */
import { rm } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';
import { baseReady, launch } from '../scripts/driver.mjs';
import { ensureBuild } from '../scripts/prepare.mjs';

declare module 'vitest' {
  interface ProvidedContext { visitedProfile: string }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  ensureBuild();
  const { url, page, close } = await launch({ keep: true });
  await page.goto(`${url}?backend=wasm&threads=1`);
  await baseReady(page);
  // the worker that serves the page offline has everything, too
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  const profile = await close();
  project.provide('visitedProfile', profile);
  return () => rm(profile, { recursive: true, force: true });
}
