/** The unigram model of sentencepiece: a word falls into the pieces whose scores, log probabilities, have the largest sum. */
export interface Unigram {
  pieces: ReadonlyMap<string, { id: number; score: number }>;
  /** Code points of the longest piece. */
  longest: number;
  unknown: { id: number; score: number };
}

/** What a character outside the vocabulary costs beyond the worst piece. */
const UNKNOWN_PENALTY = 10;

/** vocabulary: pieces with scores, by id. */
export function unigram(vocabulary: readonly (readonly [string, number])[], unknownId: number): Unigram {
  const pieces = new Map<string, { id: number; score: number }>();
  let [longest, least] = [1, Infinity];
  vocabulary.forEach(([piece, score], id) => {
    pieces.set(piece, { id, score });
    longest = Math.max(longest, [...piece].length);
    least = Math.min(least, score);
  });
  return { pieces, longest, unknown: { id: unknownId, score: least - UNKNOWN_PENALTY } };
}

interface Node { score: number; from: number; id: number }

/** Ids of a word's pieces. Neighbouring unknown characters are one piece. */
export function segment({ pieces, longest, unknown }: Unigram, word: string): number[] {
  const characters = [...word];
  /** Best way to each place between characters. */
  const best: (Node | undefined)[] = [{ score: 0, from: -1, id: -1 }];
  characters.forEach((_character, from) => {
    const { score } = best[from]!;
    const offer = (to: number, id: number, gain: number) => {
      const before = best[to];
      if (!before || score + gain > before.score) best[to] = { score: score + gain, from, id };
    };
    let piece = '';
    let known = false;
    for (let to = from + 1; to <= Math.min(characters.length, from + longest); to++) {
      piece += characters[to - 1]!;
      const found = pieces.get(piece);
      if (!found) continue;
      offer(to, found.id, found.score);
      known ||= to === from + 1;
    }
    if (!known) offer(from + 1, unknown.id, unknown.score);
  });
  const ids: number[] = [];
  for (let at = characters.length; at > 0; at = best[at]!.from) {
    const { id } = best[at]!;
    if (id !== unknown.id || ids[0] !== id) ids.unshift(id);
  }
  return ids;
}
