/** Models on the device and on their way there: plain records that cross the thread. */

/** Id and name of the base that comes with the app. */
export const EMBEDDED = 'embedded';
export const EMBEDDED_NAME = 'Embedded base';

/** How the large layers are kept. Small tensors stay as they are in the file. */
export type KeptPrecision = 'f16' | 'int8' | 'int4';
export const KEPT_PRECISIONS: readonly KeptPrecision[] = ['f16', 'int8', 'int4'];

/** How a model is kept: its large layers in one precision, but for networks with one of their own, by folder. */
export interface KeptAs { precision: KeptPrecision; own: Readonly<Record<string, KeptPrecision>> }

export const precisionOf = ({ precision, own }: KeptAs, folder: string): KeptPrecision => own[folder] ?? precision;
const sameKept = (a: KeptAs, b: KeptAs): boolean => keptId('', a) === keptId('', b);

/** The id of files, known by their fingerprint, that are kept so. */
export const keptId = (fingerprint: string, { precision, own }: KeptAs): string =>
  [fingerprint, precision, ...Object.entries(own).filter(([, each]) => each !== precision).map(([folder, each]) => `${folder}.${each}`).sort()].join('-');

/** In words: the precision, and whether some networks are kept otherwise. */
export const keptInWords = ({ precision, own }: KeptAs): string => `${precision}${Object.keys(own).length > 0 ? ' and others' : ''}`;

/** The import of surveyed files that was begun in just this way; null where there is none. */
export const begunAs = ({ resumes }: Pick<ModelSurvey, 'resumes'>, kept: KeptAs): ModelSurvey['resumes'] => (resumes && sameKept(resumes, kept) ? resumes : null);

/** Bytes of all networks as they are kept. */
export const keptBytes = (parts: readonly FoundModelPart[], kept: KeptAs): number => parts.reduce((total, { folder, storedAs }) => total + storedAs[precisionOf(kept, folder)], 0);

/** Sides of pictures that a model of SD3's family may be used at, in pixels. */
export const PICTURE_SIDES = [512, 768, 1024] as const;

/** A file as it was dropped, with its path in the folder. */
export interface ModelFile { path: string; file: File }

/** A file at an address, and the bearer token that its server wants, if any. */
export interface ModelAddress { address: string; token: string | null }

/** A network of a model. */
export interface ModelPart {
  /** diffusers' folder. */
  folder: string;
  label: string;
  /** How many blocks or layers, in words; empty where that says nothing. */
  detail: string;
  sourceBytes: number;
  storedBytes: number;
  /** What its large layers are kept as; null where it is kept as it came. */
  precision: KeptPrecision | null;
  state: 'found' | 'waiting' | 'importing' | 'stored' | 'damaged';
}

/** A network among the files, and its stored bytes by precision. */
export interface FoundModelPart extends ModelPart { storedAs: Record<KeptPrecision, number> }

/** What a set of files would become. */
export interface ModelSurvey {
  name: string;
  /** Of the files: what they become here is known by it and by how it is kept (keptId). */
  fingerprint: string;
  parts: FoundModelPart[];
  /** Stored bytes of the whole in one precision. */
  storedBytes: Record<KeptPrecision, number>;
  sourceBytes: number;
  suggested: KeptPrecision;
  /** Labels of networks that are still needed; empty: it can be imported. */
  lacking: string[];
  /** What the user should know, one sentence each. */
  notes: string[];
  /** As the browser estimates. */
  freeBytes: number | null;
  /** How an import of these very files was begun that is here, and the share of it that is. */
  resumes: (KeptAs & { share: number }) | null;
}

export interface ModelSummary {
  /** Side of the pictures it draws and learns from, in pixels; null for the embedded base, which has but one. */
  pictureSide: number | null;
  modelId: string;
  name: string;
  kind: 'embedded' | 'imported';
  installed: boolean;
  precision: KeptPrecision | null;
  /** Networks that are kept otherwise. */
  own: KeptAs['own'];
  parts: ModelPart[];
  sourceBytes: number;
  storedBytes: number;
  /** How much of it is here; 1 where it is whole. */
  share: number;
  createdAt: string;
  /** Where it came from, in words. */
  from: string;
  /** An unfinished import from there can go on without the files being dropped again. */
  address: string | null;
}

export interface ImportProgress {
  modelId: string;
  folder: string;
  /** Tensors of that network. */
  done: number;
  total: number;
  readBytes: number;
  sourceBytes: number;
  storedBytes: number;
  /** Of the last seconds. */
  bytesPerSecond: number;
}
