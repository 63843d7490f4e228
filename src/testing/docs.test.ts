/** The line numbers of docs/methods.md point at the symbols they name. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const page = readFileSync(new URL('docs/methods.md', root), 'utf8');
const references = [...page.matchAll(/`(\w+)` \| \[([^:\]]+):(\d+)\]/g)].map(([, symbol, path, line]) => ({ symbol: symbol!, path: path!, line: Number(line) }));

it('refers to something', () => {
  expect(references.length).toBeGreaterThan(10);
});

it.each(references)('$symbol is at $path:$line', ({ symbol, path, line }) => {
  const lines = readFileSync(new URL(path, root), 'utf8').split('\n');
  // An equation inside a longer function is named by that function, whose head stands above the line.
  const head = lines.slice(0, line).findLastIndex((text) => /^(export )?(async )?(function|const) /.test(text));
  expect(lines[head]).toContain(symbol);
});
