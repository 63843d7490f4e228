import { describe, expect, it } from 'vitest';
import { fakeRun } from '../../testing/studio/fakeClient';
import { defaultRecipe } from '../../protocol/recipe';
import { defaultCard } from '../../state/pictures';
import { primaryOf } from './primary';

const card = defaultCard({ pictureId: 'p', name: 'a.png', width: 8, height: 8, crop: { x: 0, y: 0, size: 8 }, bitmap: {} as ImageBitmap, captions: { complete: 'a [V] dog', base: 'a dog', target: '[V] dog' } });
const ready = { base: 'embedded', name: 'Embedded base', sizeBytes: 1, imageSize: 128, sees: true, skips: false, withoutT5: false, objects: false };
const first = { run: null, opened: null, kept: null, unfinished: null, object: null, card: null, learningProperly: false, cards: [], recipe: { ...defaultRecipe(), classWord: 'dog' }, ready };

describe('the filled button', () => {
  it.each([
    ['none on the first visit', first, null],
    ['Learn once there are pictures', { ...first, cards: [card] }, 'learn'],
    ['none while the class word is missing', { ...first, cards: [card], recipe: defaultRecipe() }, null],
    ['none before the base is in', { ...first, cards: [card], ready: null }, null],
    ['Draw while it learns', { ...first, run: fakeRun({ phase: 'learning' }) }, 'draw'],
    ['Resume while it is paused', { ...first, run: fakeRun({ phase: 'paused' }) }, 'resume'],
    ['Keep at the end', { ...first, run: fakeRun({ phase: 'finished' }) }, 'keep'],
    ['Draw once it is kept', { ...first, run: fakeRun({ phase: 'finished' }), kept: {} as never }, 'draw'],
    ['none while one picture is encoded', { ...first, ready: { ...ready, objects: true }, cards: [card] }, null],
    ['Learn it properly once it is drawn', { ...first, ready: { ...ready, objects: true }, cards: [card], object: {} as never }, 'learn-properly'],
    ['Learn on the way to learning', { ...first, ready: { ...ready, objects: true }, cards: [card], object: {} as never, learningProperly: true }, 'learn'],
    ['Continue where a run is unfinished', { ...first, unfinished: {} as never }, 'continue'],
  ] as const)('is %s', (_when, state, expected) => expect(primaryOf(state)).toBe(expected));
});
