/**
 * npm test: everything that must hold, in order: types, lint, unit, wgsl, e2e. Types and lint count as one each; of the others
 * every case counts. The last line is “N passed, N failed”, and the exit status is 1 if anything failed.
 * Names after -- run only those parts: npm test -- unit e2e
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ensurePackages, giveUp, root } from './prepare.mjs';

const node = (args) => new Promise((done) => spawn(process.execPath, args, { cwd: root, stdio: 'inherit' }).on('exit', (status) => done(status === 0)));
const tool = (...path) => join(root, 'node_modules', ...path);

const whole = (ok) => ({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 });

/** Some of vitest's projects; a run that wrote no report, or failed outside its cases, counts as one failure. */
async function projects(...names) {
  const folder = await mkdtemp(join(tmpdir(), 'lamina-'));
  const report = join(folder, 'report.json');
  const ok = await node([tool('vitest', 'vitest.mjs'), 'run', ...names.flatMap((name) => ['--project', name]), '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]);
  const text = await readFile(report, 'utf8').catch(() => null);
  await rm(folder, { recursive: true, force: true });
  if (text === null) return whole(false);
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(text);
  const failing = testResults.flatMap(({ name, status, assertionResults }) => {
    const cases = assertionResults.filter((test) => test.status === 'failed').map((test) => `${relative(root, name)}: ${test.fullName}`);
    return cases.length === 0 && status === 'failed' ? [`${relative(root, name)}: outside its cases`] : cases;
  });
  return { passed: numPassedTests, failed: ok ? numFailedTests : Math.max(1, numFailedTests, failing.length), skipped: numPendingTests + (numTodoTests ?? 0), names: failing };
}

const parts = {
  types: async () => whole((await Promise.all(['dom', 'worker', 'node'].map((name) => node([tool('typescript', 'bin', 'tsc'), '-p', `tsconfig.${name}.json`])))).every(Boolean)),
  lint: async () => whole(await node([tool('eslint', 'bin', 'eslint.js'), '.'])),
  unit: () => projects('unit', 'alone'),
  wgsl: () => projects('wgsl', 'wgsl-alone'),
  e2e: () => projects('e2e'),
};

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !(name in parts));
if (unknown) giveUp(`There is no part “${unknown}”; there are ${Object.keys(parts).join(', ')}.`);
ensurePackages();
const { ensureBrowser } = await import('./browser.mjs');
await ensureBrowser();

const lines = [];
const failures = [];
const total = { passed: 0, failed: 0 };
async function run(name) {
  console.log(`\n── ${name}`);
  const started = Date.now();
  const { passed, failed, skipped, names = [] } = await parts[name]();
  total.passed += passed;
  total.failed += failed;
  failures.push(...names);
  lines.push(`${name.padEnd(6)} ${String(passed).padStart(5)} passed ${String(failed).padStart(4)} failed${skipped > 0 ? ` ${skipped} skipped` : ''}  ${((Date.now() - started) / 1000).toFixed(0)} s`);
}
const wanted = asked.length > 0 ? asked : Object.keys(parts);
// what only reads the sources has a thread a program, and goes side by side
const readers = ['types', 'lint'];
await Promise.all(wanted.filter((name) => readers.includes(name)).map(run));
for (const name of wanted) if (!readers.includes(name)) await run(name);
if (failures.length > 0) console.log(`\nFailed:\n${failures.map((name) => `  ${name}`).join('\n')}`);
console.log(`\n${lines.join('\n')}\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 ? 1 : 0);
