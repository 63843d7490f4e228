/** What axe-core finds wrong on a page, against WCAG 2.1 A and AA and its own best practices: any finding, however small. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { root } from '../scripts/prepare.mjs';

interface Violation { id: string; impact: string | null; nodes: { target: string[] }[] }

const everything = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];
/** What another theme can change on a page that is otherwise the same. */
export const colours = ['color-contrast'];

/** One line a finding: rule, weight, elements. */
export async function violations(page: Page, rules = everything): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(await readFile(join(root, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8'));
  const found = await page.evaluate(async (runOnly) => {
    const { axe } = globalThis as unknown as { axe: { run(context: Document, options: unknown): Promise<{ violations: Violation[] }> } };
    // what passes is not described: nobody reads it
    return (await axe.run(document, { runOnly, resultTypes: ['violations'] })).violations;
  }, rules);
  return found.map(({ id, impact, nodes }) => `${id} (${impact ?? 'no weight'}): ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

/** The same in both themes, where the page follows the system's; it is left in the dark one. */
export async function violationsInBothThemes(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const [colorScheme, rules] of [['light', everything], ['dark', colours]] as const) {
    await page.emulateMedia({ colorScheme });
    await page.waitForSelector(`:root[data-theme=${colorScheme}]`);
    found.push(...(await violations(page, rules)).map((line) => `${colorScheme}: ${line}`));
  }
  return found;
}
