/**
 * node scripts/node.mjs ENTRY.ts [arguments…]
 * Bundles a TypeScript program of this project as the app is bundled (Vite, `?raw` shaders, the ES build of tfjs) and runs it in
 * Node with the arguments that follow; its exit status is passed on. Only `webgpu`, a native module, stays outside the bundle.
 * Each run has its own folder in node_modules/.cache/lamina, removed at the end, so that two may run side by side.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { constants } from 'node:os';
import { basename, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** tfjs-backend-wasm's factories are CommonJS: in Node they ask for `require` and `__dirname`. */
const commonJs = "import { createRequire as laminaRequire } from 'node:module';\nglobalThis.require ??= laminaRequire(import.meta.url);\nglobalThis.__dirname ??= import.meta.dirname ?? '.';";

/** A fresh folder of this project's own, for what is built and thrown away. */
export async function scratch(name) {
  const cache = join(root, 'node_modules', '.cache', 'lamina');
  await mkdir(cache, { recursive: true });
  return mkdtemp(join(cache, `${name}-`));
}

/** Bundles `entry` into `folder`, a fresh one if none is given, under `name`; `alias` replaces packages. Gives the program's path and the folder. */
export async function bundle(entry, { folder: given = null, name = 'program.mjs', alias = {} } = {}) {
  const { build } = await import('vite');
  const folder = given ?? (await scratch(basename(entry, extname(entry))));
  await build({
    root, configFile: false, logLevel: 'warn', publicDir: false, resolve: { alias },
    build: { ssr: true, outDir: folder, target: 'node20', minify: false, rollupOptions: { input: resolve(entry), output: { banner: commonJs, entryFileNames: name, chunkFileNames: '[name]-[hash].mjs', format: 'es' } } },
    ssr: { noExternal: true, external: alias.webgpu ? [] : ['webgpu'], resolve: { mainFields: ['module', 'main'] } },
  });
  return { program: join(folder, name), folder };
}

/** Runs a Node program with this terminal; resolves with its exit status. A signal sent to us goes on to it. */
function run(program, args) {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: 'inherit' });
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
    child.on('error', failed);
    child.on('exit', (status, signal) => done(status ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

/** Bundles and runs a TypeScript program of this project; its exit status. */
export async function runProgram(entry, args) {
  const { program, folder } = await bundle(entry);
  try {
    return await run(program, args);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [entry, ...args] = process.argv.slice(2);
  if (!entry || !existsSync(entry)) {
    console.error(entry ? `There is no file ${entry}.` : 'node scripts/node.mjs ENTRY.ts [arguments…]');
    process.exit(2);
  }
  process.exit(await runProgram(entry, args));
}
