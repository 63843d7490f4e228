/**
 * The concept that everything is about now: the run being learned or just learned, one opened from the Shelf, or an object of pictures.
 * It has one owner, this holder; whoever works with it borrows handles of its own and gives them back (disposeConcept, Subject.dispose).
 */
import * as tf from '../engine/tf';
import type { Tensor3D } from '../engine/tf';
import type { Base } from '../pipeline/base';
import type { Evaluation } from '../pipeline/evaluate';
import { disposeConcept, spokenOf, type LearnedConcept } from '../pipeline/concept';
import type { SpokenOf } from '../pipeline/learnedWord';
import { objectGuidance } from '../pipeline/objects/objectGuidance';
import { conceptGuidance, untouched, wholeConcept, type Direction, type FieldWords } from '../pipeline/sampling/velocityFields';
import { identityDirection } from '../pipeline/sampling/identityField';
import type { SeenPicture } from '../pipeline/seen';
import type { ConceptKind } from '../protocol/captions';
import type { Recipe } from '../protocol/recipe';
import type { Measures } from '../protocol/runReport';
import type { Seeing, SightKind } from '../protocol/objects';
import type { LearnedPicture } from '../storage/db';

export interface CurrentConcept {
  name: string;
  recipe: Recipe;
  /** Set once it is on the Shelf. */
  conceptId: string | null;
  runId: string | null;
  /** Complete captions; only a run has them. */
  captions: string[];
  /** Of the set it was learned from, what is measured against; none where only the concept is there. */
  pictures: readonly LearnedPicture[];
  measures: Measures | null;
  /** Whether there is anything to balance yet. */
  live(): boolean;
  /** Optimizer steps made so far; null for a concept of the Shelf. */
  step(): number | null;
  /** Handles of one's own, to be disposed by the borrower. */
  borrow(): LearnedConcept;
  dispose(): void;
}

/** An object or a face of pictures: the encoder's tokens [1,n·N,width], and of a face nobody's [1,N,width], both its own; and the revision by which the page knows it. */
export interface HeldObject { kind: SightKind; tokens: Tensor3D; nobody: Tensor3D | null; seeing: Seeing; revision: number }

/** Where a direction acts: the scale of guidance, and the noise level from which downwards what is seen acts. */
export interface Reach { guidance: number; from: number }

/** PuLID's two modes: as many tokens of nothing, and what of the picture's part the words draw already is taken out. */
const LOOKS: Record<Seeing['look'], Pick<SeenPicture, 'zeroTokens' | 'ortho'>> = { plain: {}, faithful: { zeroTokens: 8, ortho: 'ortho_v2' }, style: { zeroTokens: 16, ortho: 'ortho' } };

/** All tokens; of two people who are mixed what lies between theirs, token by token, as all of the resampler's tokens look for the same in every picture. The caller disposes. */
function seenTokens({ kind, tokens, nobody, seeing: { share } }: HeldObject): Tensor3D {
  const [, all, width] = tokens.shape;
  const one = nobody?.shape[1] ?? all;
  if (kind !== 'identity' || share === null || all !== 2 * one) return tf.clone(tokens);
  return tf.tidy(() => {
    const [first, second] = [0, one].map((from) => tf.slice(tokens, [0, from, 0], [1, one, width]));
    return tf.add<Tensor3D>(tf.mul(first!, 1 - share), tf.mul(second!, share));
  });
}

/** What drawing and drafts need of whichever it is. */
export interface Subject {
  /** How its prompts are read. */
  spoken: SpokenOf;
  kind: ConceptKind;
  atStep: number | null;
  /** Revision of an object; null for a concept. */
  object: number | null;
  /** What the balance moves. */
  direction(words: FieldWords, reach: Reach): Direction;
  /** What is evaluated with all of it, for a picture in few steps; null where that is no single evaluation. */
  whole(words: FieldWords, reach: Reach): Evaluation | null;
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
    if (this.heldObject) tf.dispose([this.heldObject.tokens, this.heldObject.nobody ?? []]);
    this.heldObject = next;
  }

  /** The face in hand is seen in another way. */
  see(seeing: Seeing, revision: number): void {
    if (this.heldObject) this.heldObject = { ...this.heldObject, seeing, revision };
  }

  /** For work that needs a concept with something in it; null otherwise. */
  borrow(): LearnedConcept | null {
    return this.held?.live() ? this.held.borrow() : null;
  }

  /** Null where there is nothing to balance. An object's encoder stays in place until it is given back. */
  async subject({ parts }: Pick<Base, 'parts'>): Promise<Subject | null> {
    const adapters = this.heldObject && parts[this.heldObject.kind];
    if (this.heldObject && adapters) {
      const { kind: as, seeing, revision } = this.heldObject;
      const [tokens, nobody] = [seenTokens(this.heldObject), this.heldObject.nobody && tf.clone(this.heldObject.nobody)];
      const dispose = () => { tf.dispose(nobody ? [tokens, nobody] : tokens); };
      const lease = await adapters.lease().catch((error: unknown) => { dispose(); throw error; });
      const kind: ConceptKind = as === 'object' ? 'instance' : 'person';
      const seen: SeenPicture = { adapter: lease.part, tokens, weight: 1 };
      const seenFrom = (from: number): SeenPicture => ({ ...seen, ...LOOKS[seeing.look], from });
      return {
        spoken: { kind, classWord: '', trigger: '' }, kind, atStep: null, object: revision,
        direction: (words, { guidance, from }) => (nobody ? identityDirection(words, { ...seenFrom(from), nobody }, guidance) : [objectGuidance(words, seen)]),
        whole: (words, { from }) => ({ ...untouched(words.base), seen: nobody ? seenFrom(from) : seen }),
        dispose() { dispose(); lease.release(); },
      };
    }
    const concept = this.borrow();
    return concept && {
      spoken: spokenOf(concept), kind: concept.recipe.kind, atStep: this.held!.step(), object: null,
      direction: (words) => [conceptGuidance(words, concept)], whole: (words) => wholeConcept(words, concept), dispose: () => disposeConcept(concept),
    };
  }
}
