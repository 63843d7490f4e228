/** One training run as the page sees it: where it stands, its figures, and the ways to hold, end or take it up again. */
import type { FaultData } from '../protocol/faults';
import type { Events, ResultOf } from '../protocol/messages';
import type { RunInfo, StepMetrics } from '../protocol/run';
import { stageIdAfter, totalSteps } from '../protocol/recipe';
import { rememberPace, rememberedPace } from './pace';
import { defaultParams, startPrompt } from './params';
import { defaultCard, picturesProblem } from './pictures';
import { faultOf, type Slice } from './slice';

export type Unfinished = NonNullable<ResultOf<'unfinishedRun'>>;

export interface RunSlice {
  run: RunInfo | null;
  metrics: readonly StepMetrics[];
  encoding: Events['encoding'] | null;
  changed: Events['changed'] | null;
  /** A request about the run is on its way: its buttons wait. */
  runBusy: boolean;
  /** What was pressed and has not come about yet: a step that is being made is finished first. */
  runAsked: 'pause' | 'resume' | 'stop' | null;
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

const movingPhases = new Set(['encoding', 'learning']);
/** Whether steps are being made right now. */
export const isMoving = (run: RunInfo | null): boolean => run !== null && movingPhases.has(run.phase);
/** Whether the run may still go on: moving or paused. */
export const isOpen = (run: RunInfo | null): boolean => isMoving(run) || run?.phase === 'paused';

/** Whether what was pressed has come about in this state of the run. */
const answered = { pause: (run: RunInfo) => !isMoving(run), resume: isMoving, stop: (run: RunInfo) => !isOpen(run) } as const;

export const runSlice: Slice<RunSlice> = ({ set, get, env }) => {
  env.client.on('run', (run) => {
    if (get().run !== null && get().run?.runId !== run.runId && !isMoving(run)) return;
    const ended = isOpen(get().run) && !isOpen(run);
    const { runAsked } = get();
    set({ run, ...(run.phase === 'encoding' ? {} : { encoding: null }), ...(runAsked && answered[runAsked](run) ? { runAsked: null } : {}) });
    if (!ended) return;
    const { compute } = get();
    rememberPace(env.memory, get());
    if (compute) set({ pace: rememberedPace(env.memory, compute) });
    if (run.phase !== 'failed') get().settle();
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
  /** As `ask`, for what the worker only takes note of: it comes about after the step that is being made. */
  const wish = (runAsked: NonNullable<RunSlice['runAsked']>, action: () => Promise<void>) => {
    set({ runAsked });
    return ask(action).finally(() => { if (get().runFault) set({ runAsked: null }); });
  };
  const fresh = { metrics: [], encoding: null, changed: null, measures: null, sheet: null, runFault: null };

  return {
    run: null, metrics: [], encoding: null, changed: null, runBusy: false, runAsked: null, runFault: null, unfinished: null,

    learn: () => ask(async () => {
      const { recipe, cards, conceptName, prompt, seed } = get();
      const problem = picturesProblem(get());
      if (problem) return set({ runFault: { code: 'too-few-pictures', message: problem, remedy: '' } });
      const pictures = cards.flatMap(({ state, pictureId, crop, captions }) => (state === 'ready' && crop ? [{ pictureId, crop, captions }] : []));
      const [runId, name] = [env.newId(), conceptName || 'My concept'];
      get().clearTwins();
      // shown at once: the worker answers when it has read the pictures
      const begun: RunInfo = { runId, name, phase: 'encoding', stage: stageIdAfter(recipe, 0), recipe, step: 0, totalSteps: totalSteps(recipe), secondsLeft: null, lambda: 1, notIdentical: '', startedAt: '' };
      set({ ...fresh, opened: null, kept: null, unfinished: null, balance: 1, run: begun });
      try {
        const run = await env.client.request('learn', { runId, name, recipe, pictures, prompt: prompt.trim() || startPrompt(recipe.kind, recipe.classWord), seed });
        // a step may have been heard of before this answer
        if (get().run === begun) set({ run });
      } catch (error) {
        if (get().run === begun) set({ run: null });
        throw error;
      }
    }),

    pause: () => wish('pause', () => env.client.request('pause', undefined)),
    resume: () => wish('resume', () => env.client.request('resume', undefined)),
    singleStep: () => ask(() => env.client.request('singleStep', undefined)),
    stop: () => wish('stop', () => env.client.request('stop', undefined)),

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
      if (get().drawing) get().cancelDraw();
      get().clearPictures();
      get().clearTwins();
      const { recipe } = get();
      set({ ...fresh, run: null, runAsked: null, opened: null, kept: null, promptWritten: false, recipe: { ...recipe, classWord: '' } });
      get().setParams({ ...defaultParams }, false);
    },
  };
};
