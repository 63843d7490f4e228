import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nearestPicture, parseExample, type RecordedExample } from './example';

const example: RecordedExample = {
  version: 1, name: 'guide dog', kind: 'instance', classWord: 'dog', prompt: 'a [V] dog', basePrompt: 'a dog', seed: 42, steps: 20, guidance: 3, lambda: 0.8, adapter: 'wasm', recordedAt: '2026-01-01', baseFile: 'base.png',
  pictures: [{ balance: 2, file: '2.png' }, { balance: 0, file: '0.png' }, { balance: 1, file: '1.png' }],
};

describe('the recorded example', () => {
  it('reads what it describes, in ascending balance', () => expect(parseExample(example).pictures.map(({ balance }) => balance)).toEqual([0, 1, 2]));
  it('refuses other versions, paths and missing parts', () => {
    for (const wrong of [null, { ...example, version: 2 }, { ...example, baseFile: '../x.png' }, { ...example, pictures: [] }, { ...example, pictures: [null] }, { ...example, prompt: '' }, { ...example, lambda: 'much' }]) expect(() => parseExample(wrong)).toThrow(expect.objectContaining({ code: 'file-unrecognised', subject: 'example.json' }));
  });
  it('says which field is wrong', () => expect(() => parseExample({ ...example, pictures: [{ balance: Number.NaN, file: '0.png' }] })).toThrow('“pictures.0.balance”'));
  it('is the one of the app', () => expect(parseExample(JSON.parse(readFileSync('public/example/example.json', 'utf8'))).pictures.length).toBeGreaterThan(2));
  it('shows the nearest recorded picture', () => expect(nearestPicture(example, 1.4).file).toBe('1.png'));
});
