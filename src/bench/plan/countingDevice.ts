/**
 * A GPU that computes nothing and holds nothing, but counts every buffer: tfjs' own backend and all our kernels run on it as
 * on a real one, so that what a training step allocates, pools and frees is found without the memory or the time it takes.
 * Reads give zeros.
 */

/** Values of the WebGPU specification; Node has no such globals. */
const CONSTANTS = {
  GPUBufferUsage: { MAP_READ: 1, MAP_WRITE: 2, COPY_SRC: 4, COPY_DST: 8, INDEX: 16, VERTEX: 32, UNIFORM: 64, STORAGE: 128, INDIRECT: 256, QUERY_RESOLVE: 512 },
  GPUMapMode: { READ: 1, WRITE: 2 },
  GPUShaderStage: { VERTEX: 1, FRAGMENT: 2, COMPUTE: 4 },
};

class CountedBuffer {
  readonly label = '';
  mapState = 'unmapped';
  constructor(readonly size: number, readonly usage: number, private gone: (size: number) => void) {}
  mapAsync = async (): Promise<void> => {};
  getMappedRange = (): ArrayBuffer => new ArrayBuffer(this.size);
  unmap = (): void => {};
  destroy = (): void => {
    this.gone(this.size);
    this.gone = () => {};
  };
}

export interface Counting {
  adapter: GPUAdapter;
  /** Bytes of all buffers now, and the most there ever were at once. */
  now(): number;
  peak(): number;
  /** The largest single buffer, which an adapter's limits must allow. */
  largest(): number;
  restart(): void;
}

const LIMITS = {
  maxBufferSize: 2 ** 32, maxStorageBufferBindingSize: 2 ** 32 - 4, maxStorageBuffersPerShaderStage: 10, maxUniformBufferBindingSize: 65_536, maxComputeWorkgroupStorageSize: 32_768,
  maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupSizeX: 1024, maxComputeWorkgroupSizeY: 1024, maxComputeWorkgroupSizeZ: 64, maxComputeWorkgroupsPerDimension: 65_535,
};

/** An adapter to open with openDevice. Puts the globals in place that tfjs' backend asks for. */
export function countingAdapter(): Counting {
  let [now, peak, largest] = [0, 0, 0];
  Object.assign(globalThis, CONSTANTS, { GPUBuffer: CountedBuffer, GPUTexture: class {} });
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: {}, userAgent: 'node' }, configurable: true });
  const createBuffer = ({ size, usage }: GPUBufferDescriptor) => {
    now += size;
    peak = Math.max(peak, now);
    largest = Math.max(largest, size);
    return new CountedBuffer(size, usage, (freed) => { now -= freed; });
  };
  const nothing = () => {};
  const pipeline = { getBindGroupLayout: () => ({}) };
  const pass = { setPipeline: nothing, setBindGroup: nothing, dispatchWorkgroups: nothing, end: nothing };
  const encoder = { beginComputePass: () => pass, copyBufferToBuffer: nothing, clearBuffer: nothing, finish: () => ({}) };
  const device = {
    limits: LIMITS, features: new Set<string>(), lost: new Promise<never>(nothing), createBuffer,
    queue: { submit: nothing, writeBuffer: nothing, onSubmittedWorkDone: async () => {} },
    createShaderModule: () => ({}), createComputePipeline: () => pipeline, createComputePipelineAsync: async () => pipeline,
    createBindGroup: () => ({}), createBindGroupLayout: () => ({}), createPipelineLayout: () => ({}), createCommandEncoder: () => encoder,
    addEventListener: nothing, destroy: nothing,
  };
  const adapter = { limits: LIMITS, features: device.features, info: { vendor: '', architecture: '', device: '', description: 'counts buffers' }, requestDevice: async () => device } as unknown as GPUAdapter;
  return { adapter, now: () => now, peak: () => peak, largest: () => largest, restart: () => { peak = largest = now; } };
}
