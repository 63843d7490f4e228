/** The real store over a client that is made up, with timers in the test's hand; pictures and files to feed it. */
import { vi } from 'vitest';
import type { PictureEvent } from '../../protocol/pictures';
import { Fault } from '../../protocol/faults';
import type { FakeClient } from './fakeClient';
import type { Environment } from '../../state/client';
import { createStudio } from '../../state/studio';
import { defaultParams } from '../../state/params';

export const bitmap = () => ({ width: 8, height: 8, close: vi.fn() }) as unknown as ImageBitmap & { close: ReturnType<typeof vi.fn> };
export const picture = (slot: PictureEvent['slot'], changes: Partial<PictureEvent> = {}): PictureEvent =>
  ({ slot, revision: 1, bitmap: bitmap(), state: 'full', step: defaultParams.steps, steps: defaultParams.steps, elapsedMs: 9, prompt: 'a [V] dog', negative: '', seed: 42, guidance: 3, sampler: defaultParams.sampler, skipLayers: false, kind: 'instance', balance: 1, atStep: 30, ...changes });

export function studioOver(client: FakeClient, changes: Partial<Environment> = {}) {
  let count = 0;
  const timers: (() => void)[] = [];
  const studio = createStudio({
    client, read: async () => new Response('{}'), memory: null, persist: async () => true, newId: () => `id-${count++}`, reload: () => undefined,
    later: (_ms, run) => { timers.push(run); return () => { const at = timers.indexOf(run); if (at >= 0) timers.splice(at, 1); }; },
    ...changes,
  });
  return { studio, timers, now: studio.getState };
}

export const reading = (client: FakeClient) => {
  client.answers.drop = ({ name, pictureId }) => {
    if (name.endsWith('.txt')) throw new Fault('file-not-a-picture', 'Not a picture.', 'Choose another.');
    const picture = { pictureId, name, width: 16, height: 8, crop: { x: 4, y: 0, size: 8 }, bitmap: bitmap() };
    const drawn = name.startsWith('drawn') ? { params: { prompt: 'a dog on a beach', seed: 7 }, conceptId: null, mix: null, note: '' } : null;
    return { kind: 'picture', picture, animated: name.endsWith('.gif'), drawn };
  };
};
export const file = (name: string) => ({ file: new Blob(['x']), name });
