/**
 * CLIP's byte-pair vocabulary. Ids: 256 byte symbols, the same with the end-of-word mark, the merges in order, the start
 * and end markers. Printable bytes stand for themselves, the other 68 for U+0100, U+0101, …
 */
const END_OF_WORD = '</w>';

const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);

/** Symbol of each byte value, and the symbols in id order (printable bytes first). */
function byteSymbols(): { ofByte: string[]; inOrder: string[] } {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const others = bytes.filter((byte) => !printable(byte));
  const ofByte = bytes.map((byte) => String.fromCharCode(printable(byte) ? byte : 256 + others.indexOf(byte)));
  return { ofByte, inOrder: [...bytes.filter(printable), ...others].map((byte) => ofByte[byte]!) };
}

export interface Vocabulary {
  /** Id of a whole piece of text: its tokens after all merges. */
  pieces(text: string): number[];
  /** Tokens that end a word and consist of letters alone, without the mark; `partOfMore` where another merge ends with it. */
  endings: Map<string, { partOfMore: boolean }>;
  start: number;
  end: number;
}

/** merges: one pair a line, best first; a first line that starts with # is a heading. */
export function readVocabulary(merges: string): Vocabulary {
  const lines = merges.split('\n').filter((line, i) => line.trim() !== '' && !(i === 0 && line.startsWith('#')));
  const pairs = lines.map((line) => line.trim().split(' ') as [string, string]);
  const { ofByte, inOrder } = byteSymbols();
  const tokens = [...inOrder, ...inOrder.map((symbol) => symbol + END_OF_WORD), ...pairs.map((pair) => pair.join(''))];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const ranks = new Map(pairs.map((pair, rank) => [pair.join(' '), rank]));
  const rightParts = new Set(pairs.map(([, right]) => right));
  const endings = new Map(tokens.filter((token) => /^\p{L}+<\/w>$/u.test(token)).map((token) => [token.slice(0, -END_OF_WORD.length), { partOfMore: rightParts.has(token) }]));

  const merge = (symbols: string[]): string[] => {
    let current = symbols;
    for (;;) {
      let best = Infinity;
      for (let i = 0; i + 1 < current.length; i++) best = Math.min(best, ranks.get(`${current[i]} ${current[i + 1]}`) ?? Infinity);
      if (best === Infinity) return current;
      const [left, right] = pairs[best]!;
      const next: string[] = [];
      for (let i = 0; i < current.length; i++) {
        const joins = current[i] === left && current[i + 1] === right;
        next.push(joins ? left + right : current[i]!);
        if (joins) i++;
      }
      current = next;
    }
  };

  const cache = new Map<string, number[]>();
  return {
    endings,
    start: tokens.length,
    end: tokens.length + 1,
    pieces(text) {
      const known = cache.get(text);
      if (known) return known;
      const symbols = Array.from(new TextEncoder().encode(text), (byte) => ofByte[byte]!);
      symbols.push(symbols.pop()! + END_OF_WORD);
      const found = merge(symbols).map((symbol) => ids.get(symbol)!);
      cache.set(text, found);
      return found;
    },
  };
}
