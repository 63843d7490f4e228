/**
 * npm run recovery: kills the session worker at 20 random moments of a run and compares the weights it ends in with those of a
 * run left alone (e2e/recovery.test.ts). With --webgpu the browser's GPU process is crashed as well; on a software adapter that
 * takes the better part of an hour.
 *   npm run recovery -- [--webgpu] [--moments 20] [--seed 1]
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensurePackages, giveUp, root } from './prepare.mjs';

const { values } = parseArgs({ options: { webgpu: { type: 'boolean', default: false }, moments: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' } } });
for (const name of ['moments', 'seed']) if (!/^[1-9]\d*$/.test(values[name])) giveUp(`--${name} must be a whole number from 1; it is “${values[name]}”.`);
ensurePackages();
const { ensureBrowser } = await import('./browser.mjs');
await ensureBrowser();
const { status } = spawnSync(process.execPath, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--project', 'e2e', 'e2e/recovery.test.ts'], {
  cwd: root, stdio: 'inherit', env: { ...process.env, RECOVERY_MOMENTS: values.moments, RECOVERY_SEED: values.seed, RECOVERY_BACKEND: values.webgpu ? 'webgpu' : 'wasm' },
});
process.exit(status ?? 1);
