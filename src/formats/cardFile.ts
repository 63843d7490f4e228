/**
 * A concept card as a small file: the tokens that an encoder made of pictures of a thing or a face, and the words for them. A safetensors
 * file with one tensor `object.tokens` or `identity.tokens` [n·N,dt] in half precision; no weights and no picture. It says nothing to any other base or encoder.
 */
import { Fault } from '../protocol/faults';
import { fromHalf } from './float16';
import { openSafetensors } from './safetensors';
import { writeSafetensors } from './safetensorsWriter';

/** The largest card that is written and read. */
export const MOST_CARD_BYTES = 100_000;
/** Made by the object encoder, or by the identity adapter. */
type CardKind = 'object' | 'identity';

/** The tensor of each kind. */
const TENSORS: Record<CardKind, string> = { object: 'object.tokens', identity: 'identity.tokens' };
/** So many bytes a token's number takes. */
const HALF_BYTES = 2;

/** Tokens as float16 bits, row by row; those of several pictures one after the other. */
export interface CardTokens { count: number; width: number; halves: Uint16Array }
export interface Card {
  /** Which encoder made it. */
  kind: CardKind;
  name: string;
  /** What it is in general; the prompt says it. */
  classWord: string;
  /** Pictures it was made of. */
  references: number;
  tokens: CardTokens;
  /** Which base and which encoder (SHA-256 of its file; empty where that isn't known) it belongs to. */
  base: string;
  encoder: string;
}

export const tokenBytes = ({ count, width }: Pick<CardTokens, 'count' | 'width'>): number => count * width * HALF_BYTES;

/** Fault `file-too-large`. */
export function writeCard({ kind, name, classWord, references, tokens, base, encoder }: Card): Uint8Array<ArrayBuffer> {
  const bytes = writeSafetensors({ [TENSORS[kind]]: { shape: [tokens.count, tokens.width], data: tokens.halves } }, {
    'lamina.card': kind, 'lamina.name': name, 'lamina.class': classWord, 'lamina.references': String(references), 'lamina.base': base, 'lamina.encoder': encoder,
  });
  if (bytes.byteLength > MOST_CARD_BYTES) throw new Fault('file-too-large', `This card would have ${Math.round(bytes.byteLength / 1000)} kB; up to ${MOST_CARD_BYTES / 1000} kB are kept.`, 'Make it of fewer pictures.');
  return bytes;
}

/** Of a header's metadata; null where they are no card's. */
const kindOf = (metadata: Readonly<Record<string, string>>): CardKind | null => (['object', 'identity'] as const).find((kind) => kind === metadata['lamina.card']) ?? null;

export const isCard = (metadata: Readonly<Record<string, string>>): boolean => kindOf(metadata) !== null;

const broken = (file: string, found: string) => new Fault('file-unrecognised', `“${file}” is not a concept card this app can read: ${found}.`, 'Export the card again.', { subject: file });

/** Faults: `safetensors-invalid`, `file-too-large`, `file-unrecognised`. */
export function readCard(bytes: Uint8Array, file: string): Card {
  if (bytes.byteLength > MOST_CARD_BYTES) throw new Fault('file-too-large', `“${file}” has ${Math.round(bytes.byteLength / 1000)} kB; a concept card has up to ${MOST_CARD_BYTES / 1000} kB.`, 'Choose another file.', { subject: file });
  const { header } = openSafetensors(bytes, file);
  const kind = kindOf(header.metadata);
  if (kind === null) throw broken(file, 'its header does not say so');
  const tensor = TENSORS[kind];
  const entry = Object.hasOwn(header.tensors, tensor) ? header.tensors[tensor]! : null;
  const said = (key: string, most: number) => (header.metadata[`lamina.${key}`] ?? '').replace(/\s+/g, ' ').trim().slice(0, most);
  if (!entry || Object.keys(header.tensors).length !== 1) throw broken(file, `it must hold “${tensor}” and nothing else`);
  if (entry.dtype !== 'F16' || entry.shape.length !== 2 || entry.shape.includes(0)) throw broken(file, `its tokens are ${entry.dtype} [${entry.shape.join(', ')}]`);
  const [count, width] = entry.shape as [number, number];
  // the data may begin at an odd byte
  const halves = new Uint16Array(new Uint8Array(bytes.subarray(entry.begin, entry.end)).buffer);
  if (!halves.every((half) => Number.isFinite(fromHalf(half)))) throw broken(file, 'its tokens are not all numbers');
  const references = Number(said('references', 4));
  return { kind, name: said('name', 80) || file.replace(/\.[^.]*$/, ''), classWord: said('class', 40), references: Number.isInteger(references) && references > 0 ? references : 1, tokens: { count, width, halves }, base: said('base', 100), encoder: said('encoder', 64) };
}
