/** Numbers that page and session must agree on. */

/** From this step of the first stage on there is something to balance and to draw. */
export const FIRST_LIVE_STEP = 25;
/** CFG scale of previews, measures and first drafts, the offline reference's. */
export const GUIDANCE = 3;
