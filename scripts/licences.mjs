/**
 * node scripts/licences.mjs
 * Writes public/licences/packages.txt: every package that `npm ci --omit=dev` installs, with its licence; packages of one text share it.
 * Run it after a change of dependencies; src/testing/licences.test.ts fails where one is missing.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const installed = Object.entries(lock.packages).filter(([path, { dev, devOptional, optional }]) => path && !dev && !devOptional && !optional && existsSync(join(root, path, 'package.json')));

/** The licence's own words, or its name where the package carries none. */
function words(path) {
  const file = readdirSync(join(root, path)).find((name) => /^licen[cs]e(\.\w+)?$/i.test(name));
  const { license } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
  return file ? readFileSync(join(root, path, file), 'utf8').trim().replace(/[ \t]+$/gm, '') : `Licence: ${typeof license === 'string' ? license : (license?.type ?? 'not stated')} (the package carries no text of it)`;
}

const groups = new Map();
for (const [path] of installed) {
  const { name, version } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
  const text = words(path);
  groups.set(text, [...(groups.get(text) ?? []), `${name} ${version}`]);
}
const parts = [...groups].map(([text, names]) => ({ names: [...new Set(names)].sort(), text })).sort((a, b) => a.names[0].localeCompare(b.names[0]));
const page = parts.map(({ names, text }) => `${names.join('\n')}\n\n${text}\n`).join(`\n${'='.repeat(78)}\n\n`);
writeFileSync(join(root, 'public', 'licences', 'packages.txt'), page);
console.log(`${installed.length} packages, ${parts.length} texts, ${page.length} characters`);
