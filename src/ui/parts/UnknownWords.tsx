/** Says which words of a text the base has never seen; the underline in the field says where. */
import { unknownWords } from '../../state/words';
import { useStudio } from '../studio';

export function UnknownWords({ text, id }: { text: string; id?: string }) {
  const vocabulary = useStudio((state) => state.vocabulary);
  const unknown = unknownWords(text, vocabulary);
  if (unknown.length === 0) return null;
  const list = unknown.map((word) => `“${word}”`).join(', ');
  return <p className="warning" id={id}>The base does not know {list}.</p>;
}
