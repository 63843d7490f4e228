/** docs/performance.md and the reports beside it, on disk. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '../row';
import { machines, type Reports } from './fill';

export const pagePath = join('docs', 'performance.md');

/** Reports by file name; a machine that has none is left out. From the project's folder. */
export function readReports(folder = join('docs', 'bench')): Reports {
  const present = machines.map(({ file }) => file).filter((file) => existsSync(join(folder, file)));
  return Object.fromEntries(present.map((file) => [file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as Report]));
}
