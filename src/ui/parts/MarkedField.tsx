/**
 * A text field that marks what it says: the concept and what only this caption says in amber, words the base does not know
 * underlined; with an autocomplete of the words it does. It wraps and grows with its text, which is one line of prose without breaks.
 * The marks are a mirror behind a real textarea, so editing stays the browser's own; the mirror gives the height.
 */
import { useId, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import { suggestions } from '../../state/words';
import { MarkedText } from './MarkedText';

interface Props {
  label: string;
  testId: string;
  value: string;
  onChange(value: string): void;
  words: readonly string[];
  vocabulary: ReadonlySet<string>;
  /** [V] and this word are marked together. */
  classWord?: string;
  /** Marks that may stand in brackets, offered after “[”; [V] alone unless told. */
  marks?: readonly string[];
  /** Piece starts of what only this text says. */
  only?: ReadonlySet<number>;
  placeholder?: string;
  readOnly?: boolean;
  onEnter?(): void;
  describedBy?: string;
  hideLabel?: boolean;
  /** What is to say about the field, in the label's own line. */
  aside?: ReactNode;
}

/** Pasted line breaks become spaces. */
const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ');

export function MarkedField({ label, testId, value, onChange, words, vocabulary, classWord = '', marks, only, placeholder = '', readOnly, onEnter, describedBy, hideLabel, aside }: Props) {
  const id = useId();
  const input = useRef<HTMLTextAreaElement>(null);
  const caretAfter = useRef<number | null>(null);
  const [open, setOpen] = useState(false);
  const [caret, setCaret] = useState(0);
  const [chosen, setChosen] = useState(-1);
  const offered = suggestions(value, caret, words, undefined, marks);
  const shown = open && !readOnly && offered.words.length > 0;

  useLayoutEffect(() => {
    if (caretAfter.current !== null) input.current?.setSelectionRange(caretAfter.current, caretAfter.current);
    caretAfter.current = null;
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
    } else if (event.key === 'Enter') {
      event.preventDefault();
      onEnter?.();
    }
  };

  return (
    <div className="field">
      <div className={hideLabel ? 'visually-hidden' : 'row'}><label htmlFor={id}>{label}</label>{aside}</div>
      <div className="marked" data-readonly={readOnly || undefined}>
        <MarkedText value={value} placeholder={placeholder} classWord={classWord} marks={marks} only={only} vocabulary={vocabulary} />
        <textarea
          ref={input} id={id} data-testid={testId} value={value} readOnly={readOnly} rows={1} autoComplete="off" spellCheck={false}
          aria-haspopup="listbox" aria-controls={`${id}-list`} aria-autocomplete="list" aria-describedby={describedBy}
          aria-activedescendant={shown && chosen >= 0 ? `${id}-${chosen}` : undefined}
          onChange={(event) => { onChange(oneLine(event.target.value)); setCaret(event.target.selectionStart ?? 0); setOpen(true); setChosen(-1); }}
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
