import { describe, expect, it } from 'vitest';
import { guidanceRange, seedRange, stepsRange } from '../../state/params';
import { nearestNumber } from './NumberInput';

describe('a number out of its range', () => {
  it.each([
    ['500', stepsRange, 28, 'Steps: 8 to 28, whole. 500 became 28.'],
    ['15', guidanceRange, 12, 'Guidance: 1 to 12. 15 became 12.'],
    ['99999999999', seedRange, 4294967295, 'Seed: 0 to 4294967295, whole. 99999999999 became 4294967295.'],
    ['20.4', stepsRange, 20, 'Steps: 8 to 28, whole. 20.4 became 20.'],
  ])('%s goes to the nearest that is possible and says so', (typed, range, value, said) => expect(nearestNumber(typed, range)).toEqual({ value, said }));

  it('stays as it was where no number was typed', () => expect(nearestNumber('many', stepsRange)).toBeNull());
});
