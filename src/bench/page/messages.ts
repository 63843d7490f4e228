/** What the bench page and its worker say to each other. */
import type { ReportRow } from '../row';

export interface Ask { backend: 'auto' | 'webgpu' | 'wasm'; only: string; host: string; list: boolean }

export type Told =
  | { kind: 'row'; row: ReportRow }
  | { kind: 'list'; rows: { name: string; shape: string; rival: string | null }[]; adapter: string }
  | { kind: 'done'; text: string; json: string; failed: boolean }
  | { kind: 'failed'; message: string };
