/**
 * The three backends in Node, opened through the engine's own door: wasm, plain JavaScript, and WebGPU on Dawn with
 * whatever Vulkan driver there is, else with the SwiftShader that comes with a Chromium. None of them needs a browser,
 * and nothing here needs a test runner.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, homedir, tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { openBackend, type Compute } from '../engine/backend';
import * as tf from '../engine/tf';

/** The program's own folder: a bundle that runs without packages has beside it what is otherwise found in them. */
const besideProgram = dirname(process.argv[1] ?? '.');
const packagedWasm = () => join(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'wasm-out');

/** Where tfjs' wasm files lie, with a slash at its end. */
export const wasmFolder = (existsSync(join(besideProgram, 'tfjs-backend-wasm-simd.wasm')) ? besideProgram : packagedWasm()) + sep;

export function useBackend(name: 'cpu' | 'wasm'): Promise<Compute> {
  return openBackend(name, { threads: 1, wasmPaths: wasmFolder });
}

/** Folders below `folder` (a browser cache), two levels deep at most. */
function below(folder: string, depth = 2): string[] {
  if (depth < 0 || !existsSync(folder)) return [];
  const inside = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
  return [folder, ...inside.flatMap((child) => below(child, depth - 1))];
}

/** Folders in which a Chromium may lie, with SwiftShader and a Vulkan loader beside it. */
function browserFolders(): string[] {
  const chromium = process.env['CHROMIUM'] ?? process.env['CHROME_PATH'];
  return [
    ...(chromium ? [dirname(chromium)] : []),
    '/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome', '/opt/chromium.org/chromium', '/snap/chromium/current/usr/lib/chromium-browser',
    ...below(process.env['PLAYWRIGHT_BROWSERS_PATH'] ?? join(homedir(), '.cache', 'ms-playwright')),
    ...below(join(homedir(), '.cache', 'puppeteer'), 4),
  ];
}

const firstExisting = (paths: string[]): string | null => paths.find((path) => existsSync(path)) ?? null;
const withFile = (folders: string[], file: string): string | null => firstExisting(folders.map((folder) => join(folder, file)));

const driverFolders = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'];
const hasInstalledDriver = () => driverFolders.some((folder) => existsSync(folder) && readdirSync(folder).some((file) => file.endsWith('.json')));

/** NVIDIA's driver without its description, as containers have it: the description is written here. */
function describeNvidia(): string | null {
  if (!withFile(libraryFolders, 'libGLX_nvidia.so.0')) return null;
  const path = join(tmpdir(), 'lamina-nvidia-icd.json');
  writeFileSync(path, JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: 'libGLX_nvidia.so.0', api_version: '1.3.0' } }));
  return path;
}

const libraryFolders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib', '/usr/local/lib'];
/** Of glibc: the library stays loaded though it is no Node module. */
const RTLD_NODELETE = 0x1000;

/** Dawn asks for the Vulkan loader by name; where the system has none, Chromium's own is loaded under that name first. */
function loadVulkan(folders: string[]): void {
  if (process.platform !== 'linux' || withFile(libraryFolders, 'libvulkan.so.1')) return;
  const loader = withFile(folders, 'libvulkan.so.1');
  if (!loader) return;
  try {
    process.dlopen({ exports: {} }, loader, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    // Node always complains that this is not a module of its own.
    if (!/did not self-register|not a valid|napi|module/i.test(String(error))) throw error;
  }
}

let gpu: GPU | null = null;

/** tfjs on WebGPU in Node. Small tensors stay on the GPU, so that its kernels are what is tested. Prints the adapter. */
export async function useWebgpu(): Promise<Compute> {
  const folders = browserFolders();
  const software = withFile(folders, 'vk_swiftshader_icd.json');
  loadVulkan([besideProgram, ...folders]);
  if (!process.env['VK_DRIVER_FILES'] && !hasInstalledDriver()) {
    const driver = describeNvidia() ?? software;
    if (driver) process.env['VK_DRIVER_FILES'] = driver;
  }
  process.env['XDG_RUNTIME_DIR'] ??= tmpdir();
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  gpu ??= create(['backend=vulkan']);
  if (!(await gpu.requestAdapter()) && software && process.env['VK_DRIVER_FILES'] !== software) {
    // Dawn refuses some installed software drivers (lavapipe); SwiftShader it takes.
    process.env['VK_DRIVER_FILES'] = software;
    gpu = create(['backend=vulkan']);
  }
  if (!(await gpu.requestAdapter())) {
    throw new Error('no Vulkan driver for WebGPU: install Chromium (its folder holds vk_swiftshader_icd.json), or set CHROMIUM to its program or VK_DRIVER_FILES to a driver description');
  }
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'node' }, configurable: true });
  const compute = await openBackend('webgpu', { threads: 1, wasmPaths: wasmFolder });
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  console.info(`WebGPU on ${compute.adapter}`);
  return compute;
}

export const openNodeBackend = (name: 'cpu' | 'wasm' | 'webgpu'): Promise<Compute> => (name === 'webgpu' ? useWebgpu() : useBackend(name));
