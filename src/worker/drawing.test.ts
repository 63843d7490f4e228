import { expect, it, vi } from 'vitest';
import * as tf from '../engine/tf';
import { plainSeeing } from '../protocol/objects';
import { Fault } from '../protocol/faults';
import { useBackend } from '../testing/backend';
import { Current } from './current';
import { Drawing } from './drawing';
import { Turns } from './turns';

/** A session that holds an object, on a base whose prompts cannot be read. */
function failing(lease: () => Promise<unknown>) {
  const current = new Current();
  current.setObject({ kind: 'object', tokens: tf.zeros([1, 2, 4]), nobody: null, seeing: plainSeeing, revision: 1 });
  const base = { zeroTokens: 0, prompts: { encoded: async () => { throw new Fault('prompt-invalid', 'Too long.'); } }, parts: { text: { lingering: (work: () => unknown) => work() }, object: { lease } } };
  const drawing = new Drawing({} as never, new Turns(), { base: async () => base } as never, current, {} as never);
  return drawing.draw({ prompt: 'a [V]', negative: '', seed: 1, steps: 2, sampler: 'euler', skipLayers: false, guidance: 3, balance: 1, kind: 'instance', withBase: true }, new AbortController().signal);
}

it('gives the object and its encoder back where a prompt cannot be read, or the encoder not loaded', async () => {
  await useBackend('wasm');
  const before = tf.memory().numTensors;
  const release = vi.fn();
  await expect(failing(async () => ({ part: {}, release }))).rejects.toMatchObject({ code: 'prompt-invalid' });
  expect(release).toHaveBeenCalledOnce();
  await expect(failing(async () => { throw new Fault('base-corrupt', 'Broken.'); })).rejects.toMatchObject({ code: 'base-corrupt' });
  // what is in hand itself, twice
  expect(tf.memory().numTensors - before).toBe(2);
});
