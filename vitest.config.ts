import { defineConfig } from 'vitest/config';

const tfjs = { deps: { inline: [/@tensorflow/] } };

export default defineConfig({
  ssr: { resolve: { mainFields: ['module', 'main'] } },
  test: {
    projects: [
      { extends: true, test: { name: 'unit', include: ['src/**/*.test.{ts,tsx}'], exclude: ['src/**/*.wgsl.test.ts'], environment: 'node', server: tfjs, testTimeout: 60_000 } },
      { extends: true, test: { name: 'wgsl', include: ['src/**/*.wgsl.test.ts'], environment: 'node', server: tfjs, testTimeout: 120_000, pool: 'forks', maxWorkers: 1 } },
      { extends: true, test: { name: 'e2e', include: ['e2e/**/*.test.ts'], environment: 'node', globalSetup: ['e2e/build.ts'], testTimeout: 300_000, hookTimeout: 120_000, fileParallelism: false } },
    ],
  },
});
