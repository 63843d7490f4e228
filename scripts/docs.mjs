/**
 * node scripts/docs.mjs
 * Writes the line numbers into README.md and docs/*.md: every link of the form [`symbol` file.ts:12](path/file.ts#L12) is led to the
 * line on which the symbol is declared. src/testing/docs.test.ts fails where a number is no longer right; run this then.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const reference = /\[`([\w.]+)` ([\w.]+):(\d+)\]\(([^)#]+)#L(\d+)\)/g;

/** Pages with references, relative to the root. */
export const pages = () => ['README.md', ...readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];

/** Line (from 1) on which a file declares a symbol: a name, or the key of a record; 0 where it does not. */
export function declaredAt(text, symbol) {
  const lines = text.split('\n');
  const name = symbol.replace(/[.]/g, '\\.');
  const forms = [
    new RegExp(`^\\s*(export )?(default )?(async )?(abstract )?(function\\*?|const|let|class|interface|type|enum|fn|struct|def) ${name}\\b`),
    new RegExp(`^\\s*(async )?(readonly )?\\*?${name}\\??[(:]`),
  ];
  for (const form of forms) {
    const at = lines.findIndex((line) => form.test(line));
    if (at >= 0) return at + 1;
  }
  return 0;
}

/** Every reference of a page: what it says and what is so. */
export function references(page) {
  const folder = dirname(join(root, page));
  return [...readFileSync(join(root, page), 'utf8').matchAll(reference)].map(([text, symbol, label, shown, path, linked]) => {
    const source = readFileSync(join(folder, path), 'utf8');
    return { page, text, symbol, path, line: declaredAt(source, symbol), shown: Number(shown), linked: Number(linked), named: label === basename(path) };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const page of pages()) {
    let text = readFileSync(join(root, page), 'utf8');
    for (const { text: old, symbol, path, line } of references(page)) {
      if (line === 0) console.error(`${page}: ${path} declares no ${symbol}`);
      else text = text.replace(old, `[\`${symbol}\` ${basename(path)}:${line}](${path}#L${line})`);
    }
    writeFileSync(join(root, page), text);
  }
}
