import { describe, expect, it, vi } from 'vitest';
import { Fault } from '../protocol/faults';
import { Opening } from './opening';
import { browserPlatform } from './platform';

describe('explain', () => {
  it.each([
    [new RangeError('Array buffer allocation failed'), 'out-of-memory', 'The worker ran out of memory: Array buffer allocation failed'],
    [new Fault('out-of-memory', 'No room for a tensor.'), 'out-of-memory', 'No room for a tensor.'],
    [new WebAssembly.RuntimeError('unreachable'), 'worker-crashed', 'The WebAssembly engine stopped: unreachable'],
  ])('takes %s for the end of this worker, tells the page once and keeps to it', async (error, code, message) => {
    const emit = vi.fn();
    const opening = new Opening({ emit }, browserPlatform());
    expect(await opening.explain(error)).toMatchObject({ code, message });
    expect(opening.lost).toMatchObject({ code });
    // what fails afterwards fails because of it
    expect(await opening.explain(new Error('another'))).toMatchObject({ code });
    expect(emit).toHaveBeenCalledTimes(1);
    expect(emit).toHaveBeenCalledWith('fault', { code, message, remedy: '' });
  });

  it.each([new Error('a bug'), new RangeError('Invalid count value: -1'), new Fault('busy', 'No run.')])('leaves %s as it is', async (error) => {
    const opening = new Opening({ emit: vi.fn() }, browserPlatform());
    expect(await opening.explain(error)).toBe(error);
    expect(opening.lost).toBeNull();
  });
});
