import { beforeEach, describe, expect, it, vi } from 'vitest';
import { openBackend } from './backend';
import { isSoftware } from './device';
import { wasmFolder } from '../testing/nodeBackend';
import { threadCount } from './wasm';

const options = { threads: null, wasmPaths: wasmFolder };

describe('openBackend without WebGPU', () => {
  it('says why WebGPU cannot be had when it is asked for', async () => {
    await expect(openBackend('webgpu', options)).rejects.toMatchObject({ code: 'backend-unavailable', message: 'WebGPU was asked for. This browser has no WebGPU.' });
  });

  it('opens the cpu backend by name', async () => {
    expect(await openBackend('cpu', options)).toMatchObject({ backend: 'cpu', threads: 1, crossOriginIsolated: false });
  });
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
