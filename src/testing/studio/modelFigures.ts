/** Made-up models for the scenes: the embedded base, SD3.5 Medium among dropped files, and one that was broken off. */
import type { FoundModelPart, ImportProgress, ModelSummary, ModelSurvey } from '../../protocol/models';

const part = (folder: string, label: string, detail: string, sourceBytes: number, int8: number | null): FoundModelPart => {
  const storedAs = { f16: sourceBytes, int8: int8 ?? sourceBytes, int4: int8 === null ? sourceBytes : int8 * 0.58 };
  return { folder, label, detail, sourceBytes, storedBytes: storedAs.int8, storedAs, precision: int8 === null ? null : 'int8', state: 'found' };
};

const parts = [
  part('transformer', 'Transformer', '24 blocks', 4.52e9, 2.31e9),
  part('vae', 'Autoencoder', '', 168e6, null),
  part('text_encoder', 'Text encoder CLIP-L', '12 blocks', 246e6, 165e6),
  part('text_encoder_2', 'Text encoder CLIP-G', '32 blocks', 1.39e9, 0.76e9),
];
const whole = (precision: 'f16' | 'int8' | 'int4') => parts.reduce((total, { storedAs }) => total + storedAs[precision], 0);

export const survey: ModelSurvey = {
  name: 'SD3.5 Medium', fingerprint: 'sd35', parts, storedBytes: { f16: whole('f16'), int8: whole('int8'), int4: whole('int4') },
  sourceBytes: whole('f16'), suggested: 'int8', lacking: [], notes: ['Autoencoder: there twice, in sd3.5_medium.safetensors and ae.safetensors. The first is taken.'], freeBytes: 58e9, resumes: null,
};

/** In the middle of the second network. */
export const progress: ImportProgress = { modelId: 'sd35-int8', folder: 'transformer', done: 612, total: 968, readBytes: 4.1e9, sourceBytes: survey.sourceBytes, storedBytes: 2.1e9, bytesPerSecond: 212e6 };

export const embedded: ModelSummary = {
  modelId: 'embedded', name: 'Embedded base', kind: 'embedded', installed: true, precision: null, own: {}, sourceBytes: 58.6e6, storedBytes: 58.6e6, share: 1, pictureSide: null, createdAt: '2026-05-04T10:00:00Z', from: '', address: null,
  parts: [['transformer', 'Transformer', 26.6e6], ['vae', 'Autoencoder', 2.9e6], ['text_encoder', 'Text encoder CLIP-L', 4e6], ['image_encoder', 'Image encoder', 4e6]].map(([folder, label, bytes]) => ({ folder: folder as string, label: label as string, detail: '', sourceBytes: bytes as number, storedBytes: bytes as number, precision: null, state: 'stored' as const })),
};

export const imported: ModelSummary = {
  modelId: 'sd35-int8', name: 'SD3.5 Medium', kind: 'imported', installed: true, precision: 'int8', own: {}, sourceBytes: survey.sourceBytes, storedBytes: whole('int8'), share: 1, pictureSide: 512, createdAt: '2026-05-06T10:00:00Z',
  from: 'sd3.5_medium.safetensors, clip_l.safetensors, clip_g.safetensors', address: null, parts: parts.map(({ storedAs: _, ...each }) => ({ ...each, state: 'stored' })),
};

export const unfinished: ModelSummary = {
  ...imported, installed: false, storedBytes: 2.1e9, share: 0.6, address: 'https://example.org/sd3.5_medium.safetensors',
  parts: imported.parts.map((each, n) => ({ ...each, state: n === 0 ? 'importing' : 'waiting', storedBytes: n === 0 ? 2.1e9 : 0 })),
};
