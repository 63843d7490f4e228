/**
 * The concept that everything is about now: the run being learned or just learned, or one opened from the Shelf.
 * It has one owner, this holder; whoever works with it borrows handles of its own and gives them back (disposeConcept).
 */
import type { Tensor4D } from '../engine/tf';
import type { LearnedConcept } from '../pipeline/concept';
import type { Recipe } from '../protocol/recipe';
import type { Measures } from '../protocol/runReport';

export interface CurrentConcept {
  name: string;
  recipe: Recipe;
  /** Set once it is on the Shelf. */
  conceptId: string | null;
  runId: string | null;
  /** Complete captions; only a run has them. */
  captions: string[];
  /** The set it was learned from [n,S,S,3]; null where only the concept is stored. */
  pictures: Tensor4D | null;
  measures: Measures | null;
  /** Whether there is anything to balance yet. */
  live(): boolean;
  /** Optimizer steps made so far; null for a concept of the Shelf. */
  step(): number | null;
  /** Handles of one's own, to be disposed by the borrower. */
  borrow(): LearnedConcept;
  dispose(): void;
}

export class Current {
  private held: CurrentConcept | null = null;

  get value(): CurrentConcept | null {
    return this.held;
  }

  /** Takes a new one and frees the old. */
  set(next: CurrentConcept | null): void {
    if (this.held !== next) this.held?.dispose();
    this.held = next;
  }

  /** For work that needs a concept with something in it; null otherwise. */
  borrow(): LearnedConcept | null {
    return this.held?.live() ? this.held.borrow() : null;
  }
}
