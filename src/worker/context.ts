/**
 * What the worker's parts share: the database, the base, the concept in hand, and the turns of the one thread.
 * Each field has one owner, named here; the others only read it.
 */
import type { Base } from '../pipeline/base';
import type { LearnedConcept } from '../pipeline/concept';
import type { Compute } from '../protocol/messages';
import type { Host } from '../protocol/host';
import type { Recipe } from '../protocol/recipe';
import type { Measures } from '../protocol/runReport';
import type { Database } from '../storage/db';
import type { StoredBase } from '../storage/weightStore';
import type { Pictures } from './pictures';
import type { Turns } from './turns';

export const APP_VERSION = 'Lamina 0.1.0';

/** The concept that prompts mean by [V]: of the run in hand, or opened from the Shelf. */
export interface Current {
  /** Id on the Shelf, or of the run. */
  id: string;
  name: string;
  recipe: Recipe;
  /** Complete captions it was learned from; empty for files of others. */
  captions: string[];
  /** Its pictures [S,S,3], −1…1, for likeness; null where they are not at hand. */
  pictures: Float32Array[] | null;
  measures: Measures | null;
  /** Whether training is still going on: drafts then follow it. */
  live: boolean;
  /** The concept as it stands now, under fresh handles; the caller disposes (disposeConcept). */
  take(): LearnedConcept;
  dispose(): void;
}

export interface Context {
  readonly emit: Host['emit'];
  readonly turns: Turns;
  readonly pictures: Pictures;
  /** Owned by opening.ts. */
  database(): Promise<Database>;
  compute(): Compute;
  /** Resolves once the weights are in; rejects with the Fault that kept them out. Owned by opening.ts. */
  base(): Promise<Base>;
  stored(): Promise<StoredBase>;
  /** The draft worker's port. */
  drafts(): MessagePort;
  current(): Current | null;
  /** Disposes the concept that was in hand. */
  setCurrent(next: Current | null): void;
}

/** Where a run computes: two runs are bit-identical only where this is equal. */
export const engineName = ({ backend, adapter }: Compute): string => `${backend} · ${adapter}`;
