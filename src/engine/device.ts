/**
 * The GPU: adapter, device with all the limits and optional features our kernels can use, handed to tfjs' own backend.
 * tfjs alone asks for fewer. Losing the device is reported once; nothing is repaired here (the worker restarts).
 */
import { env, findBackendFactory, registerBackend, removeBackend, setBackend } from '@tensorflow/tfjs-core';
import { adapterTraits } from './adapterTraits';
import { invariant } from './invariant';
import { checkPrivateFields } from './dispatch';
import { setTilings, untuned } from './packed/tiling';
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

/** Null where the browser has no WebGPU or gives no adapter. */
export async function findAdapter(): Promise<FoundAdapter | null> {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) return null;
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const name = [vendor, architecture, description && `(${description})`].filter(Boolean).join(' ') || device || 'unnamed adapter';
  return { adapter, name, software: isFallbackAdapter || isSoftware(`${name} ${device}`) };
}

/** Makes tfjs' WebGPU backend on this adapter the current one. `onLost` gets the browser's own words. */
export async function openDevice({ adapter, software }: FoundAdapter, onLost?: (reason: string) => void): Promise<GPUDevice> {
  const device = await adapter.requestDevice({
    requiredFeatures: optionalFeatures.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(limits.filter((name) => adapter.limits[name] !== undefined).map((name) => [name, adapter.limits[name]])) as Record<string, number>,
  });
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
  void device.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') onLost?.(message);
  });
  return device;
}
