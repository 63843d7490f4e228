/**
 * The parts of a base, its networks, by phase: each counts its users, is loaded when the first comes and freed when the last has
 * gone. Parts of a base that fits into memory stay from the first use until the base itself is disposed of.
 */
import { invariant } from '../engine/invariant';

export interface Lease<T> {
  part: T;
  /** Gives it back; a second call does nothing. */
  release(): void;
}

export class Part<T> {
  private users = 0;
  private lingerers = 0;
  private ended = false;
  private loading: Promise<T> | null = null;
  private loaded: { part: T } | null = null;

  constructor(private readonly load: () => Promise<T>, private readonly free: (part: T) => void, /** Once loaded, until the base is disposed of. */ readonly stays: boolean) {}

  /** For work that spans phases. What `load` throws passes through, and the next one tries again. */
  async lease(): Promise<Lease<T>> {
    invariant(!this.ended, 'the base has been disposed of');
    this.users++;
    try {
      const part = await (this.loading ??= this.begin());
      let held = true;
      const release = () => {
        if (held) this.leave();
        held = false;
      };
      return { part, release };
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  /** For work of one phase. */
  async use<R>(work: (part: T) => Promise<R> | R): Promise<R> {
    const { part, release } = await this.lease();
    try {
      return await work(part);
    } finally {
      release();
    }
  }

  /** Once somebody has loaded it, it is not freed before `work` is done: for several short uses in a row that may all turn out to need nothing. */
  async lingering<R>(work: () => Promise<R>): Promise<R> {
    this.lingerers++;
    try {
      return await work();
    } finally {
      this.lingerers--;
      this.unloadIfIdle();
    }
  }

  /** Frees it now, or when its last user has gone. */
  dispose(): void {
    this.ended = true;
    this.unloadIfIdle();
  }

  private async begin(): Promise<T> {
    try {
      const part = await this.load();
      this.loaded = { part };
      return part;
    } catch (error) {
      this.loading = null;
      throw error;
    }
  }

  private leave(): void {
    this.users--;
    this.unloadIfIdle();
  }

  private unloadIfIdle(): void {
    if (this.users > 0 || !this.loaded || (!this.ended && (this.stays || this.lingerers > 0))) return;
    this.free(this.loaded.part);
    this.loaded = this.loading = null;
  }
}
