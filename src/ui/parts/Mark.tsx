/** The mark: two overlapping rounded squares, blue under amber. */
export function Mark({ size, outline }: { size: number; outline?: boolean }) {
  const square = { width: 15, height: 15, rx: 3.5 };
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden className={outline ? 'mark-outline' : 'mark-solid'}>
      <rect x="1" y="1" {...square} className="under" />
      <rect x="8" y="8" {...square} className="over" />
    </svg>
  );
}
