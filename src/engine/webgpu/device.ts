/**
 * The GPU: adapter, device with all the limits and optional features our kernels can use, handed to tfjs' own backend.
 * tfjs alone asks for fewer. A device that is lost or out of memory is reported once; nothing is repaired here (the worker
 * restarts), for every tensor on it is gone or, after a refused allocation, perhaps never was.
 */
import { env, findBackendFactory, registerBackend, removeBackend, setBackend } from '@tensorflow/tfjs-core';
import { adapterTraits } from './adapterTraits';
import { invariant } from '../invariant';
import { checkPrivateFields } from './dispatch';
import { setTilings, untuned } from './tiling';
import { replaceKernels } from './softwareKernels';

export interface FoundAdapter {
  adapter: GPUAdapter;
  /** Its own name for itself. */
  name: string;
  software: boolean;
}

const limits = [
  'maxBufferSize', 'maxStorageBufferBindingSize', 'maxStorageBuffersPerShaderStage', 'maxUniformBufferBindingSize',
  'maxComputeWorkgroupStorageSize', 'maxComputeInvocationsPerWorkgroup', 'maxComputeWorkgroupSizeX', 'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ', 'maxComputeWorkgroupsPerDimension',
] as const satisfies readonly (keyof GPUSupportedLimits)[];
const optionalFeatures: GPUFeatureName[] = ['timestamp-query', 'shader-f16', 'subgroups' as GPUFeatureName, 'bgra8unorm-storage'];

/** Kernels recorded before a submit. tfjs' 15 costs more in submits; beyond 64 nothing more is gained. */
const BATCH = 64;

/** True where the adapter's description names a rasteriser that runs on the processor. */
export const isSoftware = (description: string): boolean => /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|\bwarp\b/i.test(description);

/** Why a device can no longer be computed on: gone, or an allocation was refused and what was to be in it is not. */
export interface Loss { code: 'device-lost' | 'out-of-memory'; message: string }

/** A browser whose GPU process is gone may leave a request without an answer; one that is busy with a page before us answers late. */
async function answered<T>(asked: Promise<T>, what: string, patienceMs: number): Promise<T> {
  if (patienceMs === Infinity) return asked;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => { timer = setTimeout(() => reject(new Error(`the browser did not answer when asked for ${what}`)), patienceMs); });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Null where the browser has no WebGPU or gives no adapter; throws where it gives no answer in time. */
export async function findAdapter(patienceMs = Infinity): Promise<FoundAdapter | null> {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  const adapter = gpu ? await answered(gpu.requestAdapter({ powerPreference: 'high-performance' }), 'an adapter', patienceMs) : null;
  if (!adapter) return null;
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const name = [vendor, architecture, description && `(${description})`].filter(Boolean).join(' ') || device || 'unnamed adapter';
  return { adapter, name, software: isFallbackAdapter || isSoftware(`${name} ${device}`) };
}

/** Makes tfjs' WebGPU backend on this adapter the current one. `onLoss` is called at most once, with the browser's own words. */
export async function openDevice({ adapter, software }: FoundAdapter, onLoss?: (loss: Loss) => void, patienceMs = Infinity): Promise<GPUDevice> {
  const device = await answered(adapter.requestDevice({
    requiredFeatures: optionalFeatures.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(limits.filter((name) => adapter.limits[name] !== undefined).map((name) => [name, adapter.limits[name]])) as Record<string, number>,
  }), 'a device', patienceMs);
  watchLosses(device, onLoss);
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  adapterTraits.software = software;
  replaceKernels(software);
  setTilings(untuned(software));
  if (findBackendFactory('webgpu')) removeBackend('webgpu');
  registerBackend('webgpu', () => {
    const backend = new WebGPUBackend(device, adapter.info);
    checkPrivateFields(backend);
    return backend;
  }, 3);
  env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', BATCH);
  invariant(await setBackend('webgpu'), 'tfjs refused its WebGPU backend');
  return device;
}

/** A device that we destroy ourselves is not lost. An internal error is the driver's own failure: the device goes on, its results do not. */
export function watchLosses(device: Pick<GPUDevice, 'lost' | 'addEventListener'>, onLoss: ((loss: Loss) => void) | undefined): void {
  let told = false;
  const tell = (code: Loss['code'], message: string) => {
    if (!told) onLoss?.({ code, message });
    told = true;
  };
  device.addEventListener('uncapturederror', ({ error }) => {
    const kind = error.constructor.name;
    if (kind === 'GPUOutOfMemoryError') tell('out-of-memory', `The graphics device ran out of memory: ${error.message}`);
    if (kind === 'GPUInternalError') tell('device-lost', `The graphics driver failed: ${error.message}`);
  });
  void device.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') tell('device-lost', `The graphics device was lost: ${message || 'the browser gives no reason'}`);
  });
}
