/** Numbers that page and session must agree on. */

/** Pictures that one concept takes. */
export const MOST_PICTURES = 20;
/** From this step of the first stage on there is something to balance and to draw. */
export const FIRST_LIVE_STEP = 25;
/** CFG scale of previews, measures and first drafts, the offline reference's. */
export const GUIDANCE = 3;
