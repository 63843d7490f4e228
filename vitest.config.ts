import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** On two cores both: Vitest's own choice would leave one to itself, which has nothing to do. */
const maxWorkers = Math.max(2, availableParallelism() - 1);

const tfjs = { deps: { inline: [/@tensorflow/] } };

export default defineConfig({
  ssr: { resolve: { mainFields: ['module', 'main'] } },
  test: {
    projects: [
      // the files of a worker share its modules, tfjs above all: loading those anew for each took a quarter of the time
      { extends: true, test: { name: 'unit', include: ['src/**/*.test.{ts,tsx}'], exclude: ['src/**/*.{wgsl,alone}.test.ts'], environment: 'node', server: tfjs, testTimeout: 60_000, hookTimeout: 60_000, maxWorkers, isolate: false } },
      // those that put other modules in place of some, or open a backend their own way
      { extends: true, test: { name: 'alone', include: ['src/**/*.alone.test.ts'], environment: 'node', server: tfjs, testTimeout: 60_000, hookTimeout: 60_000, maxWorkers } },
      { extends: true, test: { name: 'wgsl', include: ['src/**/*.wgsl.test.ts'], exclude: ['src/**/*.alone.wgsl.test.ts'], environment: 'node', server: tfjs, testTimeout: 120_000, pool: 'forks', maxWorkers: 2, isolate: false } },
      // those that count what the device holds, which others would have left something in
      { extends: true, test: { name: 'wgsl-alone', include: ['src/**/*.alone.wgsl.test.ts'], environment: 'node', server: tfjs, testTimeout: 120_000, pool: 'forks', maxWorkers: 2 } },
      { extends: true, test: { name: 'e2e', include: ['e2e/**/*.test.ts'], environment: 'node', globalSetup: ['e2e/build.ts'], testTimeout: 300_000, hookTimeout: 120_000, maxWorkers: 2 } },
    ],
  },
});
