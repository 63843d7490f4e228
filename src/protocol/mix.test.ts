import { describe, expect, test } from 'vitest';
import { Fault } from './faults';
import { acting, cardsOf, maskCells, mixPictureKey, mixProbeKey, newGuidance, newObjectSource, parseMix, plainComposition, scheduleAt, type Mix, type MixGuidance } from './mix';

const guidance = (change: Partial<MixGuidance> = {}): MixGuidance => ({ ...newGuidance('a', { kind: 'text', words: null }), ...change });
const mix = (change: Partial<Mix> = {}): Mix => ({ version: 1, prompt: 'a dog', names: {}, seed: 1, steps: 20, guidance: 3, guidances: [guidance()], composition: plainComposition, start: null, ...change });
const faultOf = (value: unknown): Fault => {
  try {
    parseMix(value);
  } catch (error) {
    if (error instanceof Fault) return error;
  }
  throw new Error('no fault');
};

describe('a mix from outside', () => {
  test('comes back as it was', () => expect(parseMix(JSON.parse(JSON.stringify(mix())))).toEqual(mix()));

  test.each([
    ['a weight beyond ten', mix({ guidances: [guidance({ weight: 11 })] }), 'guidances.0.weight'],
    ['a version of another app', { ...mix(), version: 2 }, 'version'],
    ['a field nobody knows', { ...mix(), colour: 'red' }, 'colour'],
    ['half a painted mask', mix({ guidances: [guidance({ mask: { kind: 'painted', side: 4, cells: 'ff00' } })] }), 'mask'],
    ['more guidances than there may be', mix({ guidances: Array.from({ length: 17 }, () => guidance()) }), 'guidances'],
  ])('with %s is a fault that names the field', (_, value, subject) => expect(faultOf(value)).toMatchObject({ code: 'mix-invalid', subject }));
});

describe('a mix with an object', () => {
  const object = (change: object = {}) => mix({ guidances: [guidance(), { ...newGuidance('o', newObjectSource('card')), source: { ...newObjectSource('card'), object: { ...newObjectSource('card').object, ...change } } }] });
  test('comes back as it was, and names its card', () => {
    expect(parseMix(JSON.parse(JSON.stringify(object())))).toEqual(object());
    expect(cardsOf({ guidances: [...object().guidances, ...object().guidances] })).toEqual(['card']);
    expect(faultOf(object({ strength: 3 }))).toMatchObject({ code: 'mix-invalid', subject: 'guidances.1.source.object.strength' });
    expect(faultOf(object({ ortho: 'all' }))).toMatchObject({ code: 'mix-invalid', subject: 'guidances.1.source.object.ortho' });
  });
  test('needs a new probe for another way of seeing, and for other steps where it waits for one', () => {
    expect(mixProbeKey(object())).not.toBe(mixProbeKey(object({ strength: 0.5 })));
    expect(mixProbeKey({ ...object(), steps: 8 })).toBe(mixProbeKey(object()));
    expect(mixProbeKey({ ...object({ startStep: 2 }), steps: 8 })).not.toBe(mixProbeKey(object({ startStep: 2 })));
  });
});

describe('which guidances act', () => {
  const [text, dog, none] = [guidance({ id: 'text' }), guidance({ id: 'dog', weight: -2 }), guidance({ id: 'none', weight: 0 })];
  test('muted ones and those of weight 0 do not', () => expect(acting([text, { ...dog, muted: true }, none])).toEqual([text]));
  test('solo ones act alone, but not while muted', () => {
    expect(acting([text, { ...dog, solo: true }])).toEqual([{ ...dog, solo: true }]);
    expect(acting([text, { ...dog, solo: true, muted: true }])).toEqual([]);
  });
});

describe('what pictures and probes are of', () => {
  const turned = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).reverse().map(([key, each]) => [key, each && typeof each === 'object' && !Array.isArray(each) ? turned(each as object) : each])) as T;
  const one = mix({ guidances: [guidance({ mask: { kind: 'box', left: 0, top: 0, right: 0.5, bottom: 1, feather: 0.1 }, alone: true })] });
  test('does not depend on the order in which a record’s keys stand', () => {
    const other = turned({ ...one, guidances: one.guidances.map(turned) });
    expect(JSON.stringify(other)).not.toBe(JSON.stringify(one));
    expect([mixPictureKey(other), mixProbeKey(other)]).toEqual([mixPictureKey(one), mixProbeKey(one)]);
    expect(mixPictureKey(parseMix(other))).toBe(mixPictureKey(one));
  });
  test('a weight is another picture of the same probe; words are another probe; a seed another probe of the same mix', () => {
    const [heavier, other, seeded] = [mix({ guidances: [{ ...one.guidances[0]!, weight: 2 }] }), { ...one, prompt: 'a cat' }, { ...one, seed: 2 }];
    expect([mixPictureKey(heavier) === mixPictureKey(one), mixProbeKey(heavier) === mixProbeKey(one)]).toEqual([false, true]);
    expect([mixPictureKey(other) === mixPictureKey(one), mixProbeKey(other) === mixProbeKey(one)]).toEqual([false, false]);
    expect([mixPictureKey(seeded) === mixPictureKey(one), mixProbeKey(seeded) === mixProbeKey(one)]).toEqual([true, false]);
  });
  test('a mask and a schedule move on the same probe, also that of a scene', () => {
    const scene = mix({ guidances: [{ ...one.guidances[0]!, alone: true }] });
    const moved = mix({ guidances: [{ ...scene.guidances[0]!, mask: { kind: 'box', left: 0.5, top: 0, right: 1, bottom: 1, feather: 0 }, schedule: { kind: 'interval', from: 1, to: 0.5 } }] });
    expect([mixProbeKey(moved) === mixProbeKey(scene), mixProbeKey(scene) === mixProbeKey(mix({ guidances: [{ ...scene.guidances[0]!, alone: false }] }))]).toEqual([true, false]);
  });
  test('what does not act leaves no trace', () => expect(mixPictureKey({ ...one, guidances: [...one.guidances, guidance({ id: 'b', muted: true })] })).toBe(mixPictureKey(one)));
});

describe('schedules', () => {
  test('an interval holds between its ends, whichever way round they stand', () => {
    for (const schedule of [{ kind: 'interval', from: 0.9, to: 0.2 }, { kind: 'interval', from: 0.2, to: 0.9 }] as const) expect([1, 0.9, 0.5, 0.2, 0.1].map((sigma) => scheduleAt(schedule, sigma))).toEqual([0, 1, 1, 1, 0]);
  });
  test('a ramp goes from its first factor at pure noise to its last', () => expect([1, 0.5, 0].map((sigma) => scheduleAt({ kind: 'ramp', first: 2, last: 0 }, sigma))).toEqual([2, 1, 0]));
  test('a curve is linear between its points and level beyond them', () => {
    const schedule = { kind: 'curve', points: [{ sigma: 0.8, factor: 1 }, { sigma: 0.4, factor: 0 }] } as const;
    expect([1, 0.8, 0.6, 0.4, 0].map((sigma) => scheduleAt({ ...schedule, points: [...schedule.points] }, sigma))).toEqual([1, 1, expect.closeTo(0.5), 0, 0]);
  });
});

describe('masks', () => {
  test('everywhere is no mask', () => expect(maskCells({ kind: 'everywhere' }, 2, 2)).toBeNull());
  test('a hard box is 1 inside and 0 outside', () => expect([...maskCells({ kind: 'box', left: 0, top: 0, right: 0.5, bottom: 1, feather: 0 }, 2, 4)!]).toEqual([1, 1, 0, 0, 1, 1, 0, 0]));
  test('two soft boxes that share an edge add up to one', () => {
    const box = (left: number, right: number) => maskCells({ kind: 'box', left, top: 0, right, bottom: 1, feather: 0.25 }, 1, 16)!;
    const [a, b] = [box(0, 0.5), box(0.5, 1)];
    for (let x = 0; x < 16; x++) expect(a[x]! + b[x]!).toBeCloseTo(1, 5);
  });
  test('painted cells come back on their own grid, and in between on a finer one', () => {
    expect([...maskCells({ kind: 'painted', side: 2, cells: 'f00f' }, 2, 2)!]).toEqual([1, 0, 0, 1]);
    expect(maskCells({ kind: 'painted', side: 2, cells: 'f0f0' }, 4, 4)![1]!).toBeCloseTo(0.75);
  });
});
