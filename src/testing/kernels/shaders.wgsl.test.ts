import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { internals } from '../../engine/dispatch';
import * as tf from '../../engine/tf';
import { useWebgpu } from '../backend';

const folder = join(import.meta.dirname, '../../../shaders');
const files = readdirSync(folder).filter((file) => file.endsWith('.wgsl'));

describe('shaders', () => {
  beforeAll(async () => { await useWebgpu(); });

  it.each(files)('%s compiles without a message', async (file) => {
    const module = internals(tf.backend()).device.createShaderModule({ code: readFileSync(join(folder, file), 'utf8'), label: file });
    const { messages } = await module.getCompilationInfo();
    expect(messages.map(({ lineNum, message }) => `${lineNum}: ${message}`)).toEqual([]);
  });

  it.each(files)('%s keeps to eight storage buffers, the number every adapter has', (file) => {
    expect(readFileSync(join(folder, file), 'utf8').match(/var<storage/g)?.length ?? 0).toBeLessThanOrEqual(8);
  });
});
