/** Says which words of a text the base has never seen; the underline in the field says where. */
import { unknownWords } from '../../state/words';
import { useStudio } from '../studio';

/** The sentence, or null where all words are known. */
export function useUnknownWords(text: string): string | null {
  const vocabulary = useStudio((state) => state.vocabulary);
  const unknown = unknownWords(text, vocabulary);
  return unknown.length === 0 ? null : `The base does not know ${unknown.map((word) => `“${word}”`).join(', ')}.`;
}
