/**
 * How much arithmetic one dispatch, and one submission, may be. The GPU draws the desktop too: work in one piece stops
 * everything else for as long, and systems take a device away that does not answer for about two seconds. So what is
 * long by the adapter's own measured rate goes in slices (dispatch.ts), each of them at most LONGEST_MS.
 */
const LONGEST_MS = 100;
/** After a device was lost: length may have been the reason. */
const CAREFUL_MS = 25;

/** Multiplications and additions; no limit where the rate is not known, nor on a processor, which no watchdog guards. */
export const workLimit = { flops: Infinity };

/** flopsPerMs: as measured on this adapter; null where it is not known. */
export function limitWork(flopsPerMs: number | null, careful: boolean): void {
  workLimit.flops = flopsPerMs === null ? Infinity : flopsPerMs * (careful ? CAREFUL_MS : LONGEST_MS);
}
