/** npm run bench -- --docs: makes the tables of docs/performance.md anew from docs/bench/*.json. */
import { readFileSync, writeFileSync } from 'node:fs';
import { pagePath, readReports } from './files';
import { fillPage } from './fill';

writeFileSync(pagePath, fillPage(readFileSync(pagePath, 'utf8'), readReports()));
console.log(`${pagePath} is up to date with docs/bench.`);
