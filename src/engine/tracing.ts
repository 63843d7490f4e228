/**
 * What the engine is doing, for those who ask: time of every kernel, tensors and bytes, and entries for the browser's
 * performance panel. On WebGPU the time is the GPU's own (passTimes.ts), on the others the worker's, a kernel's inner kernels
 * taken off. Costs nothing while off: what measures is put over tfjs' methods by startTracing and taken away by stop().
 */
import { PassTimes } from './webgpu/passTimes';
import * as tf from './tf';

export interface KernelTime<T> {
  /** Name of our shader, else of tfjs' kernel. */
  name: string;
  ms: number;
  /** performance.now() of its recording; on WebGPU it runs later. */
  recordedAt: number;
  /** What `tag` gave at its recording. */
  tag: T;
}

export interface Trace {
  /** Whose time kernels are measured in; null where the adapter has no timestamp queries, and no kernel is told. */
  readonly clock: 'gpu' | 'worker' | null;
  /** Most bytes in tensors since tracing began. */
  readonly peakBytes: number;
  /** Resolves when the kernels submitted so far have been told. */
  settled(): Promise<void>;
  stop(): void;
}

export interface Memory {
  tensors: number;
  bytes: number;
  /** tfjs' pool of GPU buffers, free ones included, and what of it is in use; null on other backends. */
  gpuAllocatedBytes: number | null;
  gpuUsedBytes: number | null;
  /** The wasm heap, which never shrinks; null on other backends. */
  wasmBytes: number | null;
}

export function memoryNow(): Memory {
  const { numTensors, numBytes, numBytesAllocatedInGPU, numBytesInGPU } = tf.memory() as tf.MemoryInfo & { numBytesAllocatedInGPU?: number; numBytesInGPU?: number };
  const { wasm } = tf.backend() as { wasm?: { HEAPU8: Uint8Array } };
  return { tensors: numTensors, bytes: numBytes, gpuAllocatedBytes: numBytesAllocatedInGPU ?? null, gpuUsedBytes: numBytesInGPU ?? null, wasmBytes: wasm?.HEAPU8.buffer.byteLength ?? null };
}

/** Colours of the performance panel's own palette. */
export type TrackColor = 'primary' | 'primary-light' | 'primary-dark' | 'secondary' | 'secondary-light' | 'tertiary' | 'tertiary-light' | 'tertiary-dark';

/** One bar of a track in the browser's performance panel. The entry itself is dropped at once: the page's own list of them would grow without end. */
export function trackEntry(track: string, name: string, startMs: number, endMs: number, color: TrackColor, properties: [string, string][] = []): void {
  const devtools = { dataType: 'track-entry', track, trackGroup: 'Lamina', color, properties };
  performance.measure(name, { start: startMs, end: Math.max(startMs, endMs), detail: { devtools } });
  performance.clearMeasures(name);
}

interface KernelTrack { track: string; color: TrackColor; holds: RegExp }
/** The first that fits a kernel's name. */
const kernelTracks: KernelTrack[] = [
  { track: 'Attention', color: 'secondary', holds: /attention|softmax/i },
  { track: 'Products', color: 'primary', holds: /mat_?mul|linear|conv|einsum/i },
  { track: 'Norms and activations', color: 'tertiary', holds: /norm|modulate|gelu|sigmoid|tanh|relu|elu|erf/i },
  { track: 'Sums', color: 'secondary-light', holds: /^(Sum|Mean|Max|Min|Prod|Any|All|axis_sum|[lL]ambda_?[sS]tar.*|loss.*)$/ },
  { track: 'Moves', color: 'tertiary-light', holds: /transpose|reshape|slice|concat|pack|pad|tile|gather|split|cast|fill|identity|resize|reverse/i },
];
const otherKernels: Omit<KernelTrack, 'holds'> = { track: 'Elementwise', color: 'primary-light' };
/** Shorter kernels, views and casts mostly, are counted and not drawn: an entry costs more than they do. */
const SHORTEST_BAR_MS = 0.01;
const places = new Map<string, Omit<KernelTrack, 'holds'>>();

/** Track and colour of a kernel. */
export function kernelTrack(name: string): Omit<KernelTrack, 'holds'> {
  let place = places.get(name);
  if (!place) places.set(name, (place = kernelTracks.find(({ holds }) => holds.test(name)) ?? otherKernels));
  return place;
}

/** `onKernel` hears of every kernel of the current backend from now on; `tag` is asked at each recording. One trace at a time. */
export function startTracing<T>({ tag, onKernel }: { tag: () => T; onKernel: (kernel: KernelTime<T>) => void }): Trace {
  const engine = tf.engine();
  const backend = tf.backend();
  const onGpu = tf.getBackend() === 'webgpu';
  const timed = onGpu && (backend as unknown as { device: GPUDevice }).device.features.has('timestamp-query');
  const clock = timed ? 'gpu' : onGpu ? null : 'worker';
  let peakBytes = engine.state.numBytes;
  let current = 'other';
  let innerMs = 0;

  function tell(kernel: KernelTime<T>, startMs: number, endMs: number): void {
    const { track, color } = kernelTrack(kernel.name);
    if (endMs - startMs >= SHORTEST_BAR_MS) trackEntry(track, kernel.name, startMs, endMs, color);
    onKernel(kernel);
  }
  const passes = timed
    ? new PassTimes(backend, (label) => ({ name: label || current, recordedAt: performance.now(), tag: tag() }), ({ about, startMs, ms }) => tell({ ...about, ms }, startMs, startMs + ms))
    : null;

  const { runKernel } = engine;
  // an own property over the prototype's method; stop() uncovers that
  engine.runKernel = ((name, inputs, attrs) => {
    const [outer, outerInnerMs] = [current, innerMs];
    current = name;
    innerMs = 0;
    const start = performance.now();
    try {
      return runKernel.call(engine, name, inputs, attrs);
    } finally {
      const end = performance.now();
      peakBytes = Math.max(peakBytes, engine.state.numBytes);
      if (clock === 'worker') tell({ name, ms: end - start - innerMs, recordedAt: start, tag: tag() }, start, end);
      current = outer;
      innerMs = outerInnerMs + end - start;
    }
  }) as typeof runKernel;

  return {
    clock,
    get peakBytes() { return peakBytes; },
    settled: async () => passes?.settled(),
    stop() {
      Reflect.deleteProperty(engine, 'runKernel');
      passes?.stop();
    },
  };
}
