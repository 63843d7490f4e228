/** The name of something kept. Renames on Enter or when the field is left; Escape takes the old name back. */
import { useEffect, useState } from 'react';

export function NameField({ name, testId, onRename }: { name: string; testId: string; onRename(name: string): void }) {
  const [text, setText] = useState(name);
  useEffect(() => setText(name), [name]);
  const save = () => {
    const next = text.trim();
    if (next === '') setText(name);
    else if (next !== name) onRename(next);
  };
  return (
    <input className="name" aria-label="Name" data-testid={testId} value={text} maxLength={60} spellCheck={false} onChange={(event) => setText(event.target.value)} onBlur={save}
      onKeyDown={(event) => { if (event.key === 'Enter') event.currentTarget.blur(); if (event.key === 'Escape') setText(name); }} />
  );
}
