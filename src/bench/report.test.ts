import { describe, expect, it } from 'vitest';
import { heading, reportJson, textTable, three } from './report';
import type { Report } from './row';

const report: Report = {
  adapter: 'an adapter', backend: 'webgpu', host: 'Node 20',
  rows: [
    { name: 'matmul nn', shape: '[512,512]·[512,512]', ours_ms: 100.123456, rival: 'tfjs', rival_ms: 400.5, ratio: 4.00006, gflops: 2.68, bytes: 3145728 },
    { name: 'block', shape: '24 heads', ours_ms: null, rival: 'tfjs', rival_ms: null, ratio: null, gflops: null, bytes: null, skipped: 'over 20 s on a software adapter' },
  ],
};

describe('a report', () => {
  it('as JSON has the agreed form, times in five digits and bytes in full', () => {
    const parsed = JSON.parse(reportJson(report)) as Report;
    expect(Object.keys(parsed)).toEqual(['adapter', 'backend', 'host', 'rows']);
    expect(Object.keys(parsed.rows[0]!)).toEqual(['name', 'shape', 'ours_ms', 'rival', 'rival_ms', 'ratio', 'gflops', 'bytes']);
    expect(parsed.rows[0]).toMatchObject({ ours_ms: 100.12, ratio: 4.0001, bytes: 3145728 });
    expect(parsed.rows[1]).toMatchObject({ ours_ms: null, skipped: 'over 20 s on a software adapter' });
  });

  it('as text has equal columns, the bandwidth and what was skipped', () => {
    const [head, first, second] = textTable(report.rows).split('\n');
    expect(head!.indexOf('rival')).toBe(first!.indexOf('tfjs'));
    expect(first).toMatch(/100 {2}tfjs +401 +4\.00× +2\.68 +0\.0314$/);
    expect(second).toMatch(/skipped .*over 20 s on a software adapter$/);
    expect(heading(report)).toBe('webgpu on an adapter, Node 20');
  });

  it('shows three digits', () => {
    expect([0, 0.012345, 1.2345, 12.345, 123.45, 1234.5, 999.6].map(three)).toEqual(['0', '0.0123', '1.23', '12.3', '123', '1235', '1000']);
  });
});
