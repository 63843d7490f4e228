/**
 * What every command needs before it begins: a Node that is new enough, packages as the lock says, and a build no older than
 * the sources. Only Node's own modules are imported here, because nothing else may be installed yet.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const dist = join(root, 'dist');
const builtFrom = ['src', 'shaders', 'public', 'index.html', 'vite.config.ts', 'package.json'];

/** Ends the program with one plain message; for what the user must change. */
export function giveUp(message) {
  console.error(`\n${message}`);
  process.exit(1);
}

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) giveUp(`Lamina needs Node 20.19 or newer; this is ${process.versions.node}. Newer versions: https://nodejs.org`);
}

/** Latest change below a path, ms; 0 where it does not exist. */
function newest(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), 0);
}

const npm = (args) => spawnSync('npm', args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });

/** npm writes node_modules/.package-lock.json at the end of each install; without it, or older than the lock, the packages are not those. */
export function ensurePackages() {
  checkNode();
  const packages = join(root, 'node_modules');
  // Through a link npm would empty the folder it leads to, which is another checkout's.
  if (lstatSync(packages, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const mark = join(packages, '.package-lock.json');
  if (newest(mark) >= newest(join(root, 'package-lock.json')) && existsSync(mark)) return;
  console.log('Installing packages (once, a minute or two) …');
  const { status, error } = npm(['ci', '--no-audit', '--no-fund']);
  if (error) giveUp(`npm could not be started (${error.message}). It comes with Node: https://nodejs.org`);
  if (status !== 0) giveUp('The packages could not be installed; npm’s own message is above. The first start needs a network, later ones do not.');
}

/** The app as one folder of files; built again only when a source is newer. For production also from a test runner, which sets NODE_ENV for itself. */
export function ensureBuild() {
  const built = newest(join(dist, 'index.html'));
  if (built > 0 && builtFrom.every((path) => newest(join(root, path)) <= built) && existsSync(join(dist, 'sw.js'))) return;
  console.log('Building the app …');
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', '--logLevel', 'error'], { cwd: root, stdio: 'inherit', env: { ...process.env, NODE_ENV: 'production' } });
  if (status !== 0) giveUp('The build failed; its message is above.');
}
