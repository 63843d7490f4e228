/** Ways to begin a mix, as pure functions of the present one and the Shelf: the new mix, or why there is none, in words. */
import { CONCEPT_MARK } from '../protocol/captions';
import { newGuidance, type Mix, type MixGuidance } from '../protocol/mix';
import { nameInPrompt, type MixConcept } from '../protocol/mixPlan';

export type MixPresetName = 'sideBySide' | 'thingInStyle' | 'styleOnly' | 'notThis';
type Apply = (mix: Mix, concepts: ReadonlyMap<string, MixConcept>, newId: () => string) => Mix | string;


/** Concepts of a kind, those that the mix already has first. */
function ofKind(kind: MixConcept['kind'], { guidances }: Mix, concepts: ReadonlyMap<string, MixConcept>): MixConcept[] {
  const used = guidances.flatMap(({ source }) => (source.kind === 'concept' ? [source.conceptId] : []));
  const all = [...concepts.values()].filter((concept) => concept.kind === kind);
  const rank = ({ conceptId }: MixConcept) => (used.includes(conceptId) ? used.indexOf(conceptId) : used.length);
  return all.sort((a, b) => rank(a) - rank(b));
}

const control = (mix: Mix, newId: () => string): MixGuidance => {
  const made = newGuidance(newId(), { kind: 'text', words: null });
  const before = mix.guidances.find(({ source }) => source.kind === 'text' && source.words === null);
  return before ? { ...made, id: before.id, schedule: before.schedule } : made;
};
const concept = (newId: () => string, { conceptId }: MixConcept): MixGuidance => newGuidance(newId(), { kind: 'concept', conceptId, words: null });
const called = (all: readonly MixConcept[]): Mix['names'] => Object.fromEntries(all.map((each) => [nameInPrompt(each.name), each.conceptId]));
const phrase = ({ name, classWord }: MixConcept): string => `a [${nameInPrompt(name)}] ${classWord}`;
/** How far a half reaches: what two scenes contest goes to the one whose thing stands there, so that neither is cut at the middle. */
const REACH = 0.66;

export const mixPresets: Record<MixPresetName, { label: string; apply: Apply }> = {
  sideBySide: {
    label: 'Side by side',
    apply(mix, concepts, newId) {
      const [left, right] = ofKind('instance', mix, concepts);
      if (!left || !right) return 'It takes two things on the Shelf.';
      // each half is a scene of its own: a concept knows itself alone, and at the size it was learned in
      const half = (each: MixConcept, place: string, from: number): MixGuidance => ({ ...concept(newId, each), mask: { kind: 'box', left: from, top: 0, right: from + REACH, bottom: 1, feather: 0 }, alone: true, source: { kind: 'concept', conceptId: each.conceptId, words: `a ${CONCEPT_MARK} ${each.classWord} on the ${place} in the snow` } });
      return { ...mix, prompt: `${phrase(left)} on the left and ${phrase(right)} on the right in the snow`, names: called([left, right]), guidances: [control(mix, newId), half(left, 'left', 0), half(right, 'right', 1 - REACH)] };
    },
  },
  thingInStyle: {
    label: 'Thing in style',
    apply(mix, concepts, newId) {
      const [thing] = ofKind('instance', mix, concepts);
      const [style] = ofKind('style', mix, concepts);
      if (!thing || !style) return 'It takes a thing and a style on the Shelf.';
      return { ...mix, prompt: `${phrase(thing)} in the snow, [${nameInPrompt(style.name)}]`, names: called([thing, style]), guidances: [control(mix, newId), concept(newId, thing), concept(newId, style)] };
    },
  },
  styleOnly: {
    label: 'Style only',
    apply(mix, concepts, newId) {
      const [style] = ofKind('style', mix, concepts);
      if (!style) return 'It takes a style on the Shelf.';
      return { ...mix, prompt: `a house and a car in a city, [${nameInPrompt(style.name)}]`, names: called([style]), guidances: [control(mix, newId), concept(newId, style)] };
    },
  },
  notThis: {
    label: 'Not this (negative)',
    apply(mix, _, newId) {
      if (mix.guidances.length === 0) return 'Write a prompt first.';
      return { ...mix, guidances: [...mix.guidances, { ...newGuidance(newId(), { kind: 'text', words: 'a tree' }), weight: -0.5 }] };
    },
  },
};
