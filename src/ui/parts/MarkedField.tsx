/**
 * A one-line text field that marks what it says: the concept and what only this caption says in amber, words the base does not know
 * underlined; with an autocomplete of the words it does. The marks are a mirror behind a real input, so editing stays the browser's own.
 */
import { useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react';
import { suggestions, pieces } from '../../state/words';

interface Props {
  label: string;
  testId: string;
  value: string;
  onChange(value: string): void;
  words: readonly string[];
  vocabulary: ReadonlySet<string>;
  /** [V] and this word are marked together. */
  classWord?: string;
  /** Piece starts of what only this text says. */
  only?: ReadonlySet<number>;
  placeholder?: string;
  readOnly?: boolean;
  onEnter?(): void;
  describedBy?: string;
  hideLabel?: boolean;
}

export function MarkedField({ label, testId, value, onChange, words, vocabulary, classWord = '', only, placeholder, readOnly, onEnter, describedBy, hideLabel }: Props) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const mirror = useRef<HTMLDivElement>(null);
  const caretAfter = useRef<number | null>(null);
  const [open, setOpen] = useState(false);
  const [caret, setCaret] = useState(0);
  const [chosen, setChosen] = useState(-1);
  const offered = suggestions(value, caret, words);
  const shown = open && !readOnly && offered.words.length > 0;
  const unknown = (text: string) => vocabulary.size > 0 && !vocabulary.has(text.toLowerCase());

  useLayoutEffect(() => {
    if (caretAfter.current !== null) input.current?.setSelectionRange(caretAfter.current, caretAfter.current);
    caretAfter.current = null;
    if (mirror.current && input.current) mirror.current.scrollLeft = input.current.scrollLeft;
  }, [value]);

  const take = (word: string) => {
    onChange(value.slice(0, offered.from) + word + value.slice(offered.to));
    caretAfter.current = offered.from + word.length;
    setCaret(offered.from + word.length);
    setOpen(false);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (shown && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault();
      const by = event.key === 'ArrowDown' ? 1 : -1;
      setChosen((now) => (now + by + offered.words.length) % offered.words.length);
    } else if (shown && chosen >= 0 && (event.key === 'Enter' || event.key === 'Tab')) {
      event.preventDefault();
      take(offered.words[chosen]!);
    } else if (shown && event.key === 'Escape') {
      event.stopPropagation();
      setOpen(false);
    } else if (event.key === 'Enter') onEnter?.();
  };

  const parts = pieces(value);
  return (
    <div className="field">
      <label htmlFor={id} className={hideLabel ? 'visually-hidden' : undefined}>{label}</label>
      <div className="marked" data-readonly={readOnly || undefined}>
        <div className="mirror" aria-hidden ref={mirror}>
          {parts.map((piece, n) => {
            const previous = parts[n - 2];
            const ofConcept = piece.kind === 'mark' || (piece.kind === 'word' && classWord !== '' && previous?.kind === 'mark' && piece.text === classWord);
            const joined = piece.kind === 'other' && parts[n - 1]?.kind === 'mark' && parts[n + 1]?.text === classWord && classWord !== '';
            const tone = ofConcept || joined ? `mark ${piece.kind === 'mark' ? 'from' : ''} ${piece.kind === 'word' ? 'to' : ''}` : only?.has(piece.start) ? 'only' : '';
            return <span key={piece.start} className={`${tone} ${piece.kind === 'word' && unknown(piece.text) ? 'unknown' : ''}`}>{piece.text}</span>;
          })}
          {value === '' && <span className="placeholder">{placeholder}</span>}
        </div>
        <input
          ref={input} id={id} data-testid={testId} value={value} readOnly={readOnly} autoComplete="off" spellCheck={false}
          role="combobox" aria-expanded={shown} aria-controls={`${id}-list`} aria-autocomplete="list" aria-describedby={describedBy}
          aria-activedescendant={shown && chosen >= 0 ? `${id}-${chosen}` : undefined}
          onChange={(event) => { onChange(event.target.value); setCaret(event.target.selectionStart ?? 0); setOpen(true); setChosen(-1); }}
          onScroll={(event) => { if (mirror.current) mirror.current.scrollLeft = event.currentTarget.scrollLeft; }}
          onBlur={() => setOpen(false)} onKeyDown={onKeyDown}
        />
        <ul id={`${id}-list`} role="listbox" aria-label={`Words for ${label}`} className="suggestions" hidden={!shown}>
          {shown && offered.words.map((word, n) => (
            <li key={word} id={`${id}-${n}`} role="option" aria-selected={n === chosen} onPointerDown={(event) => { event.preventDefault(); take(word); }}>{word}</li>
          ))}
        </ul>
      </div>
    </div>
  );
}
