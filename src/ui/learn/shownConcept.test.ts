import { describe, expect, it } from 'vitest';
import type { PictureEvent } from '../../protocol/pictures';
import { defaultRecipe } from '../../protocol/recipe';
import { fakeRun } from '../../testing/studio/fakeClient';
import { shownBase, shownConcept, staleness } from './shownConcept';

const asked = { prompt: 'a [V] dog', negative: '', seed: 42, guidance: 3, steps: 20, sampler: 'euler', skipLayers: false } as const;
const picture = (slot: PictureEvent['slot'], changes: Partial<PictureEvent> = {}) => ({ slot, state: 'full', ...asked, kind: 'instance', balance: 1, ...changes }) as PictureEvent;
const concept = picture({ kind: 'concept' }, { state: 'draft', steps: 0 });
const base = picture({ kind: 'base' }, { balance: 0 });
const original = picture({ kind: 'original', runId: 'run-1' }, { steps: 10 });
const tick = picture({ kind: 'tick', balance: 0.5 }, { balance: 0.5 });
const strip = picture({ kind: 'strip', runId: 'run-1', step: 100, side: 'concept' }, { steps: 10, prompt: 'a [V] dog in the snow' });
const ready = { base: 'embedded', name: 'Embedded base', sizeBytes: 1, imageSize: 8, sees: true, skips: true, withoutT5: false, objects: false };
const seen = { ...asked, ready, recipe: defaultRecipe(), run: fakeRun({ step: 100 }), opened: null, object: null, twins: { base, concept }, original, strip: [{ step: 100, concept: strip, customBase: null }], stripSide: 'concept' as const, pinnedStep: null, ticks: [tick], balance: 1 };

describe('the picture in the concept’s frame', () => {
  it('is the draft while the slider is between the idle pictures', () => expect(shownConcept(seen)).toBe(concept));
  it('is an idle picture exactly at its balance', () => expect(shownConcept({ ...seen, balance: 0.5 })).toBe(tick));
  it('is a pinned step of training before anything else', () => expect(shownConcept({ ...seen, balance: 0.5, pinnedStep: 100 })).toBe(strip));
  it('is the newest of the strip before anything was drawn', () => expect(shownConcept({ ...seen, twins: { base: null, concept: null } })).toBe(strip));
  it('is nothing before something is learned', () => expect(shownConcept({ ...seen, run: fakeRun({ step: 3 }), twins: { base: null, concept } })).toBeNull());
});

describe('the picture beside it', () => {
  it('is the strip’s own twin beside a picture of the strip', () => {
    expect(shownBase({ ...seen, pinnedStep: 100 })).toBe(original);
    expect(staleness({ ...seen, pinnedStep: 100 }, strip)).toBe('');
  });
  it('is the drawn one where it was drawn from the same', () => expect(shownBase(seen)).toBe(base));
  it('is the preview’s beside a draft as long as nothing was drawn', () => {
    const state = { ...seen, twins: { base: null, concept } };
    expect(shownBase(state)).toBe(original);
    expect(staleness(state, original)).toBe('');
  });
  it('is no twin of a picture of more steps, and says so', () => {
    const state = { ...seen, twins: { base: null, concept: picture({ kind: 'concept' }) } };
    expect(staleness(state, shownBase(state)!)).toBe('10 steps');
  });
});

describe('a picture of what is asked for no longer', () => {
  it.each([
    [{ prompt: 'a [V] dog on grass' }, 'another prompt'], [{ negative: 'snow' }, 'another negative prompt'], [{ seed: 7 }, 'seed 42'], [{ guidance: 5 }, 'guidance 3'], [{ steps: 12 }, '20 steps'], [{ sampler: 'dpmpp-2m' as const }, 'sampler Euler'], [{ skipLayers: true }, 'without skipped layers'],
  ])('says so after %j', (change, words) => expect(staleness({ ...seen, ...change }, base)).toBe(words));
  it('says its balance', () => expect(staleness({ ...seen, balance: 0.4 }, picture({ kind: 'concept' }))).toBe('balance 1.00'));
});
