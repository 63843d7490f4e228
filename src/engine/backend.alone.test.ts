import { beforeEach, describe, expect, it, vi } from 'vitest';
import { findBackend } from '@tensorflow/tfjs-core';
import { openBackend, type Compute } from './backend';
import { isSoftware, watchLosses, type Loss } from './webgpu/device';
import { wasmFolder } from '../testing/nodeBackend';
import { threadCount } from './wasm/wasm';

const options = { threads: null, wasmPaths: wasmFolder };

describe('openBackend without WebGPU', () => {
  it('says why WebGPU cannot be had when it is asked for', async () => {
    await expect(openBackend('webgpu', options)).rejects.toMatchObject({ code: 'backend-unavailable', message: 'WebGPU was asked for. This browser has no WebGPU.' });
  });

  it('opens the cpu backend by name', async () => {
    expect(await openBackend('cpu', options)).toMatchObject({ backend: 'cpu', threads: 1, crossOriginIsolated: false });
  });
});

it('refuses a wasm tensor that there is no memory for, instead of writing it to address 0', async () => {
  await openBackend('wasm', options);
  const { wasm } = findBackend('wasm') as unknown as { wasm: { _malloc(sizeBytes: number): number } };
  expect(wasm._malloc(64)).toBeGreaterThan(0);
  expect(() => wasm._malloc(2 ** 32 - 2 ** 16)).toThrow('no 4294.9 MB left');
});

describe('the adapter found', () => {
  const withAdapter = (info: Partial<GPUAdapterInfo>, requestDevice: () => Promise<GPUDevice>) => {
    const adapter = { info, features: new Set(), limits: {}, requestDevice } as unknown as GPUAdapter;
    vi.stubGlobal('navigator', { gpu: { requestAdapter: () => Promise.resolve(adapter) } });
  };
  beforeEach(() => () => { vi.unstubAllGlobals(); });

  it('is not used by auto when it is software', async () => {
    const requestDevice = vi.fn<() => Promise<GPUDevice>>();
    withAdapter({ vendor: 'google', architecture: 'swiftshader', device: '0xc0de', description: '' }, requestDevice);
    expect(await openBackend('auto', options)).toMatchObject({
      backend: 'wasm', adapter: 'wasm SIMD, 1 thread', threads: 1, reason: 'The only graphics adapter is a software one (google swiftshader), slower than WebAssembly.',
    });
    expect(requestDevice).not.toHaveBeenCalled();
  });

  it('is named in the fault when its device cannot be had', async () => {
    withAdapter({ vendor: 'nvidia', architecture: 'ampere', device: '', description: '' }, () => Promise.reject(new Error('out of luck')));
    await expect(openBackend('webgpu', options)).rejects.toThrow('nvidia ampere could not be opened: out of luck');
  });

  const before: Compute = { backend: 'webgpu', adapter: 'nvidia ampere', software: false, threads: 1, crossOriginIsolated: false, reason: '' };
  const nvidia = { vendor: 'nvidia', architecture: 'ampere', device: '', description: '' };

  it('is replaced by wasm, asked for by name or not, when it does not come back after a crash', async () => {
    withAdapter(nvidia, () => Promise.reject(new Error('out of luck')));
    for (const choice of ['webgpu', 'auto'] as const) {
      expect(await openBackend(choice, { ...options, before })).toMatchObject({ backend: 'wasm', reason: 'WebGPU could not be had again: nvidia ampere could not be opened: out of luck.' });
    }
  });

  it('is not followed by a software adapter, unless it was one', async () => {
    const requestDevice = vi.fn(() => Promise.reject(new Error('asked')));
    withAdapter({ vendor: 'google', architecture: 'swiftshader', device: '', description: '' }, requestDevice);
    expect((await openBackend('webgpu', { ...options, before })).reason).toContain('software one');
    expect(requestDevice).not.toHaveBeenCalled();
    expect((await openBackend('webgpu', { ...options, before: { ...before, software: true } })).reason).toContain('asked');
  });

  it('is not asked for once it is to be avoided', async () => {
    const requestDevice = vi.fn<() => Promise<GPUDevice>>();
    withAdapter(nvidia, requestDevice);
    expect(await openBackend('webgpu', { ...options, before, avoid: 'It failed 3 times.' })).toMatchObject({ backend: 'wasm', reason: 'It failed 3 times.' });
    expect(requestDevice).not.toHaveBeenCalled();
  });

  it('counts as none when the browser never answers', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      withAdapter(nvidia, () => new Promise(() => {}));
      const opened = openBackend('auto', { ...options, before });
      await vi.advanceTimersByTimeAsync(60_000);
      vi.useRealTimers();
      expect((await opened).reason).toContain('did not answer when asked for a device');
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('watchLosses', () => {
  class GPUOutOfMemoryError extends Error {}
  class GPUValidationError extends Error {}
  const device = () => {
    let lose = (_: GPUDeviceLostInfo) => {};
    let fail = (_: Error) => {};
    const lost = new Promise<GPUDeviceLostInfo>((resolve) => { lose = resolve; });
    const addEventListener = (_: string, listener: (event: unknown) => void) => { fail = (error) => listener({ error }); };
    const found: Loss[] = [];
    watchLosses({ lost, addEventListener } as unknown as GPUDevice, (loss) => found.push(loss));
    return { lose: (reason: string) => lose({ reason, message: 'gone' } as GPUDeviceLostInfo), fail: (error: Error) => fail(error), found };
  };

  it('tells of a loss once, and not of a device we destroyed or of a mistake of ours', async () => {
    const [lost, destroyed] = [device(), device()];
    lost.fail(new GPUValidationError('wrong size'));
    lost.fail(new GPUOutOfMemoryError('no room'));
    lost.lose('unknown');
    destroyed.lose('destroyed');
    await Promise.resolve();
    expect(lost.found).toEqual([{ code: 'out-of-memory', message: 'The graphics device ran out of memory: no room' }]);
    expect(destroyed.found).toEqual([]);
  });
});

it.each([
  ['google swiftshader (SwiftShader driver 5.0.0)', true], ['mesa llvmpipe', true], ['microsoft Basic Render Driver', true], ['Microsoft WARP', true],
  ['nvidia ampere', false], ['intel xe (Intel(R) Arc)', false], ['apple metal-3', false], ['qualcomm adreno-7xx warpspeed', false],
])('%s is software: %s', (name, software) => {
  expect(isSoftware(name)).toBe(software);
});

it.each([
  [null, 1, true, 1], [null, 2, true, 1], [null, 4, true, 3], [null, 32, true, 8], [null, 16, false, 1],
  [2, 2, true, 2], [64, 4, true, 8], [0, 4, true, 1], [4, 8, false, 1],
] as const)('threads %s on %i cores, isolated %s: %i', (asked, cores, isolated, threads) => {
  expect(threadCount(asked, cores, isolated)).toBe(threads);
});
