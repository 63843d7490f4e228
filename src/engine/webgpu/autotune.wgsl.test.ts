import { beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak, useWebgpu } from '../../testing/backend';
import { parseTuned, serializeTuned, tuneTilings } from './autotune';
import { packedGpuBytes } from '../packed/packedMatrix';
import { parseTilings, setTilings, tilingName, tilings, untuned } from './tiling';

let software = false;
beforeAll(async () => { ({ software } = await useWebgpu()); });

describe('autotune', () => {
  it('finds a tiling for each direction and leaves nothing behind', async () => {
    const bytes = packedGpuBytes();
    await expectNoLeak(async () => {
      const chosen = await tuneTilings(['small', 'registers']);
      // A processor switches all threads at a barrier: tiles are ten times slower there, whatever else the machine does.
      if (software) expect(chosen.tilings).toEqual({ forward: 'registers', gradient: 'registers' });
      expect(chosen.flopsPerMs).toBeGreaterThan(1e4); // 10 MFLOP/s
      expect(chosen.flopsPerMs).toBeLessThan(1e12);
      expect(parseTuned(structuredClone(serializeTuned(chosen)))).toEqual(chosen);
    });
    expect(packedGpuBytes()).toBe(bytes);
  });

  it('starts from what suits the kind of adapter', () => {
    expect(tilings()).toEqual(untuned(software));
    setTilings({ forward: 'large', gradient: 'small' });
    expect(tilingName(tilings())).toBe('large/small');
    setTilings(untuned(software));
  });

  it.each(['', 'large', 'large/huge', 'large/', null, 7])('reads %s as no choice', (text) => expect(parseTilings(text)).toBeNull());

  it.each([undefined, 'large/small', { tilings: 'large/small' }, { tilings: 'large/small', flopsPerMs: 0 }, { tilings: 'large', flopsPerMs: 5 }])('asks for tuning again where %o is kept', (kept) => expect(parseTuned(kept)).toBeNull());
});
