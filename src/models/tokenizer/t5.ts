/**
 * T5's tokenizer from its tokenizer.json: characters are replaced by the model's own map, a mark stands for the beginning of a word,
 * words fall into pieces (unigram.ts), the end marker follows. Only what T5's file asks for is done; anything else in it is an error.
 */
import * as v from 'valibot';
import { Fault } from '../../protocol/faults';
import { count, readConfig } from '../config';
import { charactersMap } from './charactersMap';
import { segment, unigram } from './unigram';

export interface T5Tokenizer {
  /** maxLength ids: text (cut), end, padding. */
  encode(text: string): number[];
  /** The same without padding. */
  encodeBare(text: string): number[];
  /** Tokens the text takes, the end marker not counted, before any cut. */
  count(text: string): number;
  readonly end: number;
  readonly maxLength: number;
}

const id = v.pipe(v.number(), v.integer(), v.minValue(0));
/** A step before the model: its kind, and fields that depend on it. */
const step = v.nullable(v.looseObject({ type: v.string() }));
const file = v.object({
  added_tokens: v.array(v.object({ id, content: v.pipe(v.string(), v.minLength(1)) })),
  normalizer: step,
  pre_tokenizer: step,
  model: v.object({ type: v.literal('Unigram'), unk_id: id, vocab: v.pipe(v.array(v.tuple([v.string(), v.pipe(v.number(), v.finite())])), v.minLength(1)), byte_fallback: v.optional(v.literal(false)) }),
});

type Step = v.InferOutput<typeof step>;
const PATH = 'tokenizer_3/tokenizer.json';
const MARK = '▁';

const unknown = (what: string, path: string) => new Fault('base-mismatch', `${path} asks for “${what}”, which this app’s tokenizer of T5 does not do.`, 'Use the unchanged tokenizer of T5 v1.1.', { subject: path });

function normalizer(given: Step, path: string): (text: string) => string {
  if (!given) return (text) => text;
  switch (given.type) {
    case 'Sequence': {
      const all = (given['normalizers'] as Step[]).map((each) => normalizer(each, path));
      return (text) => all.reduce((sofar, each) => each(sofar), text);
    }
    case 'Precompiled': return charactersMap(String(given['precompiled_charsmap']), path);
    case 'Strip': return (text) => [...(given['strip_left'] ? [/^\s+/u] : []), ...(given['strip_right'] ? [/\s+$/u] : [])].reduce((sofar, blank) => sofar.replace(blank, ''), text);
    case 'Replace': {
      const { Regex: pattern } = given['pattern'] as { Regex?: string };
      if (pattern !== ' {2,}') throw unknown(`Replace ${JSON.stringify(given['pattern'])}`, path);
      return (text) => text.replace(/ {2,}/g, String(given['content']));
    }
    default: throw unknown(given.type, path);
  }
}

function words(given: Step, path: string): (text: string) => string[] {
  if (given?.type === 'WhitespaceSplit') return (text) => text.split(/\s+/u).filter(Boolean);
  if (given?.type === 'Sequence') {
    const all = (given['pretokenizers'] as Step[]).map((each) => words(each, path));
    return (text) => all.reduce((parts, each) => parts.flatMap(each), [text]);
  }
  const marks = given?.type === 'Metaspace' && given['replacement'] === MARK && (given['prepend_scheme'] ?? 'always') === 'always' && given['add_prefix_space'] !== false && given['split'] !== false;
  if (!marks) throw unknown(JSON.stringify(given), path);
  return (text) => {
    const marked = text.replaceAll(' ', MARK);
    return (text === '' || marked.startsWith(MARK) ? marked : MARK + marked).match(/▁?[^▁]+|▁/gu) ?? [];
  };
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** json: the file, parsed. maxLength: ids of a prompt, the end marker included. Fault `base-mismatch` names what is not T5's. */
export function makeT5Tokenizer(json: unknown, maxLength: number, path = PATH): T5Tokenizer {
  const read = readConfig(json, file, path);
  const model = unigram(read.model.vocab, read.model.unk_id);
  const [normalised, split] = [normalizer(read.normalizer, path), words(read.pre_tokenizer, path)];
  const added = new Map(read.added_tokens.map((token) => [token.content, token.id]));
  const [end, pad] = ['</s>', '<pad>'].map((content) => {
    const found = added.get(content) ?? model.pieces.get(content)?.id;
    if (found === undefined) throw unknown(`a vocabulary without ${content}`, path);
    return found;
  }) as [number, number];
  readConfig(maxLength, count, path);
  const cut = added.size > 0 ? new RegExp(`(${[...added.keys()].sort((a, b) => b.length - a.length).map(escaped).join('|')})`, 'u') : null;

  const body = (text: string): number[] => (cut ? text.split(cut) : [text]).flatMap((part) => added.get(part) ?? split(normalised(part)).flatMap((word) => segment(model, word)));
  const encodeBare = (text: string) => [...body(text).slice(0, maxLength - 1), end];
  return {
    encodeBare, end, maxLength,
    encode: (text) => {
      const ids = encodeBare(text);
      return [...ids, ...Array<number>(maxLength - ids.length).fill(pad)];
    },
    count: (text) => body(text).length,
  };
}
