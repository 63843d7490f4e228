/**
 * The concept that everything is about now: the run being learned or just learned, one opened from the Shelf, or an object of pictures.
 * It has one owner, this holder; whoever works with it borrows handles of its own and gives them back (disposeConcept, Subject.dispose).
 */
import * as tf from '../engine/tf';
import type { Tensor3D, Tensor4D } from '../engine/tf';
import type { Base } from '../pipeline/base';
import { disposeConcept, type LearnedConcept } from '../pipeline/concept';
import { objectGuidance } from '../pipeline/objects/objectGuidance';
import { conceptGuidance, type FieldWords, type Guidance } from '../pipeline/sampling/fields';
import type { ConceptKind, Spoken } from '../protocol/captions';
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

/** An object of pictures: the encoder's tokens [1,n·N,width], and the revision by which the page knows it. */
export interface HeldObject { tokens: Tensor3D; revision: number }

/** What drawing and drafts need of whichever it is. */
export interface Subject {
  /** How its prompts are read. */
  spoken: Spoken;
  kind: ConceptKind;
  atStep: number | null;
  /** Revision of an object; null for a concept. */
  object: number | null;
  /** What the balance moves. */
  direction(words: FieldWords): Guidance & { weight: number };
  dispose(): void;
}

export class Current {
  private held: CurrentConcept | null = null;
  private heldObject: HeldObject | null = null;

  get value(): CurrentConcept | null {
    return this.held;
  }

  get object(): HeldObject | null {
    return this.heldObject;
  }

  /** Takes a new one and frees the old, and an object with it. */
  set(next: CurrentConcept | null): void {
    if (this.held !== next) this.held?.dispose();
    this.held = next;
    if (next) this.setObject(null);
  }

  /** Takes over the object's tokens; a concept goes. */
  setObject(next: HeldObject | null): void {
    if (next) this.set(null);
    this.heldObject?.tokens.dispose();
    this.heldObject = next;
  }

  /** For work that needs a concept with something in it; null otherwise. */
  borrow(): LearnedConcept | null {
    return this.held?.live() ? this.held.borrow() : null;
  }

  /** Null where there is nothing to balance. An object's encoder stays in place until it is given back. */
  async subject({ parts }: Pick<Base, 'parts'>): Promise<Subject | null> {
    if (this.heldObject && parts.object) {
      const tokens = tf.clone(this.heldObject.tokens);
      const lease = await parts.object.lease().catch((error: unknown) => { tokens.dispose(); throw error; });
      return {
        spoken: { kind: 'instance', classWord: '', trigger: '' }, kind: 'instance', atStep: null, object: this.heldObject.revision,
        direction: (words) => objectGuidance(words, { adapter: lease.part, tokens, weight: 1 }),
        dispose() { tokens.dispose(); lease.release(); },
      };
    }
    const concept = this.borrow();
    return concept && { spoken: concept.recipe, kind: concept.recipe.kind, atStep: this.held!.step(), object: null, direction: (words) => conceptGuidance(words, concept), dispose: () => disposeConcept(concept) };
  }
}
