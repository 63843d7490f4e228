import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin, type ResolvedConfig } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';
import { packHalfRuns } from './src/formats/halfRuns';

/** Cross-origin isolation: SharedArrayBuffer, and with it wasm threads. Hosts without headers get it from the service worker. */
export const isolationHeaders = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/**
 * tfjs-backend-wasm starts its pthread workers from the source text of its factory; a minifier turns the guarded free
 * variable `_scriptDir` in it into an unguarded one, and every pthread dies with a ReferenceError.
 */
const tfjsWasmThreads = (): Plugin => ({
  name: 'tfjs-wasm-threads',
  enforce: 'pre',
  transform(code, id) {
    if (!id.includes('tfjs-backend-wasm-threaded-simd.js')) return null;
    return { code: code.replace(/typeof _scriptDir\s*!==\s*["']undefined["']\s*&&\s*_scriptDir/g, 'false'), map: null };
  },
});

/** The built base is sent packed, in about half the bytes (src/formats/halfRuns.ts); files.json says which files, and keeps the hashes of the files themselves. */
const packedBase = (): Plugin => {
  let config: ResolvedConfig;
  return {
    name: 'packed-base',
    apply: 'build',
    configResolved: (resolved) => void (config = resolved),
    async closeBundle() {
      const dir = join(config.root, config.build.outDir, 'base');
      const list = JSON.parse(await readFile(join(dir, 'files.json'), 'utf8')) as { files: { path: string; packed?: { path: string; sizeBytes: number } }[] };
      for (const file of list.files.filter(({ path }) => path.endsWith('.safetensors'))) {
        const from = join(dir, file.path);
        const packed = packHalfRuns(new Uint8Array(await readFile(from)), file.path);
        file.packed = { path: `${file.path}.packed`, sizeBytes: packed.byteLength };
        await writeFile(`${from}.packed`, packed);
        await rm(from);
      }
      await writeFile(join(dir, 'files.json'), `${JSON.stringify(list, null, 2)}\n`);
    },
  };
};

/** Installable, and alive without a network: src/sw.ts keeps the shell. The base's weights have their own store and stay out of it. */
const pwa = () => VitePWA({
  strategies: 'injectManifest', srcDir: 'src', filename: 'sw.ts', injectRegister: false,
  injectManifest: { rollupFormat: 'iife', globPatterns: ['**/*.{html,js,css,wasm,woff2,svg,png,json,webmanifest}', 'clip/merges.txt'], globIgnores: ['base/**'], maximumFileSizeToCacheInBytes: 24 * 1024 * 1024 },
  manifest: {
    name: 'Lamina', short_name: 'Lamina', description: 'Teach a text-to-image model one new thing, on your own device.', start_url: './', scope: './', id: './', display: 'standalone',
    background_color: '#0f0f10', theme_color: '#0f0f10', categories: ['graphics', 'productivity'],
    icons: [
      { src: 'icons/mark-192.png', sizes: '192x192', type: 'image/png' }, { src: 'icons/mark-512.png', sizes: '512x512', type: 'image/png' },
      { src: 'icons/mark-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' }, { src: 'icons/mark.svg', sizes: 'any', type: 'image/svg+xml' },
    ],
  },
});

export default defineConfig({
  base: './',
  plugins: [tfjsWasmThreads(), react(), pwa(), packedBase()],
  worker: { format: 'es', plugins: () => [tfjsWasmThreads()] },
  server: { headers: isolationHeaders },
  preview: { headers: isolationHeaders, port: 4173 },
  build: { target: 'es2022', chunkSizeWarningLimit: 4000 },
});
