import { describe, expect, it } from 'vitest';
import { measureRow, type Timing } from './measure';
import type { Form, Row } from './row';

/** A clock that only the forms move, and forms that take a known time. */
function bench(costs: { ours: number; rival: number }) {
  let clock = 0;
  const log: string[] = [];
  const form = (name: 'ours' | 'rival'): Form => ({
    run: () => { clock += costs[name]; log.push(name); },
    sync: () => Promise.resolve(),
    dispose: () => { log.push(`${name} freed`); },
  });
  const row: Row = { name: 'row', shape: '[1]', flops: 2e6, bytes: 8, ours: () => form('ours'), rival: { name: 'other', open: () => form('rival') } };
  const timing: Timing = { now: () => clock, sampleMs: 20, budgetMs: 400, minRounds: 3, maxRounds: 5, limitMs: 20_000, flopsPerSecond: 1e9 };
  return { row, timing, log, advance: (ms: number) => { clock += ms; } };
}

describe('a row', () => {
  it('has its times per repetition, ratio and rate', async () => {
    const { row, timing } = bench({ ours: 2, rival: 5 });
    expect(await measureRow(row, timing)).toEqual({ name: 'row', shape: '[1]', ours_ms: 2, rival: 'other', rival_ms: 5, ratio: 2.5, gflops: 1, bytes: 8 });
  });

  it('repeats short work until a sample is long enough', async () => {
    const { row, timing, log } = bench({ ours: 0.5, rival: 30 });
    await measureRow(row, timing);
    const runs = log.join(' ').match(/(ours ?)+/g)!.map((run) => run.trim().split(' ').length);
    // the last rounds, after warm-up
    expect(runs.at(-2)! * 0.5).toBeGreaterThanOrEqual(20);
  });

  it('lets both take turns, the other one first every second time', async () => {
    const { row, timing, log } = bench({ ours: 30, rival: 40 });
    await measureRow(row, timing);
    // two warm-ups each, then five rounds
    expect(log.slice(4, -2)).toEqual(['ours', 'rival', 'rival', 'ours', 'ours', 'rival', 'rival', 'ours', 'ours', 'rival']);
  });

  it('takes the median of its rounds, so that one disturbance does not count', async () => {
    const { row, timing, advance } = bench({ ours: 30, rival: 60 });
    let calls = 0;
    const disturbed: Row = { ...row, ours: async () => {
      const form = await row.ours();
      return { ...form, run: (given) => { if (++calls === 4) advance(900); return form.run(given); } };
    } };
    expect((await measureRow(disturbed, timing)).ours_ms).toBe(30);
  });

  it('does not time what is prepared', async () => {
    const { row, timing, advance } = bench({ ours: 30, rival: 60 });
    const prepared: Row = { ...row, ours: async () => ({ ...(await row.ours()), prepare: () => advance(500) }) };
    expect((await measureRow(prepared, timing)).ours_ms).toBe(30);
  });

  it('counts the rival for another amount of work', async () => {
    const { row, timing } = bench({ ours: 30, rival: 60 });
    expect(await measureRow({ ...row, rivalScale: 0.25 }, timing)).toMatchObject({ rival_ms: 15, ratio: 0.5 });
  });

  it('without a rival has none', async () => {
    const { row, timing } = bench({ ours: 30, rival: 60 });
    expect(await measureRow({ ...row, rival: null }, timing)).toMatchObject({ ours_ms: 30, rival: null, rival_ms: null, ratio: null });
  });

  it('is skipped unmade where it is foreseen to be too long, and only on a software adapter', async () => {
    const { row, timing, log } = bench({ ours: 30, rival: 60 });
    const heavy = { ...row, flops: 1e11 };
    expect(await measureRow(heavy, timing)).toMatchObject({ ours_ms: null, rival_ms: null, gflops: null, skipped: 'over 20 s on a software adapter' });
    expect(log).toEqual([]);
    expect(await measureRow(heavy, { ...timing, limitMs: null })).toMatchObject({ ours_ms: 30 });
  });

  it('is skipped after one repetition that shows it, and frees what it opened', async () => {
    const { row, timing, log } = bench({ ours: 30, rival: 12_000 });
    expect(await measureRow(row, timing)).toMatchObject({ ours_ms: null, skipped: 'over 20 s on a software adapter' });
    expect(log.filter((entry) => entry === 'rival')).toHaveLength(1);
    expect(log.slice(-2)).toEqual(['ours freed', 'rival freed']);
  });

  it('is skipped after warm-up where its rounds would not fit', async () => {
    const { row, timing, log } = bench({ ours: 30, rival: 6000 });
    expect(await measureRow(row, timing)).toMatchObject({ ours_ms: null, skipped: 'over 20 s on a software adapter' });
    expect(log.filter((entry) => entry === 'rival')).toHaveLength(2);
  });

  it('frees what it opened when a form throws', async () => {
    const { row, timing, log } = bench({ ours: 30, rival: 60 });
    const broken: Row = { ...row, rival: { name: 'other', open: () => { throw new Error('no such device'); } } };
    await expect(measureRow(broken, timing)).rejects.toThrow('no such device');
    expect(log.at(-1)).toBe('ours freed');
  });
});
