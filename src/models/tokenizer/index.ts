/** CLIP's byte-pair tokenizer. */
export interface TokenizerOptions {
  /** merges.txt, with or without its heading, or the used part of CLIP's merge list. */
  merges: string;
  /** Tokens of a prompt, the two markers included. */
  maxLength: number;
  /** Fills up to maxLength; the end marker by default. */
  padId?: number;
  /** Added tokens (a concept's own), ids from the vocabulary's end on. */
  added?: readonly string[];
}
export interface Tokenizer {
  /** maxLength ids: start, text (cut), end, padding. */
  encode(text: string): number[];
  /** The same without padding. */
  encodeBare(text: string): number[];
  /** Tokens the text takes, markers not counted, before any cut. */
  count(text: string): number;
  /** The whole words the vocabulary has, letters only, sorted. */
  words(): string[];
  /** Whether the word is one token of its own. */
  known(word: string): boolean;
  readonly start: number;
  readonly end: number;
  readonly maxLength: number;
}
export declare function makeTokenizer(options: TokenizerOptions): Tokenizer;
