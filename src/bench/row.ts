/**
 * What a measurement is: one piece of work, our form of it and a rival's, each with its own set-up, and what a row of the
 * report says. Rows are data (rows/*.ts); measure.ts runs them, report.ts writes them down.
 */

/** One way to do the work. `run` records one repetition; only after `sync` is it certain to be done. */
export interface Form<P = unknown> {
  /** Not timed; called once before each repetition of a sample, its result handed to `run`. */
  prepare?(): P;
  run(prepared: P): unknown;
  /** Waits for the adapter and frees what the repetitions left. */
  sync(): Promise<void>;
  dispose(): void;
}

export interface Rival { name: string; open(): Promise<Form> | Form }

export interface Row {
  name: string;
  /** Sizes, in words. */
  shape: string;
  /** Operations of one repetition; 0 where they are not counted. Multiply and add are two. */
  flops: number;
  /** Bytes that one repetition must at least read and write; 0 where they are not counted. */
  bytes: number;
  ours(): Promise<Form> | Form;
  /** Null: a figure without a rival. */
  rival: Rival | null;
  /** Measured on software adapters too where it takes over 20 s. */
  howeverLong?: boolean;
  /** The rival's time counts this many times: it does another amount of the same work. */
  rivalScale?: number;
}

/** A measurement that finds its figures in its own way, several at once for instance. */
export interface Survey { name: string; measure(): Promise<ReportRow[]> }

export interface ReportRow {
  name: string;
  shape: string;
  ours_ms: number | null;
  rival: string | null;
  rival_ms: number | null;
  /** rival_ms / ours_ms: above 1 ours is faster. */
  ratio: number | null;
  /** Of our form. */
  gflops: number | null;
  bytes: number | null;
  /** Why there is no figure. */
  skipped?: string;
}

export interface Report {
  adapter: string;
  backend: string;
  /** Where it ran: the browser's name and version, or Node's. */
  host: string;
  /** On WebGPU, what the autotune chose for the packed linear layer: forward/gradient. */
  tilings?: string;
  rows: ReportRow[];
}
