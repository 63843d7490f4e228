/** Numbers that page and session must agree on. */

/** Pictures of a large set that stand on the page as themselves; of the others it only knows that they are there. */
export const SHOWN_PICTURES = 60;
/** From this step of the first stage on there is something to balance and to draw. */
export const FIRST_LIVE_STEP = 25;
/** CFG scale of previews, measures and first drafts, the offline reference's. */
export const GUIDANCE = 3;
/** Euler steps of each measured picture, as in the offline reference. */
export const MEASURE_STEPS = 20;
