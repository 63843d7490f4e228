/** One training run as the page sees it: where it stands, its figures, and the ways to hold, end or take it up again. */
import { Fault, serializeFault, type FaultData } from '../protocol/faults';
import type { Events, ResultOf } from '../protocol/messages';
import { isMoving, type RunInfo, type StepMetrics } from '../protocol/run';
import { metaOf, stageIdAfter, totalSteps, wordsOf } from '../protocol/recipe';
import { closeAll } from './bitmaps';
import { meantIn } from './objects';
import { rememberPace, rememberedPace } from './pace';
import { defaultParams, startPrompt } from './params';
import { picturesProblem } from './pictures';
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
  /** Why the run that is shown can only be looked at: it is another tab's. */
  elsewhere: string | null;
  learn(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  singleStep(): Promise<void>;
  stop(): Promise<void>;
  findUnfinished(): Promise<void>;
  continueRun(): Promise<void>;
  /** Goes on with a run that was stopped, or by `more` steps with one that has made all of its own. */
  goOn(more?: number): Promise<void>;
  discardRun(): Promise<void>;
  /** The run as an archive for trainers of elsewhere, or why there is none. */
  handOver(runId: string): Promise<ResultOf<'handOver'> | FaultData>;
  /** Takes a run up here that another tab has. */
  takeBack(): Promise<void>;
  /** Puts the present concept away and starts with empty hands. A run that was not kept waits as the unfinished one. */
  newConcept(): void;
  /** What `newConcept` does on the page alone, where the worker has something else in hand already, with pictures that it has read anew. */
  clearConcept(readAgain?: readonly string[]): void;
}

/** Time between two looks at a run of another tab; it stores what it has every five seconds. */
const LOOK_MS = 5000;

/** Whether the run may still go on: moving or paused. */
export const isOpen = (run: RunInfo | null): boolean => isMoving(run) || run?.phase === 'paused';

/** Whether what was pressed has come about in this state of the run. */
const answered = { pause: (run: RunInfo) => !isMoving(run), resume: isMoving, stop: (run: RunInfo) => !isOpen(run) } as const;

export const runSlice: Slice<RunSlice> = ({ set, get, env }) => {
  env.client.on('run', (run) => {
    if (get().elsewhere !== null) return;
    if (get().run !== null && get().run?.runId !== run.runId && !isMoving(run)) return;
    const ended = isOpen(get().run) && !isOpen(run);
    const { runAsked } = get();
    set({ run, ...(run.phase === 'encoding' ? {} : { encoding: null }), ...(runAsked && answered[runAsked](run) ? { runAsked: null } : {}) });
    if (!ended) return;
    const { compute } = get();
    rememberPace(env.memory, get());
    if (compute) set({ pace: rememberedPace(env.memory, compute, get().usedBase.id) });
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

  /** Its pictures belong to whoever shows them, and to nobody once it is let go. */
  const closeUnfinished = () => {
    const { unfinished } = get();
    if (unfinished) closeAll([...unfinished.pictures, ...unfinished.strip]);
  };

  /** Puts a stored run on the page, with its pictures, figures and strip. */
  const show = (found: Unfinished, run: RunInfo) => {
    const { changed, measures, metrics, strip, pictures } = found;
    get().cancelMeasure();
    // what is being put together waits under the run
    if (get().elsewhere !== null || (get().run === null && get().cards.length > 0)) set({ dataSetLevel: get().dataSetLevel + 1 });
    get().showCards(pictures);
    get().takeMasks(pictures);
    get().clearTwins();
    set({ ...fresh, run, metrics, changed, measures, recipe: run.recipe, opened: null, kept: null, unfinished: null, elsewhere: null, conceptName: run.name, conceptNamed: true });
    if (get().prompt === '') get().setParams({ prompt: found.prompt, seed: found.seed }, false);
    for (const picture of strip) get().showPicture(picture);
    for (const { pictureId } of pictures) void get().checkFit(pictureId);
  };

  /** Follows a run of another tab by what that one stores, and offers it once it is let go. */
  const look = (): void => void env.later(LOOK_MS, () => {
    const { run, metrics, elsewhere } = get();
    if (!run || elsewhere === null) return;
    env.client.request('storedRun', { runId: run.runId, after: run.step }).then((found) => {
      if (get().elsewhere !== elsewhere || get().run?.runId !== run.runId) return closeAll(found.strip);
      if (!found.ownedElsewhere) {
        closeAll(found.strip);
        get().clearConcept();
        return get().findUnfinished();
      }
      set({ run: { ...found.run, phase: 'paused' }, metrics: [...metrics, ...found.metrics], ...(found.changed ? { changed: found.changed } : {}) });
      for (const picture of found.strip) get().showPicture(picture);
      look();
    }).catch((error: unknown) => set({ runFault: faultOf(error) }));
  });

  return {
    run: null, metrics: [], encoding: null, changed: null, runBusy: false, runAsked: null, runFault: null, unfinished: null, elsewhere: null,

    learn: () => ask(async () => {
      const { recipe, cards, conceptName, prompt, seed, masks } = get();
      const problem = picturesProblem(get());
      if (problem) return set({ runFault: { code: 'too-few-pictures', message: problem, remedy: '' } });
      const pictures = cards.flatMap(({ state, pictureId, crop, captions }) => (state === 'ready' && crop ? [{ pictureId, crop, ...(metaOf(recipe).pictures.captioned && { captions }), ...meantIn(masks[pictureId], crop) }] : []));
      void get().askToPersist();
      const [runId, name] = [env.newId(), conceptName || 'My concept'];
      get().cancelMeasure();
      get().clearTwins();
      get().forgetObject();
      closeUnfinished();
      // shown at once: the worker answers when it has read the pictures
      const begun: RunInfo = { runId, name, phase: 'encoding', stage: stageIdAfter(recipe, 0), recipe, step: 0, totalSteps: totalSteps(recipe), secondsLeft: null, lambda: 1, notIdentical: '', startedAt: '' };
      set({ ...fresh, opened: null, kept: null, unfinished: null, elsewhere: null, balance: 1, run: begun });
      try {
        const run = await env.client.request('learn', { runId, name, recipe, pictures, prompt: prompt.trim() || startPrompt(recipe.kind, wordsOf(recipe).classWord), seed });
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

    findUnfinished: () => ask(async () => {
      const found = await env.client.request('unfinishedRun', undefined);
      closeUnfinished();
      const empty = get().run === null && get().opened === null && get().object === null && get().cards.length === 0;
      if (!found?.ownedElsewhere || !empty) return set({ unfinished: found });
      show(found, { ...found.run, phase: 'paused' });
      set({ elsewhere: `“${found.run.name}” is being learned in another tab.` });
      look();
    }),

    continueRun: () => ask(async () => {
      const found = get().unfinished;
      if (!found) return;
      const run = await env.client.request('continueRun', { runId: found.run.runId, takeOver: found.ownedElsewhere });
      show(found, run);
      if (!isOpen(run)) get().settle();
    }),

    goOn: (more = 0) => ask(async () => {
      const { run } = get();
      if (!run) return;
      get().cancelMeasure();
      // the worker reads the pictures anew for a longer run
      if (more > 0) set({ run: { ...run, phase: 'encoding' } });
      try {
        const next = await env.client.request('continueRun', { runId: run.runId, takeOver: false, ...(more > 0 ? { more } : {}) });
        if ((get().run?.step ?? 0) <= next.step) set({ run: next });
        if (more > 0) set({ recipe: next.recipe, kept: null, measures: null, sheet: null });
      } catch (error) {
        set({ run });
        throw error;
      }
    }),

    discardRun: () => ask(async () => {
      const found = get().unfinished;
      if (found) await env.client.request('discardRun', { runId: found.run.runId });
      closeUnfinished();
      set({ unfinished: null });
    }),

    takeBack: () => ask(async () => {
      const { run: before } = get();
      const found = await env.client.request('unfinishedRun', undefined);
      if (!found) throw new Fault('run-missing', `“${before?.name ?? 'This run'}” is no longer there to be taken up.`, 'It may have been kept or discarded in the other tab: look on the Shelf.');
      const run = await env.client.request('continueRun', { runId: found.run.runId, takeOver: true });
      show(found, run);
    }),

    newConcept() {
      const { run, opened, elsewhere, dataSetLevel, cards, openedPictures } = get();
      const waits = opened !== null || dataSetLevel > 0;
      // what waits below has an undo of its own, and none that knows of these
      const added = waits && !opened ? cards.flatMap(({ file, name, captions, state, pictureId }) => (file && state !== 'faulty' && !openedPictures?.includes(pictureId) ? [{ file, name, captions }] : [])) : [];
      // nothing is stored over what waits before it is here again
      if (waits) set({ dataSetRead: false });
      get().clearConcept();
      if (!waits && (!run || elsewhere !== null)) return;
      void ask(() => env.client.request('leave', undefined)).then(async () => {
        await get().findUnfinished();
        if (waits) await get().restoreDataSet(opened || dataSetLevel === 0 ? undefined : dataSetLevel);
        if (added.length > 0) get().notify(`${added.length === 1 ? 'The picture that you had added was' : `${added.length} pictures that you had added were`} put away.`, 'plain', { label: added.length === 1 ? 'Add it here' : 'Add them here', accept: () => { void get().addFiles(added); } });
      });
    },

    handOver: (runId) => env.client.request('handOver', { runId }).catch((error: unknown) => serializeFault(error)),

    clearConcept(readAgain) {
      if (get().drawing) get().cancelDraw();
      get().cancelMeasure();
      get().clearPictures(readAgain);
      get().clearTwins();
      get().forgetObject();
      const { recipe } = get();
      set({ ...fresh, run: null, runAsked: null, elsewhere: null, opened: null, kept: null, openedPictures: null, promptWritten: false, recipe: 'classWord' in recipe ? { ...recipe, classWord: '' } : recipe });
      get().setParams({ ...defaultParams }, false);
    },
  };
};
