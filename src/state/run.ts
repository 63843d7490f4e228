/** One training run as the page sees it: where it stands, its figures, and the ways to hold, end or take it up again. */
import type { FaultData } from '../protocol/faults';
import type { Events, ResultOf } from '../protocol/messages';
import type { RunInfo, StepMetrics } from '../protocol/run';
import { startPrompt } from './params';
import { defaultCard, picturesProblem } from './pictures';
import { faultOf, type Slice } from './slice';

export type Unfinished = NonNullable<ResultOf<'unfinishedRun'>>;

/** Drafts exist from this step of stage 1 on. */
export const FIRST_LIVE_STEP = 25;

export interface RunSlice {
  run: RunInfo | null;
  metrics: readonly StepMetrics[];
  encoding: Events['encoding'] | null;
  changed: Events['changed'] | null;
  /** A request about the run is on its way: its buttons wait. */
  runBusy: boolean;
  runFault: FaultData | null;
  unfinished: Unfinished | null;
  learn(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  singleStep(): Promise<void>;
  stop(): Promise<void>;
  findUnfinished(): Promise<void>;
  continueRun(): Promise<void>;
  discardRun(): Promise<void>;
  /** After another tab took the run over: takes it up here again. */
  takeBack(): Promise<void>;
  /** Leaves the present concept and starts with empty hands. */
  newConcept(): void;
}

const movingPhases = new Set(['encoding', 'extractor', 'student']);
/** Whether steps are being made right now. */
export const isMoving = (run: RunInfo | null): boolean => run !== null && movingPhases.has(run.phase);
/** Whether the run may still go on: moving or paused. */
export const isOpen = (run: RunInfo | null): boolean => isMoving(run) || run?.phase === 'paused';

export const runSlice: Slice<RunSlice> = ({ set, get, env }) => {
  env.client.on('run', (run) => {
    if (get().run !== null && get().run?.runId !== run.runId && !isMoving(run)) return;
    const ended = isOpen(get().run) && !isOpen(run);
    set({ run, ...(run.phase === 'encoding' ? {} : { encoding: null }) });
    if (ended && run.phase !== 'failed') get().settle();
  });
  env.client.on('metrics', (row) => {
    const { run, metrics } = get();
    if (run && row.runId !== run.runId) return;
    set({ metrics: [...metrics.filter((old) => old.step < row.step), row] });
  });
  env.client.on('encoding', (encoding) => set({ encoding }));
  env.client.on('changed', (changed) => set({ changed }));

  const ask = async (action: () => Promise<void>) => {
    set({ runBusy: true, runFault: null });
    try {
      await action();
    } catch (error) {
      set({ runFault: faultOf(error) });
    } finally {
      set({ runBusy: false });
    }
  };
  const fresh = { metrics: [], encoding: null, changed: null, measures: null, sheet: null, runFault: null };

  return {
    run: null, metrics: [], encoding: null, changed: null, runBusy: false, runFault: null, unfinished: null,

    learn: () => ask(async () => {
      const { recipe, cards, conceptName, prompt, seed } = get();
      const problem = picturesProblem(get());
      if (problem) return set({ runFault: { code: 'too-few-pictures', message: problem, remedy: '' } });
      const pictures = cards.flatMap(({ state, pictureId, crop, captions }) => (state === 'ready' && crop ? [{ pictureId, crop, captions }] : []));
      get().clearTwins();
      set({ ...fresh, opened: null, kept: null, unfinished: null, balance: 1 });
      set({ run: await env.client.request('learn', { runId: env.newId(), name: conceptName || 'My concept', recipe, pictures, prompt: prompt.trim() || startPrompt(recipe.kind, recipe.classWord), seed }) });
    }),

    pause: () => ask(() => env.client.request('pause', undefined)),
    resume: () => ask(() => env.client.request('resume', undefined)),
    singleStep: () => ask(() => env.client.request('singleStep', undefined)),
    stop: () => ask(() => env.client.request('stop', undefined)),

    findUnfinished: () => ask(async () => set({ unfinished: await env.client.request('unfinishedRun', undefined) })),

    continueRun: () => ask(async () => {
      const found = get().unfinished;
      if (!found) return;
      const run = await env.client.request('continueRun', { runId: found.run.runId, takeOver: found.ownedElsewhere });
      get().clearPictures();
      get().clearTwins();
      set({
        ...fresh, run, metrics: found.metrics, recipe: run.recipe, opened: null, kept: null, unfinished: null, conceptName: run.name, conceptNamed: true,
        cards: found.pictures.map(defaultCard), selectedId: found.pictures[0]?.pictureId ?? null,
      });
      if (get().prompt === '') get().setParams({ prompt: startPrompt(run.recipe.kind, run.recipe.classWord) }, false);
      for (const { pictureId } of found.pictures) void get().checkFit(pictureId);
    }),

    discardRun: () => ask(async () => {
      const found = get().unfinished;
      if (found) await env.client.request('discardRun', { runId: found.run.runId });
      set({ unfinished: null });
    }),

    async takeBack() {
      set({ deviceFault: null, run: null });
      await get().findUnfinished();
      await get().continueRun();
    },

    newConcept() {
      get().clearPictures();
      get().clearTwins();
      const { recipe } = get();
      set({ ...fresh, run: null, opened: null, kept: null, promptWritten: false, recipe: { ...recipe, classWord: '' } });
      get().setParams({ prompt: '', balance: 1 }, false);
    },
  };
};
