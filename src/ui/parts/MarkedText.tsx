/** The marks of a MarkedField: its text once more, in the same metrics, with what each piece means in colour. Hidden from screen readers. */
import { pieces } from '../../state/words';

interface Props {
  value: string;
  placeholder: string;
  classWord: string;
  /** Marks that mean something; any other is underlined. */
  marks?: readonly string[] | undefined;
  only: ReadonlySet<number> | undefined;
  vocabulary: ReadonlySet<string>;
}

export function MarkedText({ value, placeholder, classWord, marks, only, vocabulary }: Props) {
  const parts = pieces(value);
  const unknown = (text: string) => vocabulary.size > 0 && !vocabulary.has(text.toLowerCase());
  return (
    <div className="mirror" aria-hidden>
      {parts.map((piece, n) => {
        const known = marks === undefined || marks.includes(piece.text);
        const ofConcept = (piece.kind === 'mark' && known) || (piece.kind === 'word' && classWord !== '' && parts[n - 2]?.kind === 'mark' && piece.text === classWord);
        const joined = piece.kind === 'other' && parts[n - 1]?.kind === 'mark' && parts[n + 1]?.text === classWord && classWord !== '';
        const tone = ofConcept || joined ? `mark ${piece.kind === 'mark' ? 'from' : ''} ${piece.kind === 'word' ? 'to' : ''}` : only?.has(piece.start) ? 'only' : '';
        return <span key={piece.start} className={`${tone} ${(piece.kind === 'word' && unknown(piece.text)) || (piece.kind === 'mark' && !known) ? 'unknown' : ''}`}>{piece.text}</span>;
      })}
      {/* an empty text has a line's height, too */}
      {value === '' ? <span className="placeholder">{placeholder || '\u200b'}</span> : '\u200b'}
    </div>
  );
}
