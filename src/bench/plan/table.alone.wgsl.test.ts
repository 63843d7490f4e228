import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { sd35Plan } from '../../protocol/sd35Plan';
import { fitTable } from './fitTable';
import { planTable } from './table';
import type { Shapes } from './shapes';

it('the figures of the Models page and of docs are what the plan finds now', async () => {
  const { shapes } = JSON.parse(await readFile('fixtures/sd3/manifests/sd35_medium.diffusers.transformer.json', 'utf8')) as { shapes: Shapes };
  const found = await planTable('SD3.5 Medium', shapes, { pixelsPerLatent: 8, textTokens: 154 });
  expect(found.weights).toEqual(sd35Plan.weights);
  // how work is cut into submissions depends on reads, whose timing differs
  for (const [i, { workBytes, ...row }] of found.rows.entries()) {
    expect(sd35Plan.rows[i]).toMatchObject(row);
    expect(workBytes / sd35Plan.rows[i]!.workBytes, JSON.stringify(row)).toBeCloseTo(1, 1);
  }
  expect(await readFile('docs/performance.md', 'utf8')).toContain(fitTable(sd35Plan));
}, 120_000);
