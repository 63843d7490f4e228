/**
 * npm start: installs, builds and serves the studio, each only where needed, prints its address and opens it where there is a display.
 * --port N asks for another port than 4173, --no-open leaves the browser alone.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { dist, ensureBuild, ensurePackages, giveUp } from './prepare.mjs';
import { serve } from './server.mjs';

const { values } = parseArgs({ options: { port: { type: 'string', default: '4173' }, 'no-open': { type: 'boolean', default: false } } });
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65535) giveUp(`--port takes a number from 0 to 65535; it is “${values.port}”.`);

ensurePackages();
ensureBuild();
const { url } = await serve(dist, { port, search: true }).catch((error) => giveUp(`The studio could not be served: ${error.message}`));
console.log(`\nLamina runs at ${url}\nIt stays on this machine. Ctrl+C ends it.`);

const openers = { darwin: ['open'], win32: ['cmd', '/c', 'start', '""'], linux: ['xdg-open'] };
const display = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
const opener = openers[process.platform];
if (display && opener && !values['no-open'] && process.stdout.isTTY) {
  // Without an opener the printed address is enough.
  spawn(opener[0], [...opener.slice(1), url], { stdio: 'ignore', detached: true }).on('error', () => console.log('No browser could be opened; open the address yourself.')).unref();
}
