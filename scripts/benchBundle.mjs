/**
 * The bench as one folder that needs nothing but Node on a 64-bit Linux machine with a Vulkan driver: the program, Dawn as its native
 * module, tfjs' wasm file, and the Vulkan loader where this machine has one to give.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle } from './node.mjs';
import { giveUp, root } from './prepare.mjs';

const MOST_BYTES = 30e6;
const packages = join(root, 'node_modules');
const beside = [
  [join(packages, 'webgpu/dist/linux-x64/dawn.node'), 'dawn.node'],
  [join(packages, 'webgpu/LICENSE.md'), 'LICENSE.dawn.md'],
  [join(packages, '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm'), 'tfjs-backend-wasm-simd.wasm'],
];
const loaders = ['/usr/lib/x86_64-linux-gnu/libvulkan.so.1', '/usr/lib/chromium/libvulkan.so.1', '/opt/google/chrome/libvulkan.so.1'];

const bytesOf = async (folder) => (await Promise.all((await readdir(folder, { recursive: true })).map(async (name) => {
  const found = await stat(join(folder, name));
  return found.isFile() ? found.size : 0;
}))).reduce((sum, size) => sum + size, 0);

/** Writes the folder, which must not exist or be empty. */
export async function writeBundle(folder) {
  if (existsSync(folder) && (await readdir(folder)).length > 0) giveUp(`${folder} is not empty.`);
  await mkdir(folder, { recursive: true });
  await bundle(join(root, 'src/bench/node.ts'), { folder, name: 'bench.mjs', alias: { webgpu: join(root, 'src/bench/dawn.ts') } });
  for (const [from, name] of beside) await copyFile(from, join(folder, name));
  const loader = loaders.find((path) => existsSync(path));
  if (loader) await copyFile(loader, join(folder, 'libvulkan.so.1'));
  await writeFile(join(folder, 'README.txt'), 'Lamina’s bench, for 64-bit Linux with Node 20.19 or newer and a Vulkan driver:\n\n    node bench.mjs --json out.json\n\n--only PATTERN runs some rows, --backend wasm those of WebAssembly.\n');
  const bytes = await bytesOf(folder);
  if (bytes > MOST_BYTES) giveUp(`The bundle has ${(bytes / 1e6).toFixed(1)} MB, more than ${MOST_BYTES / 1e6}.`);
  console.log(`${folder}, ${(bytes / 1e6).toFixed(1)} MB. On the machine to be measured:\n\n    node ${folder}/bench.mjs --json out.json`);
}
