/**
 * Learning: starts, holds, ends and takes up runs. One loop makes one optimizer step after another, each in a turn of its
 * own, so that draws and probes are served in between. Checkpoints go to storage every few seconds of work; what the page
 * shows of a run (previews, probe, figures) never touches its random numbers.
 */
import { AUTOENCODER_FILE } from '../pipeline/base';
import { expectSight } from '../pipeline/training/sight';
import { Fault, serializeFault } from '../protocol/faults';
import type { Host } from '../protocol/host';
import type { ParamsOf, ResultOf } from '../protocol/messages';
import { EMBEDDED } from '../protocol/models';
import type { RunInfo, StoredRun } from '../protocol/run';
import { captionProblem, needsClassWord } from '../protocol/captions';
import { FIRST_LIVE_STEP, GUIDANCE, SHOWN_PICTURES } from '../protocol/limits';
import { meantOf } from '../protocol/pictures';
import { metaOf, parseRecipe, wordsOf } from '../protocol/recipe';
import type { Measures } from '../protocol/runReport';
import type { PreviewRecord, RunRecord } from '../storage/db';
import { holdRun } from '../storage/locks';
import { addMetrics, deleteRun, dropMetricsAfter, getRun, newestUnfinished, putPreview, putRun, readCheckpoints, removeOldRuns, writeCheckpoint } from '../storage/runStore';
import type { Current } from './current';
import type { Drawing } from './drawing';
import { keptLatents } from './keptLatents';
import type { Opening } from './opening';
import type { Pictures } from './pictures';
import { Previewing } from './previewing';
import type { Probing } from './probing';
import { beginRun, disposeRun, grow, noteStep, runInfo, seenOf, type Run } from './run';
import { readStoredRun } from './stored';
import type { Turns } from './turns';

/** Work lost at most when the tab dies. */
const CHECKPOINT_MS = 5000;

/** Stands between the engines of a run that has changed them. */
const CHANGE = ' → ';

type Wish = 'go' | 'pause' | 'one' | 'stop' | 'leave';
interface Beginning { steal: boolean; wish: 'go' | 'pause' | 'stop'; conceptId: string | null }

const hasEnded = ({ phase }: Run) => ['finished', 'stopped', 'failed'].includes(phase);

export class Running {
  private run: Run | null = null;
  private previewing: Previewing | null = null;
  private wish: Wish = 'go';
  private wake = (): void => {};
  private loop: Promise<void> = Promise.resolve();

  constructor(private readonly host: Host, private readonly turns: Turns, private readonly opening: Opening, private readonly current: Current, private readonly pictures: Pictures, private readonly drawing: Drawing, private readonly probing: Probing) {}

  async learn({ runId, name, recipe: given, pictures, prompt, seed }: ParamsOf<'learn'>): Promise<RunInfo> {
    const recipe = parseRecipe(given);
    if (pictures.length === 0) throw new Fault('too-few-pictures', 'There is no picture to learn from.', 'Drop at least one picture.');
    const { least, most, captioned } = metaOf(recipe).pictures;
    if (pictures.length < least) throw new Fault('too-few-pictures', `A world takes at least ${least} pictures; these are ${pictures.length}.`, 'Drop more, or learn them as a thing or a style.');
    if (pictures.length > most) throw new Fault('too-many-pictures', `At most ${most} pictures can be learned from; these are ${pictures.length}.`, 'Remove some.');
    if (needsClassWord(recipe.kind) && wordsOf(recipe).classWord.trim() === '') throw new Fault('recipe-invalid', 'The class word is empty: what is it in general?', 'Give the class word.', { subject: 'classWord' });
    for (const { captions, pictureId } of captioned ? pictures : []) {
      const problem = captions ? captionProblem(captions) : 'It has no captions.';
      if (problem) throw new Fault('caption-invalid', problem, 'Edit the captions of this picture.', { subject: pictureId });
    }
    await this.leave();
    const db = await this.opening.db();
    const base = await this.opening.base();
    recipe.base = this.opening.baseId; // whatever a link said
    if (recipe.kind === 'person') expectSight(base);
    const now = new Date().toISOString();
    const record: RunRecord = {
      runId, name, createdAt: now, updatedAt: now, finished: false, recipe, prompt, seed, engine: this.opening.engine, base: this.opening.baseId,
      pictures: pictures.map(({ pictureId, crop, captions, ...said }) => ({ ...this.pictures.get(pictureId), crop, ...(captioned && { captions: captions! }), ...meantOf(said) })),
    };
    await removeOldRuns(db);
    await putRun(db, record);
    return this.begin(record, { steal: false, wish: 'go', conceptId: null });
  }

  async continueRun({ runId, takeOver, wish = 'go', more = 0 }: ParamsOf<'continueRun'>): Promise<RunInfo> {
    const mine = this.mine(runId);
    if (mine && more === 0 && mine.phase !== 'failed') {
      if (mine.phase === 'stopped' && wish !== 'stop') this.setOff(mine, wish);
      return runInfo(mine);
    }
    const db = await this.opening.db();
    const stored = await getRun(db, runId);
    if (stored.finished && !mine) throw new Fault('run-missing', `“${stored.name}” is learned and kept; there is nothing to continue.`, 'Open it on the Shelf.', { subject: runId });
    this.opening.expectBase(stored.base ?? EMBEDDED, stored.name);
    const record: RunRecord = more === 0 ? stored : { ...stored, recipe: grow(parseRecipe(stored.recipe), more), finished: false };
    const conceptId = mine ? (this.current.value?.conceptId ?? null) : null;
    // a kept run has no checkpoint any more
    const state = mine && more > 0 ? await mine.trainer.exportState() : null;
    await this.leave();
    if (more > 0) await putRun(db, record);
    if (mine && state) await writeCheckpoint(db, { runId, step: state.step, engine: mine.engine, state });
    for (const picture of record.pictures) this.pictures.keep(picture);
    // its own lock may not have been freed yet
    return this.begin(record, { steal: takeOver || mine !== null, wish, conceptId });
  }

  async unfinished(): Promise<ResultOf<'unfinishedRun'>> {
    const db = await this.opening.db();
    const record = await newestUnfinished(db, this.opening.baseId);
    if (!record || this.mine(record.runId)) return null;
    const pictures: NonNullable<ResultOf<'unfinishedRun'>>['pictures'] = [];
    for (const [n, { pictureId, crop, captions, name, file, ...said }] of record.pictures.entries()) pictures.push({ ...(await this.pictures.add(file, name, pictureId, { shown: n < SHOWN_PICTURES })), crop, ...(captions && { captions }), ...meantOf(said) });
    return { ...(await readStoredRun(db, this.opening.platform, record)), pictures };
  }

  async stored({ runId, after }: ParamsOf<'storedRun'>): Promise<StoredRun> {
    const db = await this.opening.db();
    return readStoredRun(db, this.opening.platform, await getRun(db, runId), after);
  }

  async discard(runId: string): Promise<void> {
    if (this.run?.record.runId === runId) await this.leave();
    await deleteRun(await this.opening.db(), runId);
  }

  pause(): void {
    this.ask('pause');
  }

  resume(): void {
    this.ask('go');
  }

  singleStep(): void {
    this.ask('one');
  }

  async stop(): Promise<void> {
    this.ask('stop');
    await this.loop;
  }

  private ask(wish: Wish): void {
    if (!this.run || hasEnded(this.run)) throw new Fault('busy', 'No run is going on.', 'Start one first.');
    this.wish = wish;
    this.wake();
  }

  /** The run if it is at work, or was ended, in this tab; one that another tab has taken is not ours any more. */
  private mine(runId: string): Run | null {
    return this.run?.record.runId === runId && !this.run.hold.lost.aborted ? this.run : null;
  }

  private setOff(run: Run, wish: Wish): void {
    this.wish = wish;
    this.loop = this.work(run, this.previewing!);
  }

  /** Ends the present run, if any, keeping its checkpoint; frees what it holds. */
  async leave(): Promise<void> {
    this.drawing.clear();
    if (this.run && !hasEnded(this.run)) {
      this.wish = 'leave';
      this.wake();
      await this.loop;
    }
    this.run = this.previewing = null;
    this.current.set(null);
  }

  private async begin(record: RunRecord, { steal, wish, conceptId }: Beginning): Promise<RunInfo> {
    const db = await this.opening.db();
    const base = await this.opening.base();
    const hold = await holdRun(record.runId, { steal, locks: this.opening.platform.locks });
    if (!hold) throw new Fault('run-elsewhere', 'This run belongs to another tab of this page.', 'Go on in that tab, or take the run over.', { subject: record.runId });
    try {
      const run = await this.restore(record, hold);
      await dropMetricsAfter(db, record.runId, run.trainer.step);
      this.run = run;
      const keep = async (preview: PreviewRecord) => { if (!hold.lost.aborted && !this.opening.lost) await putPreview(db, preview); };
      const previewing = new Previewing(this.host, this.opening.platform.raster, base, { runId: record.runId, prompt: record.prompt, words: run.words, seed: record.seed, recipe: run.recipe, pictures: run.pictures, keep });
      this.previewing = previewing;
      this.current.set({
        name: record.name, recipe: run.recipe, conceptId, runId: record.runId, captions: record.pictures.flatMap(({ captions }) => (captions ? [captions.complete] : [])), pictures: seenOf(record), measures: (record.measures ?? null) as Measures | null,
        live: () => run.trainer.step >= Math.min(FIRST_LIVE_STEP, run.trainer.totalSteps) || run.phase === 'stopped',
        step: () => run.trainer.step,
        borrow: () => run.trainer.concept({ final: run.phase === 'stopped' }),
        dispose: () => {
          previewing.dispose();
          disposeRun(run);
        },
      });
      this.probing.suggest({ prompt: record.prompt, negative: '', seed: record.seed, guidance: GUIDANCE });
      hold.lost.addEventListener('abort', () => this.lost(run));
      this.setOff(run, wish);
      return runInfo(run);
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  /** The newest checkpoint that can be used; none is a run at its beginning. */
  private async restore(record: RunRecord, hold: Run['hold']): Promise<Run> {
    const { base, stored } = await this.opening.all();
    const db = await this.opening.db();
    const checkpoints = await readCheckpoints(db, record.runId);
    const now = this.opening.engine;
    const begin = (state: unknown, before: string) => beginRun({
      base, raster: this.opening.platform.raster, record, hold, state, between: this.turns.between('training'),
      engine: before.split(CHANGE).at(-1) === now ? before : before + CHANGE + now,
      notIdentical: before === now ? '' : `It was computed on ${before} and goes on on ${now}: the last digits may differ from an uninterrupted run.`,
      onEncoded: (done, total) => this.host.emit('encoding', { done, total }),
      keep: keptLatents(db, record.runId, [this.opening.baseId, stored.files[AUTOENCODER_FILE]?.sha256 ?? '', now]),
    });
    for (const { state, engine } of checkpoints) {
      try {
        return await begin(state, engine);
      } catch (error) {
        if (!Fault.is(error, 'run-missing')) throw error;
        this.host.emit('fault', serializeFault(error));
      }
    }
    return begin(null, now);
  }

  private lost(run: Run): void {
    if (this.run !== run) return;
    this.wish = 'stop';
    this.wake();
    this.host.emit('fault', { code: 'run-elsewhere', message: 'Another tab has taken this run over.', remedy: 'Go on there.', subject: run.record.runId });
  }

  private set(run: Run, phase: Run['phase']): void {
    run.phase = phase;
    this.host.emit('run', runInfo(run));
  }

  private async work(run: Run, previewing: Previewing): Promise<void> {
    const { trainer, recipe } = run;
    const steps = trainer.steps();
    const ended = () => trainer.step >= trainer.totalSteps;
    let savedAt = performance.now();
    try {
      this.set(run, this.wish === 'pause' ? 'paused' : ended() ? 'finished' : 'learning');
      // a run too short for previews begins at once
      if (recipe.previewEvery <= trainer.totalSteps) await this.turns.take('training', (between) => previewing.begin(between));
      // one that is taken up again has something to show at once
      if (trainer.step > 0 && !ended()) void this.probing.refresh().catch(() => undefined);
      while (!ended()) {
        if (this.wish === 'pause') {
          await this.save(run);
          this.set(run, 'paused');
          while (this.wish === 'pause') await new Promise<void>((resolve) => { this.wake = resolve; });
          savedAt = performance.now();
        }
        if (this.wish === 'leave') return await this.save(run);
        if (this.wish === 'stop') break;
        const single = this.wish === 'one';
        const { value, done } = await this.turns.take('training', () => steps.next());
        if (done) break;
        this.host.emit('metrics', noteStep(run, value));
        if (single && this.wish === 'one') this.wish = 'pause';
        this.set(run, 'learning');
        const due = value.step % recipe.previewEvery === 0 || ended();
        if (performance.now() - savedAt >= CHECKPOINT_MS) {
          await this.save(run);
          savedAt = performance.now();
        }
        if (due) this.drawing.remember(await this.turns.take('training', (between) => previewing.preview(trainer.concept(), value.step, between)));
        if (due || value.step === FIRST_LIVE_STEP) await this.probing.refresh();
      }
      await this.save(run);
      this.set(run, ended() ? 'finished' : 'stopped');
      await this.probing.refresh();
    } catch (error) {
      const cause = await this.opening.explain(error);
      // the page replaces this worker, and the next one goes on with the run
      if (this.opening.lost) return;
      this.host.emit('fault', serializeFault(cause));
      this.set(run, 'failed');
    } finally {
      await steps.return(undefined);
    }
  }

  /** Rows first, then the state they lead up to; nothing once another tab owns the run or the numbers cannot be trusted. */
  private async save(run: Run): Promise<void> {
    if (run.hold.lost.aborted) return;
    const { runId } = run.record;
    const db = await this.opening.db();
    const rows = run.unsaved.splice(0);
    if (rows.length > 0) await addMetrics(db, runId, rows[0]!.step, rows);
    const state = await run.trainer.exportState();
    if (this.opening.lost) throw this.opening.lost;
    await writeCheckpoint(db, { runId, step: run.trainer.step, engine: run.engine, state });
  }
}
