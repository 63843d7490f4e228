/** The models on this device: the list, what dropped files would become, importing, checking, deleting, and which one is in use. */
import type { FaultData } from '../protocol/faults';
import type { Events } from '../protocol/messages';
import type { ImportProgress, KeptPrecision, ModelFile, ModelSummary, ModelSurvey } from '../protocol/models';
import { isMoving } from './run';
import { faultOf, type Slice } from './slice';

export type ModelWork = 'surveying' | 'importing' | 'checking' | 'deleting';

export interface ModelsSlice {
  models: readonly ModelSummary[];
  /** Files and addresses given so far, and what they would become. */
  modelFiles: readonly ModelFile[];
  modelAddresses: readonly string[];
  survey: ModelSurvey | null;
  importPrecision: KeptPrecision;
  modelWork: { kind: ModelWork; modelId: string | null } | null;
  importProgress: ImportProgress | null;
  checking: Events['checking'] | null;
  /** A fault of one model stands beside it; null for those of the files. */
  modelFault: { modelId: string | null; fault: FaultData } | null;
  refreshModels(): Promise<void>;
  /** Looks at the files, together with those given before that have not been imported. */
  addModelFiles(files: readonly ModelFile[]): Promise<void>;
  addModelAddress(address: string, token: string): Promise<void>;
  forgetModelFiles(): void;
  setImportPrecision(precision: KeptPrecision): void;
  importModel(): Promise<void>;
  /** What has landed stays. */
  stopModelWork(): void;
  checkModel(modelId: string): Promise<void>;
  deleteModel(modelId: string): Promise<void>;
  /** How much of the device's memory a large model's weights may take: what does not fit is fetched from storage while it computes. */
  weightRoom: WeightRoom;
  /** Holds from the next time the model is opened; reloads the page where it is in use. */
  setWeightRoom(room: WeightRoom): void;
  /** Reloads the page into that base. */
  useModel(modelId: string): void;
}

export const BASE_KEY = 'lamina.base';
const ROOM_KEY = 'lamina.weightRoom';
/** In GB; null: as much as the weights need. */
export type WeightRoom = 1 | 2 | 3 | 4 | null;
export const WEIGHT_ROOMS: readonly WeightRoom[] = [1, 2, 3, 4, null];

const roomIn = (memory: Pick<Storage, 'getItem'> | null): WeightRoom => WEIGHT_ROOMS.find((room) => String(room) === memory?.getItem(ROOM_KEY)) ?? null;
/** Room for the weights of a large model on the device, as it was chosen. */
export const weightBytes = (memory: Pick<Storage, 'getItem'> | null): number | null => {
  const room = roomIn(memory);
  return room && room * 1e9;
};

export const modelsSlice: Slice<ModelsSlice> = ({ set, get, env }) => {
  let stop: AbortController | null = null;
  /** In memory alone; forgotten with the files. */
  let token: string | null = null;

  env.client.on('importing', (importProgress) => set({ importProgress }));
  env.client.on('checking', (checking) => set({ checking }));
  env.client.on('ready', ({ base }) => env.memory?.setItem(BASE_KEY, base));

  const work = async (kind: ModelWork, modelId: string | null, action: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    stop?.abort();
    const mine = (stop = new AbortController());
    set({ modelWork: { kind, modelId }, modelFault: null });
    try {
      await action(mine.signal);
    } catch (error) {
      const fault = faultOf(error);
      if (stop === mine) set({ modelFault: fault && { modelId, fault } });
    } finally {
      if (stop === mine) {
        stop = null;
        set({ modelWork: null, importProgress: null, checking: null });
      }
    }
  };
  const refresh = async () => set({ models: await env.client.request('models', undefined) });
  const look = (files: readonly ModelFile[], addresses: readonly string[]) => work('surveying', null, async (signal) => {
    const survey = await env.client.request('surveyModel', { files: [...files], addresses: [...addresses], token }, { signal });
    set({ survey, modelFiles: files, modelAddresses: addresses, importPrecision: survey.suggested });
  });

  return {
    models: [], modelFiles: [], modelAddresses: [], survey: null, importPrecision: 'int8', weightRoom: roomIn(env.memory), modelWork: null, importProgress: null, checking: null, modelFault: null,

    async refreshModels() {
      await refresh().catch((error: unknown) => { const fault = faultOf(error); set({ modelFault: fault && { modelId: null, fault } }); });
    },

    async addModelFiles(files) {
      if (get().modelWork?.kind === 'importing') return get().notify('A model is being imported. Stop it first, or wait.');
      const paths = new Set(files.map(({ path }) => path));
      await look([...get().modelFiles.filter(({ path }) => !paths.has(path)), ...files], get().modelAddresses);
    },

    async addModelAddress(address, given) {
      token = given.trim() || token;
      await look(get().modelFiles, [...new Set([...get().modelAddresses, address.trim()])]);
    },

    forgetModelFiles() {
      token = null;
      set({ modelFiles: [], modelAddresses: [], survey: null, modelFault: null });
    },

    setWeightRoom(weightRoom) {
      if (weightRoom === get().weightRoom) return;
      if (isMoving(get().run)) return get().notify('Stop learning first: it goes on from there another time.');
      env.memory?.setItem(ROOM_KEY, String(weightRoom));
      set({ weightRoom });
      if (get().ready && get().ready!.base !== 'embedded') env.reload();
    },

    setImportPrecision: (importPrecision) => set({ importPrecision }),

    async importModel() {
      const { survey, importPrecision: precision } = get();
      if (!survey) return;
      void get().askToPersist();
      await work('importing', null, async (signal) => {
        try {
          const { name } = await env.client.request('importModel', { precision, name: survey.name }, { signal });
          get().forgetModelFiles();
          get().notify(`“${name}” is on this device.`);
        } finally {
          await Promise.all([refresh(), get().refreshStorage()]);
        }
      });
    },

    stopModelWork: () => stop?.abort(),

    async checkModel(modelId) {
      await work('checking', modelId, async (signal) => {
        const { damaged } = await env.client.request('checkModel', { modelId }, { signal });
        get().notify(damaged.length === 0 ? 'Every piece of it is as it was written.' : `Damaged: ${damaged.map(({ label, tensors }) => `${label} (${tensors})`).join(', ')}. Drop the same files again: only that is written.`, damaged.length === 0 ? 'plain' : 'bad');
        await refresh();
      });
    },

    async deleteModel(modelId) {
      await work('deleting', modelId, async () => {
        await env.client.request('deleteModel', { modelId });
        await Promise.all([refresh(), get().refreshStorage()]);
      });
    },

    useModel(modelId) {
      if (get().ready?.base === modelId) return;
      if (isMoving(get().run)) return get().notify('Stop learning first: it goes on from there another time.');
      env.memory?.setItem(BASE_KEY, modelId);
      env.reload();
    },
  };
};
