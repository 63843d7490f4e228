import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readSample, sampleKind, sampleSets } from './samples';

const folder = new URL('../../public/', import.meta.url);
const read = (path: string) => Promise.resolve(new Response(readFileSync(new URL(path, folder))));

describe('sample sets', () => {
  it('lists what the folder holds, no more and no less', () => {
    expect(sampleSets.map(({ set }) => set).sort()).toEqual(readdirSync(new URL('concepts/', folder)).sort());
  });

  it.each(sampleSets)('reads $set with the kind and count it is listed with', async ({ set, kind, count }) => {
    const sample = await readSample({ read }, set);
    expect(sample.kind).toBe(kind);
    expect(sample.files).toHaveLength(count);
  });

  it('takes somebody up as a face where there are faces, and everything else as what it is', () => {
    expect(sampleSets.map(({ set, kind }) => sampleKind(set, kind, true))).toEqual(['instance', 'instance', 'instance', 'instance', 'person', 'style']);
    expect(sampleSets.map(({ set, kind }) => sampleKind(set, kind, false))).toEqual(sampleSets.map(({ kind }) => kind));
  });

  it('names the file that is missing', async () => {
    await expect(readSample({ read: () => Promise.resolve(new Response('', { status: 404 })) }, 'duotone')).rejects.toMatchObject({ code: 'network', message: expect.stringContaining('captions.json') as string });
  });
});
