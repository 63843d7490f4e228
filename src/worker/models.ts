/**
 * The models on this device: what is there, what dropped files would become, importing, checking and deleting. The sources of the
 * newest survey are held until it is imported or replaced; a token is held with them and nowhere else.
 */
import * as v from 'valibot';
import { blobBytes, rangedBytes, type ByteSource } from '../formats/checkpointFile';
import { PART_LABELS, KEPT_POSITIONS } from '../models/checkpoint';
import { Fault } from '../protocol/faults';
import type { Host } from '../protocol/host';
import type { ParamsOf, ResultOf } from '../protocol/messages';
import { begunAs, EMBEDDED, EMBEDDED_NAME, keptBytes, KEPT_PRECISIONS, precisionOf, type FoundModelPart, type KeptPrecision, type ModelPart, type ModelSummary, type ModelSurvey } from '../protocol/models';
import type { ModelRecord } from '../storage/db';
import { withLock } from '../storage/locks';
import { damagedTensors, deleteModel, getModel, landedOf, listModels, partFile, putModel, reopenPart } from '../storage/modelStore';
import { importSurveyed, modelIdOf, shortFingerprint, storedBytes, surveyFiles, type Surveyed } from './importing';
import type { Opening } from './opening';
import type { Turns } from './turns';

/** Room that is left to the browser and to concepts beside a model. */
const SPARE_BYTES = 200e6;
/** Networks below this are kept as they came: packing them would save little. */
const SMALL_MODEL_BYTES = 200e6;

/** Of the embedded base alone. */
const OWN_LABELS: Readonly<Record<string, string>> = { object_adapter: 'Object encoder', identity_adapter: 'Face encoder', identity_encoder: 'Face recognition', head_finder: 'Head finder', student: 'First looks' };
const label = (folder: string): string => PART_LABELS[folder as keyof typeof PART_LABELS] ?? OWN_LABELS[folder] ?? folder;
const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);
const byPrecision = <T>(of: (precision: KeptPrecision) => T) => Object.fromEntries(KEPT_PRECISIONS.map((precision) => [precision, of(precision)])) as Record<KeptPrecision, T>;

/** "24 blocks": of the layers' names. */
function detailOf(names: readonly string[]): string {
  const blocks = new Set(names.flatMap((name) => /(?:transformer_blocks|encoder\.layers|encoder\.block)\.(\d+)\./.exec(name)?.[1] ?? []));
  return blocks.size > 0 ? `${blocks.size} blocks` : '';
}

export class Models {
  private surveyed: { found: Surveyed; address: string | null } | null = null;
  private importing: string | null = null;

  constructor(private readonly host: Host, private readonly turns: Turns, private readonly opening: Opening) {}

  async list(): Promise<ModelSummary[]> {
    const db = await this.opening.db();
    return [await this.embedded(), ...(await Promise.all((await listModels(db)).map((record) => this.summary(record))))];
  }

  /** The base that comes with the app; without parts until it has been stored. */
  private async embedded(): Promise<ModelSummary> {
    const record = await (await this.opening.db()).get('bases', EMBEDDED);
    const bytes = new Map<string, number>();
    for (const [path, { sizeBytes }] of Object.entries(record?.files ?? {})) {
      const [folder = ''] = path.split('/');
      if (label(folder) !== folder) bytes.set(folder, (bytes.get(folder) ?? 0) + sizeBytes);
    }
    const parts = [...bytes].map(([folder, own]): ModelPart => ({ folder, label: label(folder), detail: '', sourceBytes: own, storedBytes: own, precision: null, state: 'stored' }));
    const whole = sum(Object.values(record?.files ?? {}).map(({ sizeBytes }) => sizeBytes));
    return { modelId: EMBEDDED, name: EMBEDDED_NAME, kind: 'embedded', installed: true, precision: null, own: {}, parts, sourceBytes: whole, storedBytes: whole, share: 1, pictureSide: null, createdAt: record?.storedAt ?? '', from: '', address: null };
  }

  private async summary(record: ModelRecord): Promise<ModelSummary> {
    const db = await this.opening.db();
    const { modelId, name, installed, precision, own = {}, createdAt, from } = record;
    const parts = await Promise.all(record.parts.map(async ({ folder, sourceBytes, storedBytes: bytes }): Promise<ModelPart> => {
      const whole = (await db.getKey('manifests', partFile(modelId, folder))) !== undefined;
      const landed = whole ? null : await landedOf(db, partFile(modelId, folder));
      return { folder, label: label(folder), detail: '', sourceBytes, storedBytes: landed ? landed.storedBytes : bytes, precision: folder.startsWith('vae') ? null : precisionOf({ precision, own }, folder), state: whole ? 'stored' : this.importing === modelId || landed!.names.size > 0 ? 'importing' : 'waiting' };
    }));
    const transformer = transformerOf(record);
    return { modelId, name, kind: 'imported', installed, pictureSide: transformer.sample_size * DOWNSCALE, precision, own, parts, sourceBytes: sum(record.parts.map((part) => part.sourceBytes)), storedBytes: sum(parts.map((part) => part.storedBytes)), share: sum(parts.map((part) => part.storedBytes)) / Math.max(1, sum(record.parts.map((part) => part.storedBytes))), createdAt, from: from.names.join(', '), address: from.address };
  }

  /** Stops when the signal aborts, also while a server is waited for. Faults: those of surveyFiles and of the network. */
  async survey({ files, addresses }: ParamsOf<'surveyModel'>, signal: AbortSignal): Promise<ModelSurvey> {
    const sources: ByteSource[] = files.map(({ path, file }) => blobBytes(file, path));
    for (const { address, token } of addresses) {
      if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) throw new Fault('network', `“${address}” is not an address of a file.`, 'Enter one that begins with https://.', { subject: address });
      sources.push(await rangedBytes(address, { fetch: this.opening.platform.fetch, signal, ...(token && { token }) }));
    }
    signal.throwIfAborted();
    const found = await surveyFiles(sources);
    this.surveyed = { found, address: addresses.map(({ address }) => address).join('\n') || null };
    return this.described(found);
  }

  private async described(found: Surveyed): Promise<ModelSurvey> {
    const db = await this.opening.db();
    const sourceBytes = sum(found.parts.map((part) => part.sourceBytes));
    const suggested: KeptPrecision = sourceBytes <= SMALL_MODEL_BYTES ? 'f16' : 'int8';
    const parts = found.parts.map(({ part, tensors, sourceBytes: own }): FoundModelPart => {
      const storedAs = byPrecision((precision) => sum(tensors.map((tensor) => storedBytes(tensor, precision))));
      return { folder: part.part, label: label(part.part), detail: detailOf(tensors.map(({ name }) => name)), sourceBytes: own, storedBytes: storedAs[suggested], storedAs, precision: tensors.some(({ layer }) => layer) ? suggested : null, state: 'found' };
    });
    const bytes = byPrecision((precision) => sum(parts.map(({ storedAs }) => storedAs[precision])));
    const fingerprint = shortFingerprint(found);
    let resumes: ModelSurvey['resumes'] = null;
    for (const record of (await listModels(db)).filter(({ modelId }) => modelId.startsWith(`${fingerprint}-`))) {
      const { share, own } = await this.summary(record);
      if (!resumes || share > resumes.share) resumes = { precision: record.precision, own, share };
    }
    const estimate = await globalThis.navigator?.storage?.estimate?.().catch(() => undefined);
    const freeBytes = estimate?.quota === undefined ? null : estimate.quota - (estimate.usage ?? 0);
    return {
      name: nameOf(found), fingerprint, parts, storedBytes: bytes, sourceBytes, suggested: resumes?.precision ?? suggested,
      lacking: found.lacking.map(label), notes: found.notes, freeBytes, resumes,
    };
  }

  /** Stops when the signal aborts; what has landed stays. Faults: `busy`, `storage-full`, those of reading. */
  async import({ precision, own, name }: ParamsOf<'importModel'>, signal: AbortSignal): Promise<ModelSummary> {
    const { surveyed } = this;
    if (!surveyed) throw new Fault('busy', 'There are no files to import from any more.', 'Drop the files once more: what is here already is not read again.');
    const { found, address } = surveyed;
    const db = await this.opening.db();
    const described = await this.described(found);
    const needed = keptBytes(described.parts, { precision, own }) * (1 - (begunAs(described, { precision, own })?.share ?? 0));
    if (described.freeBytes !== null && described.freeBytes < needed + SPARE_BYTES) {
      throw new Fault('storage-full', `The model takes ${gigabytes(needed)} more, and the browser allows this page ${gigabytes(Math.max(0, described.freeBytes))} more.`, 'Free disk space, delete another model, or keep it in fewer bits.');
    }
    const modelId = modelIdOf(found, precision, own);
    return withLock(`lamina.model.${modelId}`, async () => {
      this.importing = modelId;
      try {
        const clipMerges = async () => new TextDecoder().decode(await this.opening.readClipMerges());
        // idle pictures wait for it; it waits for nobody, because it mostly waits for disk and database anyway
        const record = await this.turns.take('training', () => importSurveyed(db, found, { name, precision, own, address, clipMerges, signal, onProgress: (progress) => this.host.emit('importing', progress) }));
        this.surveyed = null;
        return await this.summary(record);
      } finally {
        this.importing = null;
      }
    }, signal);
  }

  /** Reads all of it again; what is damaged is taken out, so that dropping the files again writes just that. */
  async check({ modelId }: ParamsOf<'checkModel'>, signal: AbortSignal): Promise<ResultOf<'checkModel'>> {
    const db = await this.opening.db();
    const record = await getModel(db, modelId);
    if (!record) throw gone();
    let doneBytes = 0;
    const totalBytes = sum(record.parts.map((part) => part.storedBytes));
    const damaged = await damagedTensors(db, record, (bytes) => this.host.emit('checking', { modelId, doneBytes: (doneBytes += bytes), totalBytes }), signal);
    for (const [folder, names] of Object.entries(damaged)) await reopenPart(db, partFile(modelId, folder), names);
    if (Object.keys(damaged).length > 0) await putModel(db, { ...record, installed: false });
    return { damaged: Object.entries(damaged).map(([folder, names]) => ({ label: label(folder), tensors: names.length })) };
  }

  /** Fault `base-mismatch` for sizes it cannot draw. */
  async setPictureSide({ modelId, side }: ParamsOf<'setPictureSide'>): Promise<ModelSummary> {
    const db = await this.opening.db();
    const record = await getModel(db, modelId);
    if (!record) throw gone();
    const config = transformerOf(record);
    const cell = DOWNSCALE * config.patch_size;
    if (side % cell !== 0 || side <= 0 || side > cell * Math.min(config.pos_embed_max_size, KEPT_POSITIONS)) throw new Fault('base-mismatch', `This model draws pictures with sides in multiples of ${cell} pixels, up to ${cell * Math.min(config.pos_embed_max_size, KEPT_POSITIONS)}; ${side} was asked for.`, 'Choose another size.');
    const changed = { ...record, texts: { ...record.texts, 'transformer/config.json': JSON.stringify({ ...config, sample_size: side / DOWNSCALE }) } };
    await putModel(db, changed);
    return this.summary(changed);
  }

  async delete({ modelId }: ParamsOf<'deleteModel'>): Promise<void> {
    if (this.opening.baseId === modelId) throw new Fault('busy', 'This model is in use.', 'Use another one first, then delete it.');
    if (this.importing === modelId) throw new Fault('busy', 'This model is being imported.', 'Stop the import first.');
    await deleteModel(await this.opening.db(), modelId);
  }
}

/** Pixels of a side for each latent pixel, of every SD3 autoencoder. */
const DOWNSCALE = 8;

const transformerConfig = v.looseObject({ sample_size: v.number(), patch_size: v.optional(v.number(), 2), pos_embed_max_size: v.optional(v.number(), KEPT_POSITIONS) });
const transformerOf = ({ texts }: ModelRecord) => v.parse(transformerConfig, JSON.parse(texts['transformer/config.json'] ?? '{"sample_size": 0}'));

const gigabytes = (bytes: number): string => (bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);

const gone = () => new Fault('base-incomplete', 'That model is not on this device any more.', 'Reload the page.');

/** From the transformer's file or its folder. */
function nameOf({ parts }: Surveyed): string {
  const path = (parts.find(({ part }) => part.part === 'transformer') ?? parts[0]!).part.paths[0]!;
  const pieces = path.split('/');
  const folder = pieces.length > 1 ? pieces.at(-2) : null;
  const own = pieces.at(-1)!.replace(/(-\d{5}-of-\d{5})?\.safetensors$/i, '');
  const plain = folder === 'transformer' ? (pieces.at(-3) ?? own) : /^(diffusion_pytorch_model|model)$/.test(own) ? (folder ?? own) : own;
  return /sd3\.?5_?-?medium/i.test(plain) ? 'SD3.5 Medium' : /sd3\.?5_?-?large/i.test(plain) ? 'SD3.5 Large' : /sd3_?-?medium/i.test(plain) ? 'SD3 Medium' : plain;
}
