/**
 * Finds a Chromium for tests, demo and recording: CHROMIUM, then one of the system, then playwright's own.
 * `ensureBrowser` installs one where it may: with apt as root on Debian and its kin, else playwright's download.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { giveUp, root } from './prepare.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'microsoft-edge'];
const elsewhere = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium', 'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe'];

/** Path of a Chromium, or null. */
export async function findBrowser() {
  const asked = process.env.CHROMIUM;
  if (asked) return existsSync(asked) ? asked : giveUp(`CHROMIUM names ${asked}, which does not exist.`);
  const onPath = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  const found = [...onPath, ...elsewhere].find((path) => existsSync(path));
  if (found) return found;
  const { chromium } = await import('playwright-core');
  return existsSync(chromium.executablePath()) ? chromium.executablePath() : null;
}

/** As findBrowser, after installing one if need be. */
export async function ensureBrowser() {
  const present = await findBrowser();
  if (present) return present;
  const run = (command, args) => spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
  console.log('No Chromium here; installing one …');
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    if (run('apt-get', ['update', '-q']) && run('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium', 'libvulkan1'])) {
      const installed = await findBrowser();
      if (installed) return installed;
    }
  }
  run(process.execPath, [join(root, 'node_modules', 'playwright-core', 'cli.js'), 'install', 'chromium']);
  return (await findBrowser()) ?? giveUp('No Chromium was found and none could be installed. Install Chromium or Chrome, or set CHROMIUM to its path.');
}

/** Flags of every headless run here: quiet, no traffic of its own, timers not slowed while nobody looks. */
export const flags = [
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic', '--no-first-run', '--no-default-browser-check',
  '--disable-background-timer-throttling', '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows', '--disable-dev-shm-usage',
];

/** WebGPU on SwiftShader, the software adapter, for machines without a GPU. */
export const softwareWebgpu = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan', '--use-vulkan=swiftshader'];
