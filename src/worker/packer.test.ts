import { expect, it, vi } from 'vitest';
import { normal } from '../pipeline/random';
import { packBeside, packed, packHere, type PackAnswer, type PackRequest, type Unpacked } from './packer';

const layer = (step: number): Unpacked => ({ bytes: new Uint8Array(normal([24 * 40], { seed: 3, purpose: 'test', step }).buffer as ArrayBuffer), dtype: 'F32', outFeatures: 24, inFeatures: 40, packing: { precision: 'int8' } });

/** A worker that packs when it is told to. */
function fake() {
  const listeners: Record<string, (event: never) => void> = {};
  const asked: PackRequest[] = [];
  const say = (data: PackAnswer) => listeners.message!({ data } as never);
  return {
    asked, terminate: vi.fn(), postMessage: (message: PackRequest) => void asked.push(structuredClone(message)),
    addEventListener: (kind: string, listen: (event: never) => void) => void (listeners[kind] = listen),
    answer: (n: number) => say({ id: asked[n]!.id, packed: packed(asked[n]!.layer) }),
    fail: (n: number) => say({ id: asked[n]!.id, error: 'no such type' }),
    die: () => listeners.error!(undefined as never),
  };
}

it('packs the same bytes beside as here, whatever order the answers come in', async () => {
  const worker = fake();
  const packer = packBeside(() => worker);
  const made = [0, 1, 2].map((step) => packer.pack(layer(step)));
  [2, 0, 1].forEach(worker.answer);
  for (const [step, one] of (await Promise.all(made)).entries()) expect(one).toEqual(await packHere.pack(layer(step)));
});

it('says what failed there, and nothing else fails with it', async () => {
  const worker = fake();
  const packer = packBeside(() => worker);
  const [bad, good] = [packer.pack(layer(0)), packer.pack(layer(1))];
  worker.fail(0);
  worker.answer(1);
  await expect(bad).rejects.toThrow('no such type');
  expect(await good).toEqual(packed(layer(1)));
});

it('goes on here when the worker dies or cannot be started', async () => {
  const worker = fake();
  const packer = packBeside(() => worker);
  const made = packer.pack(layer(0));
  worker.die();
  expect(await made).toEqual(packed(layer(0)));
  expect(await packer.pack(layer(1))).toEqual(packed(layer(1)));
  expect(worker.asked).toHaveLength(1);
  expect(await packBeside(() => { throw new Error('not here'); }).pack(layer(2))).toEqual(packed(layer(2)));
});

it('ends with the import', async () => {
  const worker = fake();
  const packer = packBeside(() => worker);
  const made = packer.pack(layer(0));
  packer.dispose();
  await expect(made).rejects.toThrow('has ended');
  expect(worker.terminate).toHaveBeenCalledOnce();
});
