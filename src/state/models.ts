/** The models on this device: the list, what dropped files would become, importing, checking, deleting, and which one is in use. */
import { nameAt } from '../formats/checkpointFile';
import type { FaultData } from '../protocol/faults';
import { ADAPTER_MEMORIES, isPlanned, suggestedPrecision, type AdapterMemory, type WeightRoom } from '../protocol/fit';
import type { Events, ResultOf } from '../protocol/messages';
import { EMBEDDED, EMBEDDED_NAME, keptId, type ImportProgress, type KeptAs, type KeptPrecision, type ModelFile, type ModelSummary, type ModelSurvey } from '../protocol/models';
import { sd35Plan } from '../protocol/sd35Plan';
import { isMoving } from '../protocol/run';
import { faultOf, type Slice } from './slice';

export type ModelWork = 'surveying' | 'importing' | 'checking' | 'deleting';

/** Stands for what the given files would become, where a model's id is asked for. */
export const FOUND = 'found';

export interface ModelsSlice {
  models: readonly ModelSummary[];
  /** The model the page shows: an id, `found`, or null for the one in use. */
  shownModel: string | null;
  /** Files and addresses given so far, and what they would become. */
  modelFiles: readonly ModelFile[];
  modelAddresses: readonly string[];
  survey: ModelSurvey | null;
  importPrecision: KeptPrecision;
  /** Networks that are to be kept otherwise, by folder. */
  importOwn: KeptAs['own'];
  modelWork: { kind: ModelWork; modelId: string | null } | null;
  importProgress: ImportProgress | null;
  checking: Events['checking'] | null;
  /** What the newest check of a model has found. */
  modelChecked: ({ modelId: string } & ResultOf<'checkModel'>) | null;
  /** A fault of one model stands beside it; null for those of the files. */
  modelFault: { modelId: string | null; during: ModelWork; fault: FaultData } | null;
  /** The base in use, or the one that is being loaded. */
  usedBase: { id: string; name: string };
  refreshModels(): Promise<void>;
  showModel(modelId: string): void;
  /** Looks at the files, together with those given before that have not been imported. */
  addModelFiles(files: readonly ModelFile[]): Promise<void>;
  /** One address, or several with spaces or lines between them. The token is kept in memory, and goes to the servers of these addresses alone. */
  addModelAddress(address: string, token: string): Promise<void>;
  forgetModelFiles(): void;
  /** Of all networks. */
  setImportPrecision(precision: KeptPrecision): void;
  /** Of one. */
  setPartPrecision(folder: string, precision: KeptPrecision): void;
  importModel(): Promise<void>;
  /** Goes on with an import that came from an address; says which files it needs beside that. */
  continueImport(modelId: string): Promise<void>;
  /** What has landed stays. */
  stopModelWork(): void;
  checkModel(modelId: string): Promise<void>;
  deleteModel(modelId: string): Promise<void>;
  /** Side of the pictures that an imported model draws and learns from; reloads the page where it is in use. */
  setPictureSide(modelId: string, side: number): Promise<void>;
  /** How much of the device's memory a large model's weights may take: what does not fit is fetched from storage while it computes. */
  roomChoice: RoomChoice;
  /** Holds from the next time the model is opened; reloads the page where it is in use. */
  setRoomChoice(room: RoomChoice): void;
  /** Of the graphics adapter, in GB, as the user says: a browser does not tell. */
  adapterMemory: AdapterMemory;
  /** What is suggested for files that are there follows, until the user has chosen. */
  setAdapterMemory(memory: AdapterMemory): void;
  /** Reloads the page into that base. */
  useModel(modelId: string): void;
}

export const BASE_KEY = 'lamina.base';
const ROOM_KEY = 'lamina.weightRoom';
/** What the adapter leaves beside the work; so many GB; or as much as the weights need. */
export type RoomChoice = 'fits' | 1 | 2 | 3 | 4 | 'all';
export const ROOM_CHOICES: readonly RoomChoice[] = ['fits', 1, 2, 3, 4, 'all'];

const MEMORY_KEY = 'lamina.adapterMemory';
const memoryIn = (memory: Pick<Storage, 'getItem'> | null): AdapterMemory => ADAPTER_MEMORIES.find((each) => String(each) === memory?.getItem(MEMORY_KEY)) ?? 8;

/** The precision to keep surveyed files in: what an import that was broken off has begun, what the adapter's memory allows where that has been counted, else by size alone. */
export const suggestionFor = (survey: ModelSurvey, adapterMemory: AdapterMemory): KeptPrecision =>
  (goesByMemory(survey) ? suggestedPrecision(sd35Plan, adapterMemory * 1e9) : survey.suggested);

/** What that suggestion goes by, in words that follow “is suggested”. */
export const suggestionReason = (survey: ModelSurvey, adapterMemory: AdapterMemory): string =>
  (goesByMemory(survey) ? `for ${adapterMemory} GB of graphics memory` : survey.resumes ? 'as the import that was broken off had it' : 'for a model of this size');

function goesByMemory({ parts, resumes }: ModelSurvey): boolean {
  const transformer = parts.find(({ folder }) => folder === 'transformer');
  return !resumes && transformer !== undefined && isPlanned(sd35Plan, transformer.storedAs.int8, 'int8');
}

/** What is known of the embedded base alone: its words, its world of drawings, the recorded example. */
export const usesEmbedded = ({ usedBase }: Pick<ModelsSlice, 'usedBase'>): boolean => usedBase.id === EMBEDDED;
/** A concept acts on the base it was learned on. */
export const ofBase = <C extends { base: string }>(concepts: readonly C[], { usedBase }: Pick<ModelsSlice, 'usedBase'>): C[] => concepts.filter(({ base }) => base === usedBase.id);

const roomIn = (memory: Pick<Storage, 'getItem'> | null): RoomChoice => ROOM_CHOICES.find((room) => String(room) === memory?.getItem(ROOM_KEY)) ?? 'fits';
/** Room for the weights of a large model on the device, as it was chosen. */
export const weightRoom = (memory: Pick<Storage, 'getItem'> | null): WeightRoom => {
  const room = roomIn(memory);
  return room === 'all' ? room : room === 'fits' ? { adapterBytes: memoryIn(memory) * 1e9 } : { bytes: room * 1e9 };
};
const BASE_NAME_KEY = 'lamina.base.name';

/** A token for one server is not for another. */
const serverOf = (address: string): string => (URL.canParse(address) ? new URL(address).origin : address);

/** Why what the addresses give is not the whole of an import that was broken off. */
function stillNeeded({ name, from }: ModelSummary, addresses: readonly string[]): FaultData {
  const given = addresses.map(nameAt);
  const files = from.split(', ').filter((each) => !given.includes(each));
  return files.length > 0
    ? { code: 'base-incomplete', message: `“${name}” came partly from files: ${files.map((each) => `“${each}”`).join(', ')} ${files.length === 1 ? 'is' : 'are'} still needed.`, remedy: `Drop ${files.length === 1 ? 'it' : 'them'} here as well: the import goes on where it stopped.` }
    : { code: 'base-mismatch', message: `The address has other files now than “${name}” was begun with.`, remedy: 'Import them as a model of their own, or drop the files that it was begun with.' };
}

export const modelsSlice: Slice<ModelsSlice> = ({ set, get, env }) => {
  let stop: AbortController | null = null;
  /** By server; in memory alone, and forgotten with the files. */
  const tokens = new Map<string, string>();

  const remember = (base: string, name: string) => {
    env.memory?.setItem(BASE_KEY, base);
    env.memory?.setItem(BASE_NAME_KEY, name);
  };
  env.client.on('importing', (importProgress) => set({ importProgress }));
  env.client.on('checking', (checking) => set({ checking }));
  env.client.on('ready', ({ base, name }) => {
    remember(base, name);
    set({ usedBase: { id: base, name } });
    void get().refreshModels();
  });

  const work = async (kind: ModelWork, modelId: string | null, action: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    stop?.abort();
    const mine = (stop = new AbortController());
    set({ modelWork: { kind, modelId }, modelFault: null, modelChecked: null, importProgress: null, checking: null });
    try {
      await action(mine.signal);
    } catch (error) {
      const fault = faultOf(error);
      if (stop === mine) set({ modelFault: fault && { modelId, during: kind, fault } });
    } finally {
      if (stop === mine) {
        stop = null;
        set({ modelWork: null, importProgress: null, checking: null });
      }
    }
  };
  /** Whether something is under way that must not be broken off by something else. */
  const occupied = (): boolean => {
    const kind = get().modelWork?.kind;
    if (kind === 'importing' || kind === 'deleting') get().notify(kind === 'importing' ? 'A model is being imported. Stop it first, or wait.' : 'A model is being deleted. Wait a moment.');
    return kind === 'importing' || kind === 'deleting';
  };
  const refresh = async () => set({ models: await env.client.request('models', undefined) });
  const ask = async (files: readonly ModelFile[], addresses: readonly string[], signal?: AbortSignal) => {
    const survey = await env.client.request('surveyModel', { files: [...files], addresses: addresses.map((address) => ({ address, token: tokens.get(serverOf(address)) ?? null })) }, signal && { signal });
    set({ survey, modelFiles: files, modelAddresses: addresses, importPrecision: suggestionFor(survey, get().adapterMemory), importOwn: survey.resumes?.own ?? {}, shownModel: FOUND });
  };
  const look = (files: readonly ModelFile[], addresses: readonly string[]) => work('surveying', null, (signal) => ask(files, addresses, signal));

  return {
    models: [], shownModel: null, modelFiles: [], modelAddresses: [], survey: null, importPrecision: 'int8', importOwn: {}, roomChoice: roomIn(env.memory), adapterMemory: memoryIn(env.memory), modelWork: null, importProgress: null, checking: null, modelChecked: null, modelFault: null,
    usedBase: { id: env.memory?.getItem(BASE_KEY) ?? EMBEDDED, name: env.memory?.getItem(BASE_NAME_KEY) ?? EMBEDDED_NAME },

    async refreshModels() {
      await refresh().catch((error: unknown) => { const fault = faultOf(error); set({ modelFault: fault && { modelId: null, during: 'surveying', fault } }); });
    },

    showModel: (shownModel) => set({ shownModel }),

    async addModelFiles(files) {
      if (files.length === 0 || occupied()) return;
      const paths = new Set(files.map(({ path }) => path));
      await look([...get().modelFiles.filter(({ path }) => !paths.has(path)), ...files], get().modelAddresses);
    },

    async addModelAddress(address, given) {
      const addresses = address.split(/\s+/).filter((each) => each !== '');
      if (addresses.length === 0 || occupied()) return;
      if (given.trim() !== '') for (const each of addresses) tokens.set(serverOf(each), given.trim());
      await look(get().modelFiles, [...new Set([...get().modelAddresses, ...addresses])]);
    },

    forgetModelFiles() {
      tokens.clear();
      set({ modelFiles: [], modelAddresses: [], survey: null, modelFault: null, ...(get().shownModel === FOUND && { shownModel: null }) });
    },

    async setPictureSide(modelId, side) {
      if (occupied()) return;
      if (isMoving(get().run)) return get().notify('Stop learning first: it goes on from there another time.');
      try {
        const changed = await env.client.request('setPictureSide', { modelId, side });
        set({ models: get().models.map((model) => (model.modelId === modelId ? changed : model)) });
        if (get().ready?.base === modelId) env.reload();
      } catch (error) {
        get().notify(faultOf(error)?.message ?? '', 'bad');
      }
    },

    setAdapterMemory(adapterMemory) {
      const { survey, importPrecision, adapterMemory: before, modelWork } = get();
      env.memory?.setItem(MEMORY_KEY, String(adapterMemory));
      const follows = survey && modelWork?.kind !== 'importing' && importPrecision === suggestionFor(survey, before);
      set({ adapterMemory, ...(follows && { importPrecision: suggestionFor(survey, adapterMemory), importOwn: {} }) });
    },

    setRoomChoice(roomChoice) {
      if (roomChoice === get().roomChoice) return;
      if (isMoving(get().run)) return get().notify('Stop learning first: it goes on from there another time.');
      env.memory?.setItem(ROOM_KEY, String(roomChoice));
      set({ roomChoice });
      if (get().ready && get().ready!.base !== EMBEDDED) env.reload();
    },

    setImportPrecision: (importPrecision) => set({ importPrecision, importOwn: {} }),

    setPartPrecision(folder, precision) {
      const { [folder]: _, ...others } = get().importOwn;
      set({ importOwn: precision === get().importPrecision ? others : { ...others, [folder]: precision } });
    },

    async importModel() {
      const { survey, importPrecision: precision, importOwn: own } = get();
      if (!survey || occupied()) return;
      void get().askToPersist();
      await work('importing', null, async (signal) => {
        try {
          const { name, modelId } = await env.client.request('importModel', { precision, own, name: survey.name }, { signal });
          get().forgetModelFiles();
          set({ shownModel: modelId });
          get().notify(`“${name}” is on this device.`);
        } finally {
          await Promise.all([refresh(), get().refreshStorage()]);
          // what has landed is known again, so that the page can say where it goes on
          const { survey: left, modelFiles, modelAddresses, shownModel } = get();
          if (left) await ask(modelFiles, modelAddresses).then(() => set({ importPrecision: precision, importOwn: own, shownModel }), () => undefined);
        }
      });
    },

    async continueImport(modelId) {
      const model = get().models.find((each) => each.modelId === modelId);
      if (!model?.address || occupied()) return;
      set({ modelFiles: [], modelAddresses: [], survey: null });
      await get().addModelAddress(model.address, '');
      const { survey, modelFault: failed } = get();
      if (failed) return set({ modelFault: { ...failed, modelId } });
      if (!survey) return;
      const { precision, own } = model;
      if (!precision || keptId(survey.fingerprint, { precision, own }) !== modelId) return set({ modelFault: { modelId: null, during: 'importing', fault: stillNeeded(model, get().modelAddresses) } });
      set({ importPrecision: precision, importOwn: own });
      await get().importModel();
    },

    stopModelWork: () => stop?.abort(),

    async checkModel(modelId) {
      if (occupied()) return;
      await work('checking', modelId, async (signal) => {
        const found = await env.client.request('checkModel', { modelId }, { signal });
        set({ modelChecked: { modelId, ...found } });
        await refresh();
      });
    },

    async deleteModel(modelId) {
      if (occupied()) return;
      await work('deleting', modelId, async () => {
        await env.client.request('deleteModel', { modelId });
        if (get().shownModel === modelId) set({ shownModel: null });
        await Promise.all([refresh(), get().refreshStorage()]);
      });
    },

    useModel(modelId) {
      if (get().ready?.base === modelId || occupied()) return;
      if (isMoving(get().run)) return get().notify('Stop learning first: it goes on from there another time.');
      remember(modelId, get().models.find((model) => model.modelId === modelId)?.name ?? '');
      env.reload();
    },
  };
};
