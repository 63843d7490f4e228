import { describe, expect, it } from 'vitest';
import type { PictureEvent } from '../../protocol/pictures';
import { fakeRun } from '../../testing/studio/fakeClient';
import { shownConcept } from './shownConcept';

const picture = (slot: PictureEvent['slot'], state: PictureEvent['state'] = 'full') => ({ slot, state }) as PictureEvent;
const concept = picture({ kind: 'concept' }, 'draft');
const anchor = picture({ kind: 'anchor', balance: 0.5 });
const strip = picture({ kind: 'strip', runId: 'run-1', step: 100, side: 'concept' });
const seen = { run: fakeRun({ step: 100 }), opened: null, twins: { base: null, concept }, strip: [{ step: 100, concept: strip, customBase: null }], stripSide: 'concept' as const, pinnedStep: null, anchors: [anchor], balance: 1 };

describe('the picture in the concept’s frame', () => {
  it('is the draft while the slider is between the idle pictures', () => expect(shownConcept(seen)).toBe(concept));
  it('is an idle picture exactly at its balance', () => expect(shownConcept({ ...seen, balance: 0.5 })).toBe(anchor));
  it('is a pinned step of training before anything else', () => expect(shownConcept({ ...seen, balance: 0.5, pinnedStep: 100 })).toBe(strip));
  it('is the newest of the strip before anything was drawn', () => expect(shownConcept({ ...seen, twins: { base: null, concept: null } })).toBe(strip));
  it('is nothing before something is learned', () => expect(shownConcept({ ...seen, run: fakeRun({ step: 3 }), twins: { base: null, concept } })).toBeNull());
});
