/**
 * The worker's life: owns the device, the database, the weights and the current concept, and answers every request of
 * protocol/messages.ts. Each concern has a file of its own; here they meet, and what fails with the device says so.
 */
import { memoryNow } from '../engine/tracing';
import { CLIP_VOCABULARY } from '../models/checkpoint';
import { loadTheRest } from '../pipeline/base';
import type { Host } from '../protocol/host';
import type { Handlers } from '../protocol/messages';
import { EMBEDDED } from '../protocol/models';
import { storageReport } from '../storage/quota';
import { Cards } from './cards';
import { Current } from './current';
import { findDataSet, keepDataSet } from './dataSets';
import { Drawing } from './drawing';
import { recogniseFile } from './dropping';
import { checkFit } from './fit';
import { handOver } from './handingOver';
import { Measuring } from './measuring';
import { Models } from './models';
import { Mixing } from './mixing';
import { Objects } from './objects';
import { Opening } from './opening';
import { Pictures } from './pictures';
import type { Platform } from './platform';
import { toShown } from './present';
import { Probing } from './probing';
import { makeQueue } from './queue';
import { Running } from './running';
import { Shelf } from './shelf';
import { Tracing } from './tracing';
import { Turns } from './turns';

export function makeSession(wire: Host, platform: Platform): Handlers {
  const turns = new Turns();
  const inTurn = makeQueue();
  const tracing = new Tracing(wire, turns);
  const { host } = tracing;
  const opening = new Opening(host, platform);
  const current = new Current();
  const pictures = new Pictures(platform.raster);
  const probing = new Probing(host, turns, opening, current);
  const drawing = new Drawing(host, turns, opening, current, probing);
  const running = new Running(host, turns, opening, current, pictures, drawing, probing);
  const measuring = new Measuring(host, turns, opening, current);
  const mixing = new Mixing(host, turns, opening, pictures);
  const models = new Models(host, turns, opening);
  const objects = new Objects(turns, opening, current, pictures, drawing);
  const cards = new Cards(opening, pictures, drawing, objects);
  const shelf = new Shelf(opening, current, drawing, running);

  /** In idle time what the first who draws by a picture would wait for. */
  const prepare = async (): Promise<void> => {
    const base = await opening.base();
    await turns.take('idle', (between) => loadTheRest(base, between));
    await objects.prepare();
  };

  return explained(opening, {
    async open(params) {
      const opened = await opening.open(params);
      void prepare().catch(() => undefined); // whoever needs it meets the same fault, and says it
      return opened;
    },
    async attachDrafts({ port }) {
      await opening.attachDrafts(port);
      await probing.refresh();
    },
    drop: (params) => recogniseFile(params, { opening, pictures, shelf, cards }),
    async fitCheck({ pictureId, crop }) {
      const base = await opening.base();
      const { width: side } = base.pictureSize();
      const given = await pictures.pixels(pictureId, crop, side);
      // a picture that is waited for comes first
      const { pixels, psnr, outside } = await turns.take('measuring', (between) => base.parts.autoencoder.use((autoencoder) => checkFit(autoencoder, given, side, between)));
      return { pictureId, bitmap: await platform.raster.toBitmap(toShown(pixels, side, side)), psnr, outside: outside && opening.baseId === EMBEDDED };
    },
    keepDataSet: async (params) => keepDataSet(await opening.db(), pictures, params),
    dataSet: async () => findDataSet(await opening.db(), pictures),
    forgetPicture: async ({ pictureId }) => pictures.forget(pictureId),
    async vocabulary() {
      const { tokenizer } = await opening.base();
      // CLIP's own vocabulary spells every word
      return { words: tokenizer.end < CLIP_VOCABULARY - 1 ? tokenizer.words() : [] };
    },

    learn: (params) => inTurn(() => running.learn(params)),
    pause: async () => running.pause(),
    resume: async () => running.resume(),
    singleStep: async () => running.singleStep(),
    stop: () => running.stop(),
    storedRun: (params) => running.stored(params),
    unfinishedRun: () => inTurn(() => running.unfinished()),
    continueRun: (params) => inTurn(() => running.continueRun(params)),
    discardRun: ({ runId }) => inTurn(() => running.discard(runId)),
    handOver: async ({ runId }) => handOver(await opening.db(), platform.raster, runId),
    leave: () => inTurn(() => running.leave()),

    async probe(params) {
      drawing.cancelIdle();
      await probing.probe(params);
    },
    draw: (params, signal) => {
      mixing.cancel();
      return drawing.draw(params, signal);
    },
    cancelDraw: async () => {
      drawing.cancel();
      mixing.cancel();
    },
    ticks: (params, signal) => drawing.ticks(params, signal),
    pictureFile: ({ slot, revision }) => (slot === 'mix' ? mixing.pictureFile(revision) : drawing.pictureFile(slot, revision)),
    async probeMix(params, signal) {
      drawing.cancelIdle();
      return mixing.probe(params, signal);
    },
    drawMix: (params, signal) => {
      drawing.cancel();
      return mixing.draw(params, signal);
    },
    mixSeeds: (params, signal) => mixing.seeds(params, signal),
    leaveMix: () => mixing.leave(),
    measure: (params, signal) => measuring.measure(params, signal),

    keep: ({ name }) => inTurn(() => shelf.keep(name)),
    concepts: () => shelf.list(),
    openConcept: ({ conceptId }) => inTurn(() => shelf.open(conceptId)),
    renameConcept: ({ conceptId, name }) => shelf.rename(conceptId, name),
    async deleteConcept({ conceptId }) {
      await shelf.delete(conceptId);
      await mixing.forget(conceptId);
    },
    exportWord: ({ conceptId }) => shelf.exportWord(conceptId),
    exportConcept: ({ conceptId, options }) => shelf.export(conceptId, options),
    findMask: (params) => objects.findMask(params),
    encodeObject: (params, signal) => inTurn(() => objects.encode(params, signal)),
    seeObject: (params) => inTurn(async () => objects.see(params)),
    leaveObject: () => inTurn(async () => objects.leave()),
    judgeObject: (params) => objects.judge(params),
    places: (params, signal) => drawing.places(params, signal),
    keepCard: (params) => inTurn(() => cards.keep(params)),
    cards: () => cards.list(),
    openCard: ({ cardId }) => inTurn(() => cards.open(cardId, () => running.leave())),
    renameCard: (params) => cards.rename(params),
    deleteCard: (params) => cards.delete(params),
    exportCard: (params) => cards.export(params),
    models: () => models.list(),
    surveyModel: (params, signal) => models.survey(params, signal),
    importModel: (params, signal) => models.import(params, signal),
    checkModel: (params, signal) => models.check(params, signal),
    deleteModel: (params) => models.delete(params),
    setPictureSide: (params) => models.setPictureSide(params),
    storage: async () => storageReport(await opening.db()),
    async trace({ on }) {
      await opening.base();
      tracing.turn(on);
    },
    async memory() {
      await opening.base();
      return memoryNow();
    },
  });
}

function explained(opening: Opening, handlers: Handlers): Handlers {
  const wrapped = Object.entries(handlers).map(([name, handler]) => [name, async (params: never, signal: AbortSignal) => {
    try {
      return await handler(params, signal);
    } catch (error) {
      throw await opening.explain(error);
    }
  }]);
  return Object.fromEntries(wrapped) as Handlers;
}
