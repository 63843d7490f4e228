/** Made-up states of the studio, one a name, for development and screenshots. Pictures come from the sample sets. */
import type { Compute } from '../../protocol/compute';
import type { ConceptSummary } from '../../protocol/concepts';
import type { PictureEvent } from '../../protocol/pictures';
import type { StepMetrics } from '../../protocol/run';
import { Fault } from '../../protocol/faults';
import { defaultRecipe } from '../../protocol/recipe';
import type { Measures } from '../../protocol/runReport';
import type { Studio } from '../../state/slice';
import { fakeRun, type FakeClient } from './fakeClient';

export const compute: Compute = { backend: 'wasm', adapter: 'wasm SIMD, 2 threads', software: false, threads: 2, crossOriginIsolated: true, reason: 'This browser offers no graphics adapter, so the processor computes.' };

const load = async (path: string): Promise<ImageBitmap> => createImageBitmap(await (await fetch(path)).blob());
const picture = (slot: PictureEvent['slot'], bitmap: ImageBitmap, changes: Partial<PictureEvent> = {}): PictureEvent =>
  ({ slot, revision: 1, bitmap, state: 'full', step: 20, steps: 20, elapsedMs: 1400, prompt: 'a [V] dog in the snow', seed: 42, balance: 1, ...changes });

function metrics(steps: number): StepMetrics[] {
  return Array.from({ length: steps }, (_, n) => {
    const student = n >= 400;
    const noise = () => 0.9 + 0.2 * Math.abs(Math.sin(n * 12.9898) * 43758.5453 % 1);
    const grown = student ? 1 - Math.exp(-(n - 400) / 80) : 0;
    return {
      runId: 'run-1', step: n + 1, stage: student ? 'student' : 'extractor', losses: { flow: (0.09 + 0.2 * Math.exp(-n / 120)) * noise(), ...(student ? { pure: (0.07 + 0.2 * Math.exp(-(n - 400) / 70)) * noise(), anchor: 0.02 * noise() } : {}) },
      sigma: [(n * 0.618) % 1, (n * 0.382) % 1], lambdaStar: student ? [0.83 * grown * noise(), 0.8 * grown * noise()] : [], cosine: student ? [0.7 * grown, 0.68 * grown] : [], gradientNorm: 1, floorHits: 0, stepMs: 300,
    };
  });
}

const measures: Measures = { likeness: 0.81, likenessBase: 0.62, likenessOwn: 0.9, nearer: 8, driftBase: 0.05, driftUnrelated: 0.03, sameBase: 0.98, sameUnrelated: 0.99, likenessWithoutRows: 0.7, prompts: Array.from({ length: 8 }, () => ({ prompt: '', seed: 1, likeness: 0.8, likenessBase: 0.6 })), base: [], unrelated: [] };
const concept = (n: number, set: string, preview: Blob): ConceptSummary =>
  ({ conceptId: `c${n}`, name: set, classWord: 'dog', kind: n === 2 ? 'style' : 'instance', createdAt: '2026-05-04T10:00:00Z', sizeBytes: 1.4e6, preview, measures: n === 1 ? null : measures, recipe: defaultRecipe(), lambda: 0.83, base: 'embedded', imported: n === 1 });

export async function playScene(scene: string, client: FakeClient, studio: Studio): Promise<void> {
  const words = ['a', 'an', 'and', 'at', 'background', 'balloon', 'beach', 'big', 'cake', 'car', 'city', 'cow', 'desert', 'dog', 'frog', 'ghost', 'grass', 'in', 'night', 'of', 'on', 'picture', 'room', 'snow', 'the', 'top'];
  client.answers.vocabulary = () => ({ words });
  client.answers.drop = async ({ file, name, pictureId }) => {
    if (!file.type.startsWith('image/')) throw new Fault('file-not-a-picture', `“${name}” is not a picture: it begins like text.`, 'Choose a PNG, JPEG, WebP, AVIF or GIF.');
    const bitmap = await createImageBitmap(file);
    const { width, height } = bitmap;
    const size = Math.min(width, height);
    return { kind: 'picture', picture: { pictureId, name, width, height, crop: { x: (width - size) / 2, y: (height - size) / 2, size }, bitmap } };
  };
  client.answers.fitCheck = async ({ pictureId }) => ({ pictureId, bitmap: await load('/concepts/guide-dog/1.png'), psnr: 27.1, outside: scene === 'faults' });
  client.answers.learn = () => fakeRun();
  const blob = await (await fetch('/concepts/guide-dog/5.png')).blob();
  client.answers.concepts = () => ['Guide dog', 'Birthday cake', 'Duotone'].map((name, n) => concept(n, name, blob));
  client.answers.openConcept = () => concept(0, 'Guide dog', blob);
  client.answers.exportConcept = () => ({ file: new Blob([new Uint8Array(8), 'x']), fileName: 'guide-dog.safetensors', tellsAll: false, likenessWithoutRows: 0.71 });
  if (scene === 'first') return;
  if (scene === 'loading') return client.emit('loading', { file: 'transformer', doneBytes: 12.4e6, totalBytes: 37.6e6, source: 'network' });
  client.emit('ready', { base: 'embedded', sizeBytes: 37.6e6, imageSize: 128 });
  if (scene === 'shelf') return studio.getState().setTab('shelf');
  if (scene === 'resume') return studio.setState({ unfinished: { run: fakeRun({ step: 212 }), pictures: [], metrics: [], ownedElsewhere: false } });
  await studio.getState().loadSample('guide-dog');
  if (scene === 'faults') {
    await studio.getState().addFiles([{ file: new Blob(['hello']), name: 'notes.png' }]);
    studio.getState().setCaption(studio.getState().selectedId!, 'complete', 'a [V] dog with a harness on a beach');
    studio.getState().setParams({ prompt: 'a [V] dog riding a unicorn' });
  }
  if (scene !== 'learning' && scene !== 'learned') return;
  studio.setState({ metrics: metrics(scene === 'learned' ? 800 : 612) });
  client.emit('run', fakeRun(scene === 'learned' ? { phase: 'finished', step: 800, lambda: 0.83 } : { phase: 'student', step: 612, secondsLeft: 130, lambda: 0.83 }));
  client.emit('picture', picture({ kind: 'base' }, await load('/concepts/guide-dog/4.png')));
  client.emit('picture', picture({ kind: 'concept' }, await load('/concepts/guide-dog/5.png'), scene === 'learned' ? {} : { state: 'draft' }));
  for (let step = 0; step <= 600; step += 100) client.emit('picture', picture({ kind: 'strip', runId: 'run-1', step, side: 'concept' }, await load(`/concepts/guide-dog/${1 + (step / 100) % 5}.png`)));
  client.emit('changed', { runId: 'run-1', step: 600, likeness: 0.81, drift: 0.04 });
  if (scene === 'learned') studio.setState({ measures });
}
