/** CLIP's tokenizer against its fixture: ids are exact or wrong. Where reference tokenizers differ, the one without ftfy counts. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { makeTokenizer } from '../../models/tokenizer';
import { row, worst, type Row } from './rows';

interface Cases {
  max_length: number;
  agreed: { text: string; ids: number[] }[];
  divergent: { text: string; ids_transformers_fast: number[] }[];
  concept: { token: string; cases: { text: string; ids: number[] }[] };
}

/** mergesFile: CLIP's merge list, gzipped. */
export async function tokenizerRows(dir: string, mergesFile: string): Promise<Row[]> {
  const cases = JSON.parse(await readFile(join(dir, 'tokenizer.json'), 'utf8')) as Cases;
  const merges = gunzipSync(await readFile(mergesFile)).toString('utf8');
  const plain = makeTokenizer({ merges, maxLength: cases.max_length });
  const added = makeTokenizer({ merges, maxLength: cases.max_length, added: [cases.concept.token] });
  const compare = (name: string, all: { text: string; ids: number[] }[], encode: (text: string) => number[]) =>
    row(`tokenizer ${name} (${all.length} texts)`, Math.max(...all.map(({ text, ids }) => worst(encode(text), ids))), 0);
  return [
    compare('agreed', cases.agreed, plain.encodeBare),
    compare('divergent', cases.divergent.map(({ text, ids_transformers_fast: ids }) => ({ text, ids })), plain.encodeBare),
    compare('concept', cases.concept.cases, added.encodeBare),
  ];
}
