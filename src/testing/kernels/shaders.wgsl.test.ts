import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { internals } from '../../engine/webgpu/dispatch';
import * as tf from '../../engine/tf';
import { widened } from '../../engine/widened';
import { useWebgpu } from '../backend';

const folder = join(import.meta.dirname, '../../../shaders');
const files = readdirSync(folder).filter((file) => file.endsWith('.wgsl'));
const read = (file: string) => readFileSync(join(folder, file), 'utf8');
/** A file with the parts that its first line asks for, as the engine joins them. */
function complete(file: string): string {
  const parts = /^\/\/ needs (.+)/.exec(read(file))?.[1]?.split(' ') ?? [];
  return [...parts, file].map(read).join('');
}
const messagesOf = async (code: string, label: string) => {
  const { messages } = await internals(tf.backend()).device.createShaderModule({ code, label }).getCompilationInfo();
  return messages.map(({ lineNum, message }) => `${lineNum}: ${message}`);
};

describe('shaders', () => {
  beforeAll(async () => { await useWebgpu(); });

  it.each(files)('%s compiles without a message', async (file) => {
    expect(await messagesOf(complete(file), file)).toEqual([]);
  });

  it.each(files.filter((file) => read(file).includes('Element')))('%s compiles over four numbers, too', async (file) => {
    const { code } = widened({ name: file, code: complete(file) }, 4);
    expect(code).not.toBe(complete(file));
    expect(await messagesOf(code, file)).toEqual([]);
  });

  it.each(files)('%s keeps to eight storage buffers, the number every adapter has', (file) => {
    expect(complete(file).match(/var<storage/g)?.length ?? 0).toBeLessThanOrEqual(8);
  });
});
