/**
 * GPU time of every dispatch, ours and tfjs', by timestamp queries: while this is on, each dispatch gets a compute pass of
 * its own that writes when it began and ended. Passes run in the same order as before, so results don't change; the many
 * passes cost some time of their own. Off, nothing of it is in the way. Browsers round timestamps (Chromium to 0.1 ms unless
 * its WebGPU developer features are on): a single short pass may read 0, sums over many are right.
 */
import { internals } from './dispatch';

export interface Pass<T> {
  /** What `describe` gave when the pass was recorded. */
  about: T;
  /** On the clock of performance.now(), as near as it can be known. */
  startMs: number;
  ms: number;
}

interface Batch<T> { queries: GPUQuerySet; resolved: GPUBuffer; readable: GPUBuffer; passes: T[] }

/** Passes per query set; a submit with more takes several. */
const PASSES = 256;

export class PassTimes<T> {
  private readonly b;
  private open: Batch<T>[] = [];
  private spare: Batch<T>[] = [];
  private readonly reading = new Set<Promise<void>>();
  /** performance.now() minus the GPU's clock: the largest value that lets no pass begin before its submit. */
  private offsetMs = -Infinity;

  /** `describe` gets the label of the pass, '' for tfjs' own kernels. */
  constructor(backend: unknown, private readonly describe: (label: string) => T, private readonly onPass: (pass: Pass<T>) => void) {
    const b = (this.b = internals(backend));
    const { ensureCommandEncoderReady, submitQueue } = b;
    // own properties over the prototype's methods; stop() uncovers those
    b.ensureCommandEncoderReady = () => {
      b.endComputePassEncoder();
      ensureCommandEncoderReady.call(b);
      this.watch(b.commandEncoder!);
    };
    b.submitQueue = () => {
      const batches = this.open;
      this.open = [];
      for (const { queries, resolved, readable, passes } of batches) {
        b.commandEncoder!.resolveQuerySet(queries, 0, 2 * passes.length, resolved, 0);
        b.commandEncoder!.copyBufferToBuffer(resolved, 0, readable, 0, 16 * passes.length);
      }
      const submittedAt = performance.now();
      submitQueue.call(b);
      for (const batch of batches) {
        // A lost device is reported where it was opened; its times are lost with it.
        const done: Promise<void> = this.read(batch, submittedAt).catch(() => undefined).finally(() => this.reading.delete(done));
        this.reading.add(done);
      }
    };
  }

  /** Resolves when every pass submitted so far has been told. */
  async settled(): Promise<void> {
    await Promise.all(this.reading);
  }

  /** Passes already recorded are still told. */
  stop(): void {
    Reflect.deleteProperty(this.b, 'ensureCommandEncoderReady');
    if (this.b.commandEncoder) {
      this.b.endComputePassEncoder();
      this.b.submitQueue();
    }
    Reflect.deleteProperty(this.b, 'submitQueue');
    void this.settled().then(() => this.spare.splice(0).forEach(destroy));
  }

  /** Gives each pass of this encoder its two queries. */
  private watch(encoder: GPUCommandEncoder): void {
    if (Object.hasOwn(encoder, 'beginComputePass')) return;
    encoder.beginComputePass = (descriptor: GPUComputePassDescriptor = {}) => {
      const full = this.open.at(-1)?.passes.length ?? PASSES;
      if (full === PASSES) this.open.push(this.spare.pop() ?? this.makeBatch());
      const { queries, passes } = this.open.at(-1)!;
      const first = 2 * passes.length;
      passes.push(this.describe(descriptor.label ?? ''));
      const timestampWrites = { querySet: queries, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
      return GPUCommandEncoder.prototype.beginComputePass.call(encoder, { ...descriptor, timestampWrites });
    };
  }

  private makeBatch(): Batch<T> {
    const { device } = this.b;
    const size = 16 * PASSES;
    return {
      queries: device.createQuerySet({ type: 'timestamp', count: 2 * PASSES }),
      resolved: device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC }),
      readable: device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }),
      passes: [],
    };
  }

  private async read(batch: Batch<T>, submittedAt: number): Promise<void> {
    const { readable, passes } = batch;
    await readable.mapAsync(GPUMapMode.READ, 0, 16 * passes.length);
    const times = [...new BigUint64Array(readable.getMappedRange(0, 16 * passes.length))].map((ns) => Number(ns) / 1e6);
    readable.unmap();
    this.offsetMs = Math.max(this.offsetMs, submittedAt - times[0]!);
    passes.forEach((about, i) => {
      const [begin, end] = [times[2 * i]!, times[2 * i + 1]!];
      this.onPass({ about, startMs: begin + this.offsetMs, ms: Math.max(0, end - begin) });
    });
    passes.length = 0;
    this.spare.push(batch);
  }
}

function destroy({ queries, resolved, readable }: Batch<unknown>): void {
  for (const resource of [queries, resolved, readable]) resource.destroy();
}
