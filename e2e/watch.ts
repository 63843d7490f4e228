/**
 * What the tests measure in the page beside what a user sees: the optimizer steps the worker reports, how long the slider's answer
 * takes, and whether anything was asked of another origin.
 */
import { cpus } from 'node:os';
import type { Page } from 'playwright-core';
import { processes } from '../scripts/driver.mjs';
import type { StepMetrics } from '../src/protocol/run';
import { foreign, ids, soundAddress, type Stage } from './studio';

/** In the page: hands the session's `metrics` events to the test before the page sees them. */
function listenToWorkers(): void {
  const { noteStep } = window as unknown as { noteStep(row: unknown): Promise<void> };
  const Original = window.Worker;
  window.Worker = class extends Original {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      this.addEventListener('message', ({ data }: MessageEvent) => { if (data?.event === 'metrics') void noteStep(data.data); });
    }
  };
}

/** Every optimizer step the pages of this stage are told of from now on, over all their reloads; to be called before the first visit. */
export async function watchSteps({ context }: Stage): Promise<StepMetrics[]> {
  const steps: StepMetrics[] = [];
  await context.exposeBinding('noteStep', (_source, row: StepMetrics) => void steps.push(row));
  await context.addInitScript(listenToWorkers);
  return steps;
}

/** In the page: remembers every worker made and when. */
function rememberWorkers(): void {
  const scope = window as unknown as { made: { worker: Worker; name: string; atMs: number }[] };
  scope.made = [];
  const Original = window.Worker;
  window.Worker = class extends Original {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      scope.made.push({ worker: this, name: options?.name ?? '', atMs: Date.now() });
    }
  };
}

export interface Workers {
  /** When the workers of this name were made, by the page's clock. */
  made(name: 'session' | 'drafts'): Promise<number[]>;
  /** Ends the newest of this name behind the app's back, as a browser short of memory does: no error is reported. */
  terminate(name: 'session' | 'drafts'): Promise<void>;
}

/** Lets a test end workers; to be called before the first visit. */
export async function watchWorkers({ context, page }: Stage): Promise<Workers> {
  await context.addInitScript(rememberWorkers);
  type Scope = { made: { worker: Worker; name: string; atMs: number }[] };
  return {
    made: (name) => page.evaluate((wanted) => (window as unknown as Scope).made.filter((one) => one.name === wanted).map(({ atMs }) => atMs), name),
    terminate: (name) => page.evaluate((wanted) => (window as unknown as Scope).made.filter((one) => one.name === wanted).at(-1)!.worker.terminate(), name),
  };
}

/** Opens the app with a recipe and drawing parameters in the fragment. */
export async function visitWith({ page, url }: Stage, recipe: Record<string, string | number | boolean>, drawing: Record<string, string | number>, query = '?backend=wasm&threads=1'): Promise<void> {
  await page.goto(soundAddress(url, query, recipe, drawing));
}

/** Ends a stage; throws if its pages asked anything of anyone but their own origin. */
export async function closePrivate(stage: Stage | undefined): Promise<void> {
  if (!stage) return;
  await stage.close();
  if (stage.requests.length === 0) throw new Error('No request was seen, so privacy was not tested.');
  const others = foreign(stage);
  if (others.length > 0) throw new Error(`The page asked others: ${others.join(', ')}`);
}

/** Waits until a run has made this many steps. */
export async function untilStep(page: Page, step: number, timeout = 240_000): Promise<void> {
  await page.waitForFunction(([id, least]) => Number(document.querySelector(`[data-testid=${id}]`)?.textContent?.split('/')[0] ?? 0) >= least, [ids.stepText, step] as const, { timeout, polling: 50 });
}

/** Moves a slider `moves` times, the balance if none is named; for each, the milliseconds until the picture showed colours and until it showed decoded pixels. */
export function slideTimes(page: Page, moves: number, of: { slider: string; figure: string } = { slider: ids.balance, figure: ids.twinConcept }): Promise<{ linearMs: number; decodedMs: number }[]> {
  return page.evaluate(async ([slider, figure, count]) => {
    const input = document.querySelector<HTMLInputElement>(`[data-testid=${slider}]`)!;
    const twin = document.querySelector<HTMLElement>(`[data-testid=${figure}]`)!;
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')!.set!;
    const times: { linearMs: number; decodedMs: number }[] = [];
    for (let move = 0; move < count; move++) {
      const before = twin.dataset.revision;
      const asked = performance.now();
      const time = { linearMs: 0, decodedMs: 0 };
      await new Promise<void>((done, failed) => {
        const late = setTimeout(() => failed(new Error(`The slider was not answered; the picture is “${twin.dataset.state}”.`)), 20_000);
        const watch = new MutationObserver(() => {
          if (twin.dataset.revision === before) return;
          if (time.linearMs === 0) time.linearMs = performance.now() - asked;
          if (twin.dataset.state !== 'draft') return;
          time.decodedMs = performance.now() - asked;
          watch.disconnect();
          clearTimeout(late);
          done();
        });
        watch.observe(twin, { attributes: true, attributeFilter: ['data-state', 'data-revision'] });
        set.call(input, String(Number(input.min) + (0.15 + 0.05 * (move % 15)) * (Number(input.max) - Number(input.min))));
        input.dispatchEvent(new Event('input', { bubbles: true }));
      });
      times.push(time);
      await new Promise((next) => setTimeout(next, 40));
    }
    return times;
  }, [of.slider, of.figure, moves] as const);
}

/** CPU seconds of the browser and of the whole machine until now. */
async function cpuSeconds({ context }: Stage): Promise<{ own: number; busy: number; all: number }> {
  const own = (await processes(context)).reduce((sum, { cpuTime }) => sum + cpuTime, 0);
  const times = cpus().map((core) => core.times);
  const all = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0) / 1000;
  const idle = times.reduce((sum, core) => sum + core.idle, 0) / 1000;
  return { own, busy: all - idle, all };
}

/** Below this share of the machine nothing is excused further. */
const LEAST_SHARE = 0.25;

/** The returned function gives the share of the machine that other programs have left to the browser since. */
export async function watchShare(stage: Stage): Promise<() => Promise<number>> {
  const then = await cpuSeconds(stage);
  return async () => {
    const now = await cpuSeconds(stage);
    const others = now.busy - then.busy - (now.own - then.own);
    return Math.min(1, Math.max(LEAST_SHARE, 1 - others / (now.all - then.all)));
  };
}
