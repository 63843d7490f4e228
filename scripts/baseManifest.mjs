/**
 * Writes public/base/files.json: path, size and SHA-256 of every file of the embedded base. The app loads exactly these files
 * and checks them against it, so run this after any change in public/base: node scripts/baseManifest.mjs
 */
import { createHash } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const LIST_NAME = 'files.json';

/** The list of a base's folder, sorted by path. */
export async function listBase(dir) {
  const entries = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => relative(dir, join(entry.parentPath ?? entry.path, entry.name)).split(sep).join('/')).filter((path) => path !== LIST_NAME);
  const files = [];
  for (const path of paths.sort()) {
    const bytes = await readFile(join(dir, path));
    files.push({ path, sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  }
  return { version: 1, files };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dir = fileURLToPath(new URL('../public/base/', import.meta.url));
  await writeFile(join(dir, LIST_NAME), `${JSON.stringify(await listBase(dir), null, 2)}\n`);
}
