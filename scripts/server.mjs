/**
 * A small static server for the built app, on this machine only. It sends the two headers that give the page shared memory and
 * with it wasm threads, right MIME types, and nothing outside the folders. It does not compress: all is local.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';

const mime = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.mjs': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.json': 'application/json',
  '.wasm': 'application/wasm', '.png': 'image/png', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.txt': 'text/plain; charset=utf-8', '.webmanifest': 'application/manifest+json',
};
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp', 'Cross-Origin-Resource-Policy': 'same-origin', 'X-Content-Type-Options': 'nosniff' };
/** File names with a content hash never change; everything else is asked for again. */
const caching = (path) => (path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');

/** Where a path lies in the first of the folders that has it; null where none does. */
async function find(folders, path) {
  for (const folder of folders) {
    const file = normalize(join(folder, path));
    const found = file.startsWith(folder + sep) ? await stat(file).catch(() => null) : null;
    if (found?.isFile()) return { file, size: found.size };
  }
  return null;
}

async function answer(folders, request, response) {
  if (request.method !== 'GET' && request.method !== 'HEAD') return response.writeHead(405, headers).end();
  let path;
  try {
    path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
  } catch {
    return response.writeHead(400, headers).end('This address cannot be read.');
  }
  const found = await find(folders, path.endsWith('/') ? `${path}index.html` : path);
  if (found === null) return response.writeHead(404, { ...headers, 'Content-Type': 'text/plain' }).end('There is no such file.');
  response.writeHead(200, { ...headers, 'Content-Type': mime[extname(found.file)] ?? 'application/octet-stream', 'Content-Length': found.size, 'Cache-Control': caching(path) });
  if (request.method === 'HEAD') return response.end();
  createReadStream(found.file).on('error', () => response.destroy()).pipe(response);
}

/**
 * Serves a folder, or several, of which the first that has a file gives it. Port 0 takes any free port; with `search`, a taken port leads to the next.
 * @param {string | string[]} folder @param {{ port?: number; search?: boolean }} [options]
 * @returns {Promise<{ url: string; port: number; close(): Promise<void> }>}
 */
export function serve(folder, { port = 0, search = false } = {}) {
  const folders = [folder].flat().map((one) => normalize(one).replace(/[/\\]$/, ''));
  const server = createServer((request, response) => void answer(folders, request, response));
  return new Promise((opened, failed) => {
    server.on('error', (error) => {
      if (search && error.code === 'EADDRINUSE' && port < 65535) server.listen(++port, 'localhost');
      else failed(error);
    });
    server.on('listening', () => {
      const { port: taken } = server.address();
      const close = () => new Promise((closed) => { server.close(() => closed()); server.closeAllConnections(); });
      opened({ url: `http://localhost:${taken}/`, port: taken, close });
    });
    server.listen(port, 'localhost');
  });
}
