/**
 * Ownership of pictures on the UI side: the store owns every ImageBitmap it was sent and closes it when another takes its place.
 * Canvases copy what they show, so a closed bitmap leaves the old picture standing.
 */
interface Holder { bitmap: ImageBitmap }

/** Closes the old holder's bitmap unless the new one carries the same, and returns the new holder. */
export function replaceBitmap<T extends Holder | null>(old: Holder | null | undefined, next: T): T {
  if (old && old.bitmap !== next?.bitmap) old.bitmap.close();
  return next;
}

export function closeAll(holders: Iterable<Holder | null | undefined>): void {
  for (const holder of holders) holder?.bitmap.close();
}
