import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../backend';
import { parityRows } from './run';
import { row, table, worst } from './rows';

const paths = { base: 'public/base', merges: 'fixtures/clip/clip_merges_48894.txt.gz' };

describe('parity', () => {
  beforeAll(() => useBackend('wasm'));

  it.each(['fixtures/sd3', 'fixtures/base'])('every row of %s passes', async (dir) => {
    const rows = await parityRows(dir, paths);
    console.info(table(rows));
    expect(rows.length).toBeGreaterThan(dir.endsWith('sd3') ? 50 : 8);
    expect(rows.filter(({ pass }) => !pass)).toEqual([]);
  }, 240_000);

  it('refuses a folder with nothing to compare', async () => {
    await expect(parityRows('fixtures/clip', paths)).rejects.toThrow('holds neither');
  });
});

describe('rows', () => {
  it('fail on NaN, on a missing value and beyond the tolerance', () => {
    expect(row('a', worst([1, NaN], [1, 2]), 1).pass).toBe(false);
    expect(row('a', worst([1], [1, 2]), 1).pass).toBe(false);
    expect(row('a', worst([1, 2.5], [1, 2]), 0.1).pass).toBe(false);
    expect(row('a', worst([1, 2], [1, 2]), 0).pass).toBe(true);
    expect(table([row('a', 2, 1)])).toContain('1 of 1 rows fail');
  });
});
