import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';

const eslint = new ESLint({
  ruleFilter: ({ ruleId }) => ['import-x/no-restricted-paths', 'no-restricted-imports', 'no-restricted-syntax'].includes(ruleId),
  // Files made up here are in no TypeScript project.
  overrideConfig: { languageOptions: { parserOptions: { project: null } } },
});

/** What lint says of a file that holds one import; the file need not exist, what it imports must. */
async function complaints(file: string, from: string): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(`import * as other from '${from}';\nexport { other };\n`, { filePath: file });
  return result!.messages.map(({ ruleId }) => ruleId);
}

describe('the rooms of docs/architecture.md', () => {
  it.each([
    ['src/ui/made.ts', '../storage/db'], ['src/ui/made.ts', '../pipeline/training/train'], ['src/ui/made.ts', '../methods/purecc/loss'], ['src/ui/made.ts', '../methods/purecc/meta'], ['src/protocol/made.ts', '../methods'],
    ['src/state/made.ts', '../ui/App'], ['src/state/made.ts', '../engine/tf'], ['src/protocol/made.ts', '../pipeline/training/train'],
    ['src/worker/made.ts', '../state/studio'], ['src/pipeline/made.ts', '../storage/runStore'], ['src/pipeline/made.ts', '../worker/session'],
    ['src/methods/purecc/made.ts', '../../models/mmdit'], ['src/methods/purecc/made.ts', '../../pipeline/base'], ['src/models/made.ts', '../methods'],
    ['src/engine/made.ts', '../protocol/recipe'], ['src/engine/made.ts', '../models/weights'], ['src/storage/made.ts', '../pipeline/base'],
    ['src/formats/made.ts', '../protocol/recipe'], ['src/formats/made.ts', '../storage/db'], ['src/storage/made.ts', '../models/weightSource'],
  ])('%s may not import %s', async (file, from) => {
    expect(await complaints(file, from)).toContain('import-x/no-restricted-paths');
  });

  it.each([
    ['src/engine/made.ts', '../protocol/faults'], ['src/storage/made.ts', '../engine/invariant'], ['src/ui/made.ts', '../methods/metas'],
    ['src/pipeline/made.ts', '../formats/safetensors'], ['src/worker/made.ts', '../storage/db'], ['src/methods/purecc/made.ts', '../../engine/tf'],
    ['src/testing/made.ts', '../storage/db'], ['src/engine/made.test.ts', '../testing/tiny'],
  ])('%s may import %s', async (file, from) => {
    expect(await complaints(file, from)).toEqual([]);
  });

  it('tfjs has one door, and nothing of the app imports src/testing', async () => {
    expect(await complaints('src/models/made.ts', '@tensorflow/tfjs-core')).toEqual(['no-restricted-imports']);
    expect(await complaints('src/worker/made.ts', '../testing/tiny')).toContain('no-restricted-syntax');
  });
});
