/**
 * What the end-to-end tests share: the built app on a server of its own, a browser with a profile of its own, and the studio's page
 * seen as a user sees it, by the test ids of src/ui/testIds.ts. Every request of the page is noted, so that each test can ask for privacy.
 */
import type { BrowserContext, Page } from 'playwright-core';
import { inject } from 'vitest';
import { softwareWebgpu } from '../scripts/browser.mjs';
import { addressOf, baseReady, launch, slide } from '../scripts/driver.mjs';
import { decodeFragment } from '../src/state/fragment';
import { fieldId, ids, sampleId } from '../src/ui/testIds';

export { baseReady, fieldId, ids, sampleId, slide };

export interface Stage { url: string; context: BrowserContext; page: Page; requests: string[]; errors: string[]; stopServer(): Promise<void>; close(): Promise<void> }

/** Server, browser and one page, not yet at any address; the base is stored from an earlier visit, unless a first visit is asked for. */
export async function openStage(options: { webgpu?: boolean; firstVisit?: boolean; args?: string[] } = {}): Promise<Stage> {
  const { url, context, page, stopServer, close } = await launch({ profile: options.firstVisit ? null : inject('visitedProfile'), args: [...(options.webgpu ? softwareWebgpu : []), ...(options.args ?? [])], reducedMotion: 'reduce' });
  // twice what two busy cores have needed
  context.setDefaultTimeout(120_000);
  const requests: string[] = [];
  const errors: string[] = [];
  context.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
  return { url, context, page, requests, errors, stopServer, close: async () => { await close(); } };
}

export const at = (page: Page, id: string) => page.getByTestId(id);

/** Requests that left the app's own origin. Blobs and data never leave the page. */
export const foreign = ({ requests, url }: Stage): string[] => requests.filter((address) => !address.startsWith(url) && !/^(blob|data):/.test(address));

/** As the page would read it: of a link that it refuses it takes nothing, and the test would be one of the default recipe. */
export function soundAddress(...given: Parameters<typeof addressOf>): string {
  const address = addressOf(...given);
  decodeFragment(new URL(address).hash.slice(1));
  return address;
}

/** Opens the app with a recipe in the fragment; `query` chooses backend and threads. */
export async function visit(stage: Stage, recipe: Record<string, string | number | boolean> = {}, query = '?backend=wasm&threads=1'): Promise<void> {
  await stage.page.goto(soundAddress(stage.url, query, recipe));
}

/** Loads a sample set and waits for its cards; pictures that are there already are put away first. */
export async function loadSample(page: Page, set: string): Promise<void> {
  await at(page, sampleId(set)).or(at(page, ids.newConcept)).first().waitFor();
  if (await at(page, ids.newConcept).isVisible()) await at(page, ids.newConcept).click();
  await at(page, sampleId(set)).first().click();
  await page.waitForSelector('[data-testid=card-4][data-state=ready]', { timeout: 120_000 });
}

export const phaseOf = (page: Page) => at(page, ids.phase).first().getAttribute('data-phase');

/** Waits until the run's state is one of these; a fault on the page ends the wait with its text. */
export async function untilPhase(page: Page, phases: string[], timeout = 240_000): Promise<string> {
  const found = await page.waitForFunction(([wanted, phase, fault]) => {
    const state = document.querySelector(`[data-testid=${phase}]`)?.getAttribute('data-phase');
    const problem = document.querySelector(`[data-testid=${fault}]`)?.textContent;
    return problem ? `fault: ${problem}` : state && (wanted as string[]).includes(state) ? state : false;
  }, [phases, ids.phase, ids.fault] as const, { timeout, polling: 100 });
  const text = String(await found.jsonValue());
  if (text.startsWith('fault')) throw new Error(text);
  return text;
}

export async function stepsDone(page: Page): Promise<number> {
  return Number((await at(page, ids.stepText).first().textContent())?.split('/')[0]);
}

/** Pixels of a twin's canvas: a hash, their mean and their spread; null while it is empty. */
export function twin(page: Page, id: string): Promise<{ hash: number; mean: number; spread: number; width: number } | null> {
  return page.evaluate((name) => {
    const canvas = document.querySelector<HTMLCanvasElement>(`[data-testid=${name}] canvas`);
    if (!canvas || canvas.width === 0) return null;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    let hash = 0;
    let sum = 0;
    let squares = 0;
    for (const value of data) { hash = (Math.imul(hash, 31) + value) | 0; sum += value; squares += value * value; }
    const mean = sum / data.length;
    return { hash, mean, spread: Math.sqrt(squares / data.length - mean * mean), width: canvas.width };
  }, id);
}

export const pictureState = (page: Page, id: string) => at(page, id).getAttribute('data-state');

/** Waits for a full picture in a twin. */
export const full = (page: Page, id: string, timeout = 240_000) => page.waitForSelector(`[data-testid=${id}][data-state=full]`, { timeout });

/** Both twins full, of what is asked for now: hashes of their pixels. */
export async function bothDrawn(page: Page): Promise<{ base: number; concept: number }> {
  await page.waitForSelector(`[data-testid=${ids.draw}]`);
  await full(page, ids.twinConcept);
  await full(page, ids.twinBase);
  return { base: (await twin(page, ids.twinBase))!.hash, concept: (await twin(page, ids.twinConcept))!.hash };
}
