/** Words → what the transformer reads, whichever text encoders a base has. */
export { clipTower } from './clipTower';
export { joinText, type Tail } from './join';
export { padded, sd3Tower, type Sd3Towers, type TowerEncoder } from './sd3Tower';
export type { EncodedTokens, TextTokens, TextTower, TowerEncodeOptions } from './tower';
