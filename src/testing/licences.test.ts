import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('licences name every package the app is built from (after a change: node scripts/licences.mjs)', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };
  const named = new Set(readFileSync('public/licences/packages.txt', 'utf8').split('\n'));
  expect(Object.entries(dependencies).map(([name, version]) => `${name} ${version}`).filter((line) => !named.has(line))).toEqual([]);
});
