/**
 * npm run bench -- --node [--backend webgpu|wasm] [--only PATTERN] [--json FILE]
 * The bench in Node: WebGPU on Dawn with whatever Vulkan driver there is, or wasm. Also the whole of the bundle.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { openNodeBackend } from '../testing/nodeBackend';
import { heading, reportJson, textTable } from './report';
import { anyFailed, runBench } from './run';

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { backend: { type: 'string', default: 'webgpu' }, only: { type: 'string', default: '' }, json: { type: 'string' } } });
  if (!['webgpu', 'wasm'].includes(values.backend)) {
    console.error(`--backend takes webgpu or wasm; it is “${values.backend}”.`);
    return 2;
  }
  const compute = await openNodeBackend(values.backend as 'webgpu' | 'wasm');
  const report = await runBench(compute, { only: values.only, host: `Node ${process.versions.node}`, onRow: (row) => console.log(textTable([row]).split('\n')[1]) });
  console.log(`\n${heading(report)}\n${textTable(report.rows)}`);
  if (values.json) await writeFile(values.json, reportJson(report));
  return anyFailed(report) ? 1 : 0;
}

main().then((status) => process.exit(status), (error: unknown) => {
  console.error(error);
  process.exit(1);
});
