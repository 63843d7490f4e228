/** docs/parity.md, written by the command itself: every row on every backend, layouts of one model put together. */
import type { Row } from './rows';

/** One run of the command. */
export interface Run { backend: string; rows: readonly Row[] }
export interface Section { heading: string; text: string; runs: readonly Run[] }

/** Neither a file's layout nor which tensor was the worst tells rows apart. */
const INCIDENTAL = / \((diffusers|original|renamed|worst [^)]+)\)/;

/** Rows of one name as one, with the largest error. */
function together(rows: readonly Row[]): Map<string, Row> {
  const all = new Map<string, Row>();
  for (const row of rows) {
    const name = row.component.replace(INCIDENTAL, '');
    const before = all.get(name);
    all.set(name, { ...row, error: Math.max(row.error, before?.error ?? 0), pass: row.pass && (before?.pass ?? true) });
  }
  return all;
}

const cell = (row: Row | undefined): string => (!row ? '' : `${row.error === 0 ? '0' : row.error.toExponential(1)}${row.pass ? '' : ' **fails**'}`);
const escaped = (text: string): string => text.replaceAll('|', '\\|').replaceAll('_', '\\_').replaceAll('*', '\\*');

function sectionText({ heading, text, runs }: Section): string {
  const tables = runs.map(({ rows }) => together(rows));
  const line = ([name, row]: [string, Row]) => `| ${escaped(name)} | ${row.tolerance === 0 ? 'exact' : row.tolerance.toExponential(1)} | ${tables.map((table) => cell(table.get(name))).join(' | ')} |`;
  const counted = runs.map(({ backend, rows }) => `${rows.filter(({ pass }) => pass).length} of ${rows.length} rows pass on ${backend}`).join(', ');
  return [`## ${heading}`, '', `${text} ${counted}.`, '', `| component | tolerance | ${runs.map(({ backend }) => backend).join(' | ')} |`, `|---|---|${'---|'.repeat(runs.length)}`, ...[...tables[0]!].map(line)].join('\n');
}

/** The whole file. */
export const docsText = (sections: readonly Section[], day: string): string => `# Parity

What \`npm run parity\` finds: our numbers against those of the public reference implementations, on tiny models with random weights
(\`fixtures/sd3\`, whose README says what made them), on the embedded base (\`fixtures/base\`) and on picture adapters (\`fixtures/adapter\`). Written by \`npm run parity -- --docs\` on ${day}.
The programs import the worker's own modules; exit status 1 if any row fails. \`--fixtures DIR\` compares with another folder of the
same layout, whatever its sizes; \`--backend wasm|webgpu|cpu\` and \`--weights f32|int8|int4\` choose.

In float32 an error is the largest absolute difference; of losses, λ and gradients relative to the largest value of their tensor.
Each tolerance has its reason beside it in src/testing/parity. Rows of one model in several file layouts (diffusers', the original one,
the original one renamed in memory by the key map) stand together with the largest error.

Of the fixtures' \`grad.weight.*\` those are compared whose weights may carry a LoRA: with A the unit matrix and B zero, B's gradient is
the weight's. The engine has no gradients of other weights (embedding layers, modulations, the second attention, norms, the last
layer): they are never trained, and their effect on every other gradient is in \`grad x\`, \`grad context\` and \`grad pooled\`.

${sections.map(sectionText).join('\n\n')}
`;
