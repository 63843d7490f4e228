import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';

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
  plugins: [tfjsWasmThreads(), react(), pwa()],
  worker: { format: 'es', plugins: () => [tfjsWasmThreads()] },
  server: { headers: isolationHeaders },
  preview: { headers: isolationHeaders, port: 4173 },
  build: { target: 'es2022', chunkSizeWarningLimit: 4000 },
});
