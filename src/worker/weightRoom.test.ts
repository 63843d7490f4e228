import { expect, it } from 'vitest';
import { roomBeside } from '../protocol/fit';
import { sd35Plan } from '../protocol/sd35Plan';
import { roomForWeights } from './weightRoom';

const SIZE = 5e9;
const room = (...[weights, backend, share = 1]: [Parameters<typeof roomForWeights>[0]['weights'], Parameters<typeof roomForWeights>[1], number?]) => roomForWeights({ weights, share }, backend, SIZE);

it('is what an adapter leaves beside the task, on a GPU', () => {
  const { streamBytes, beside } = room({ adapterBytes: 8e9 }, 'webgpu');
  expect(streamBytes).toBe(7.2e9);
  expect(beside!('learn', 1024)).toBe(roomBeside(sd35Plan, 'learn', 1024, 8e9));
  expect(beside!('draw', 512)).toBe(roomBeside(sd35Plan, 'draw', 512, 8e9));
  expect(beside!('learn', 1024)).toBeLessThan(beside!('draw', 1024));
});

it('is what the user says, everywhere; without a GPU a gigabyte', () => {
  for (const backend of ['webgpu', 'wasm'] as const) expect(room({ bytes: 3e9 }, backend)).toEqual({ streamBytes: 3e9 });
  for (const weights of ['all', { adapterBytes: 16e9 }] as const) expect(room(weights, 'wasm')).toEqual({ streamBytes: 1e9 });
  expect(room('all', 'webgpu')).toEqual({});
});

it('is less after the memory was not enough, whatever was chosen', () => {
  expect(room('all', 'webgpu', 0.5)).toEqual({ streamBytes: SIZE / 2 });
  expect(room({ bytes: 4e9 }, 'webgpu', 0.25)).toEqual({ streamBytes: 1e9 });
  expect(room({ adapterBytes: 8e9 }, 'webgpu', 0.5).beside!('draw', 512)).toBe(roomBeside(sd35Plan, 'draw', 512, 8e9) / 2);
  expect(room('all', 'wasm', 0.5)).toEqual({ streamBytes: 5e8 });
});
