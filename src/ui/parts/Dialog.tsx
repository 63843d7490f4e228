/** A dialog over the page: titled, closable by Escape and by its button, focus kept inside while it is open. */
import { X } from 'lucide-react';
import { Dialog as Primitive } from 'radix-ui';
import type { ReactNode } from 'react';

interface Props {
  open: boolean;
  onClose(): void;
  title: string;
  /** `side` slides along the right edge, for long panels. */
  shape?: 'centre' | 'side';
  testId?: string;
  children: ReactNode;
}

export function Dialog({ open, onClose, title, shape = 'centre', testId, children }: Props) {
  return (
    <Primitive.Root open={open} onOpenChange={(next) => { if (!next) onClose(); }}>
      <Primitive.Portal>
        <Primitive.Overlay className="overlay" />
        <Primitive.Content className={`dialog ${shape}`} data-testid={testId} aria-describedby={undefined}>
          <header className="row">
            <Primitive.Title className="title">{title}</Primitive.Title>
            <Primitive.Close className="button icon-only" aria-label="Close"><X className="icon" aria-hidden /></Primitive.Close>
          </header>
          {children}
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}
