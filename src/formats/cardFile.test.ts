import { describe, expect, it } from 'vitest';
import { isCard, MOST_CARD_BYTES, readCard, tokenBytes, writeCard, type Card } from './cardFile';
import { toHalf } from './float16';
import { openSafetensors } from './safetensors';
import { writeSafetensors } from './safetensorsWriter';

const card: Card = {
  kind: 'object', name: 'Monster', classWord: 'ghost', references: 2, base: 'embedded', encoder: 'ab'.repeat(32),
  tokens: { count: 4, width: 6, halves: Uint16Array.from({ length: 24 }, (_, i) => toHalf(i / 7 - 1)) },
};
const metadata = { 'lamina.card': 'object' };
const fault = (read: () => unknown) => {
  try {
    read();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
};

it('comes back as it was', () => {
  expect(readCard(writeCard(card), 'monster.safetensors')).toEqual(card);
});

it('is small: tokens in halves, words, nothing else', async () => {
  const bytes = writeCard({ ...card, tokens: { count: 32, width: 256, halves: new Uint16Array(32 * 256) } });
  expect(bytes.byteLength - tokenBytes({ count: 32, width: 256 })).toBeLessThan(600);
  const opened = openSafetensors(bytes);
  expect(opened.keys()).toEqual(['object.tokens']);
  expect(isCard(opened.header.metadata)).toBe(true);
  const [first] = await openSafetensors(writeCard(card)).read('object.tokens');
  expect(first).toBe(-1);
});

describe('what is no card is said', () => {
  const tensor = { shape: [2, 2], data: new Uint16Array(4) };
  it.each([
    ['a LoRA', 'file-unrecognised', writeSafetensors({ 'object.tokens': tensor })],
    ['another tensor beside the tokens', 'file-unrecognised', writeSafetensors({ 'object.tokens': tensor, weights: tensor }, metadata)],
    ['no tokens', 'file-unrecognised', writeSafetensors({ weights: tensor }, metadata)],
    ['whole precision', 'file-unrecognised', writeSafetensors({ 'object.tokens': { shape: [2, 2], data: new Float32Array(4) } }, metadata)],
    ['no rows', 'file-unrecognised', writeSafetensors({ 'object.tokens': { shape: [0, 2], data: new Uint16Array(0) } }, metadata)],
    ['infinite tokens', 'file-unrecognised', writeSafetensors({ 'object.tokens': { shape: [1, 2], data: Uint16Array.from([0x7c00, 0]) } }, metadata)],
    ['a file that ends early', 'safetensors-invalid', writeCard(card).slice(0, -2)],
    ['a file of another size', 'file-too-large', new Uint8Array(MOST_CARD_BYTES + 1)],
  ])('%s', (_what, code, bytes) => {
    expect(fault(() => readCard(bytes, 'x.safetensors'))).toBe(code);
  });

  it('and too many pictures are not written', () => {
    expect(fault(() => writeCard({ ...card, tokens: { count: 200, width: 256, halves: new Uint16Array(200 * 256) } }))).toBe('file-too-large');
  });
});

it('takes no words that a page could not show', () => {
  const read = readCard(writeSafetensors({ 'object.tokens': { shape: [1, 1], data: new Uint16Array(1) } }, { ...metadata, 'lamina.name': `a\nb${'x'.repeat(500)}`, 'lamina.references': '-3' }), 'thing.safetensors');
  expect(read.name).toHaveLength(80);
  expect(read.name).not.toContain('\n');
  expect(read.references).toBe(1);
  expect(readCard(writeSafetensors({ 'object.tokens': { shape: [1, 1], data: new Uint16Array(1) } }, metadata), 'thing.safetensors').name).toBe('thing');
});

it('holds a face as well, which is never taken for a thing', () => {
  const face = writeCard({ ...card, kind: 'identity' });
  expect(openSafetensors(face).keys()).toEqual(['identity.tokens']);
  expect(readCard(face, 'face.card.safetensors')).toEqual({ ...card, kind: 'identity' });
  expect(fault(() => readCard(writeSafetensors({ 'object.tokens': { shape: [1, 1], data: new Uint16Array(1) } }, { 'lamina.card': 'identity' }), 'face.safetensors'))).toBe('file-unrecognised');
});
