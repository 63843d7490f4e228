/** Every table of docs/performance.md is what the reports in docs/bench say. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Report } from '../row';
import { pagePath, readReports } from './files';
import { fillPage } from './fill';

const row = { name: 'matmul nn', shape: '[8,8]·[8,8]', ours_ms: 2, rival: 'tfjs', rival_ms: 5, ratio: 2.5, gflops: 1, bytes: null };
const report: Report = { adapter: 'an adapter', backend: 'wasm', host: 'Node 20', rows: [row] };

describe('docs/performance.md', () => {
  const page = readFileSync(pagePath, 'utf8');

  it('holds the reports’ figures and no others', () => {
    expect(fillPage(page, readReports()), 'npm run bench -- --docs writes them').toBe(page);
  });

  it('has no table outside the generated ones', () => {
    const rest = page.replace(/<!-- (?:bench|machines).*? -->\n[^]*?<!-- end -->|<!-- fits -->[^]*?<!-- \/fits -->/g, '');
    expect(rest.split('\n').filter((text) => text.startsWith('|') && /\d(\.\d+)?×|\d\.\d/.test(text))).toEqual([]);
  });
});

describe('a page', () => {
  const empty = '<!-- bench ^matmul -->\n<!-- end -->\n<!-- machines -->\nold\n<!-- end -->\n<!-- bench wasm.json tfjs -->\n<!-- end -->';

  it('is filled by machine, and a machine without a report stays empty', () => {
    const filled = fillPage(empty, { 'wasm.json': report });
    expect(filled).toContain('| matmul nn | [8,8]·[8,8] | tfjs | 2.00 | 2.50× |  |  |  |  |');
    expect(filled).toContain('- wasm: wasm on an adapter, Node 20\n- SwiftShader: not measured yet');
    expect(filled).not.toContain('old');
    expect(filled).toContain('| matmul nn | [8,8]·[8,8] | 2.00 | tfjs | 5.00 | 2.50× | 1.00 |  |');
  });

  it('filled twice is the same', () => {
    const once = fillPage(empty, { 'wasm.json': report });
    expect(fillPage(once, { 'wasm.json': report })).toBe(once);
  });

  it('says where a row was skipped', () => {
    const skipped = { ...report, rows: [{ ...row, ours_ms: null, rival_ms: null, ratio: null, gflops: null, skipped: 'over 20 s on a software adapter' }] };
    expect(fillPage(empty, { 'swiftshader.json': skipped })).toContain('| tfjs |  |  | skipped |  |  |  |');
  });
});
