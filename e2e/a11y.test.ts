/** axe-core finds nothing wrong on the first visit, with pictures in, and on the Shelf, in both themes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from '../scripts/prepare.mjs';
import { at, baseReady, ids, loadSample, openStage, visit, type Stage } from './studio';

let stage: Stage;
beforeAll(async () => { stage = await openStage(); });
afterAll(async () => { await stage?.close(); });

interface Violation { id: string; nodes: { target: string[] }[] }

async function violations(): Promise<string[]> {
  const source = await readFile(join(root, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');
  await stage.page.evaluate(source);
  const found = await stage.page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(context: Document, options: unknown): Promise<{ violations: Violation[] }> } };
    return (await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })).violations;
  });
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

for (const theme of ['dark', 'light'] as const) {
  it(`reads well in the ${theme} theme`, async () => {
    const { page } = stage;
    await page.emulateMedia({ colorScheme: theme });
    await visit(stage);
    await page.reload();
    await baseReady(page);
    expect(await violations()).toEqual([]);
    await loadSample(page, 'guide-dog');
    expect(await violations()).toEqual([]);
    await at(page, ids.tabShelf).click();
    await at(page, ids.shelf).waitFor();
    expect(await violations()).toEqual([]);
  });
}
