import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { declaredAt, pages, references, root } from '../../scripts/docs.mjs';

describe.each(pages())('%s', (page) => {
  it('names symbols that exist, at their lines (after a change: node scripts/docs.mjs)', () => {
    const wrong = references(page).filter(({ line, shown, linked, named }) => line === 0 || shown !== line || linked !== line || !named);
    expect(wrong.map(({ text, line }) => `${text} is at ${line}`)).toEqual([]);
  });

  it('links to files that exist', () => {
    const links = [...readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, path]) => path!).filter((path) => !/^[a-z]+:/.test(path));
    expect(links.filter((path) => !existsSync(join(root, dirname(page), path)))).toEqual([]);
  });
});

it('methods.md leads every equation somewhere', () => {
  expect(references('docs/methods.md').length).toBeGreaterThan(30);
});

it('licences name every package the app is built from (after a change: node scripts/licences.mjs)', () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  const named = new Set(readFileSync(join(root, 'public/licences/packages.txt'), 'utf8').split('\n'));
  expect(Object.entries(dependencies).map(([name, version]) => `${name} ${version}`).filter((line) => !named.has(line))).toEqual([]);
});

describe('declaredAt', () => {
  const text = 'import { a } from "b";\nuse(a);\nexport const a = 1;\nconst r = {\n  eta: number(),\n};\nclass C {\n  async *steps() {}\n}';
  it('finds declarations, keys and methods, not uses', () => {
    expect(declaredAt(text, 'a')).toBe(3);
    expect(declaredAt(text, 'eta')).toBe(5);
    expect(declaredAt(text, 'steps')).toBe(8);
    expect(declaredAt(text, 'absent')).toBe(0);
  });
});
