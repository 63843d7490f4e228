import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

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

export default defineConfig({
  base: './',
  plugins: [tfjsWasmThreads(), react()],
  worker: { format: 'es', plugins: () => [tfjsWasmThreads()] },
  server: { headers: isolationHeaders },
  preview: { headers: isolationHeaders, port: 4173 },
  build: { target: 'es2022', chunkSizeWarningLimit: 4000 },
});
