export { otherModel, recogniseParts, type Found, type FoundPart, type PartName } from './parts';
export { KEPT_POSITIONS, planPart, type PlannedTensor } from './plan';
export { CARRIED_KEY, CARRIED_PATHS, CLIP_VOCABULARY, NEEDED, PART_LABELS, latentChannels, textsOf } from './configs';
