/**
 * Lint, and the rooms of docs/architecture.md enforced by machine: an import that points up or back is an error whose text says why.
 * Leaves that every room may import: protocol/faults.ts and engine/invariant.ts. Tests, src/testing and src/bench may import anything.
 */
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import { importX } from 'eslint-plugin-import-x';
import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const faults = 'protocol/faults.ts';
const invariant = 'engine/invariant.ts';

/** Each room: what else of src it may import, and why no more. Paths are relative to src. */
const rooms = {
  ui: { may: ['state', 'protocol', 'formats', 'methods/fields.ts', 'methods/meta.ts', 'methods/metas.ts'], why: 'A component shows what the store holds; the worker, storage and tensors are behind the store.' },
  state: { may: ['protocol', 'formats', 'methods/fields.ts', 'methods/meta.ts', 'methods/metas.ts'], why: 'The store speaks to the worker in messages only, and runs without React or tfjs.' },
  protocol: { may: ['methods/fields.ts', 'methods/meta.ts', 'methods/metas.ts'], why: 'What crosses the thread is types and plain data, light enough for both sides.' },
  worker: { may: ['protocol', 'pipeline', 'methods', 'models', 'engine', 'storage', 'formats'], why: 'The worker owns tensors and the database; it does not know the screen.' },
  pipeline: { may: ['protocol', 'methods', 'models', 'engine', 'formats'], why: 'The pipeline computes; it neither stores nor answers messages.' },
  methods: { may: ['engine', 'protocol'], why: 'A method is equations over velocities: it never sees a model, the trainer or storage.' },
  models: { may: ['engine', 'formats'], why: 'A model takes a WeightSource and computes: it never fetches, and knows no method.' },
  engine: { may: ['formats'], why: 'The engine is below everything but the leaf of formats: float16 and packed weights have one form for files and for kernels.' },
  storage: { may: ['formats'], why: 'Storage keeps bytes and plain data, and knows nothing of what they mean.' },
  formats: { may: [], why: 'A format is bytes in, records out: it needs no room but itself.' },
};

const inEveryRoom = [faults, invariant];
const zones = Object.entries(rooms).map(([room, { may, why }]) => ({
  target: `./src/${room}`,
  from: './src',
  except: [`./${room}`, ...may.map((path) => `./${path}`), ...inEveryRoom.map((path) => `./${path}`)],
  message: why,
}));
const tests = ['**/*.test.ts', '**/*.test.tsx'];
/** What waits on the spot for the device; `data()` lets drafts and messages have their turn meanwhile. */
const draining = ['dataSync', 'arraySync', 'bytesSync', 'readSync', 'readToGPUSync'].map((property) => ({ property, message: 'Nothing drains synchronously: await data().' }));

export default tseslint.config(
  { ignores: ['dist', 'out', 'node_modules', 'public', 'recipe'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.{ts,tsx,mjs,js}'],
    plugins: { 'import-x': importX },
    settings: {
      'import-x/resolver-next': [createTypeScriptImportResolver({ project: ['tsconfig.node.json'] })],
      // Without these two no-cycle skips every TypeScript file in silence.
      'import-x/extensions': ['.ts', '.tsx', '.mjs', '.js'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts', '.tsx'] },
    },
    rules: {
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'no-empty': ['error', { allowEmptyCatch: false }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
  {
    // A promise that nobody awaits hides its error; finding one takes types, which the other rules do without.
    files: ['src/**/*.{ts,tsx}'],
    languageOptions: { parserOptions: { project: ['tsconfig.dom.json', 'tsconfig.worker.json', 'tsconfig.node.json'], tsconfigRootDir: import.meta.dirname } },
    rules: { '@typescript-eslint/no-floating-promises': 'error', '@typescript-eslint/await-thenable': 'error', '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false, checksConditionals: false }] },
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    ignores: [...tests, 'src/testing/**'],
    rules: { 'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones }] },
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    ignores: ['src/engine/**', ...tests, 'src/testing/**'],
    rules: { 'no-restricted-imports': ['error', { patterns: [{ group: ['@tensorflow/*'], message: 'tfjs comes in through src/engine/tf.ts alone.' }] }] },
  },
  { files: ['src/**/*.{ts,tsx}'], ignores: ['src/testing/**', 'src/bench/**', ...tests], rules: { 'no-restricted-syntax': ['error', { selector: "ImportDeclaration[source.value=/\\/(testing|bench)\\//]", message: 'Nothing of the app imports src/testing or src/bench.' }] } },
  { files: ['src/**/*.{ts,tsx}'], ignores: ['src/testing/**', 'src/bench/**', ...tests], rules: { 'no-restricted-properties': ['error', ...draining] } },
  { files: ['src/ui/**/*.{ts,tsx}', 'src/main.tsx'], plugins: { 'react-hooks': reactHooks }, rules: { 'react-hooks/rules-of-hooks': 'error', 'react-hooks/exhaustive-deps': 'error' } },
  { files: ['scripts/**', '*.js', '*.ts', 'e2e/**'], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
);
