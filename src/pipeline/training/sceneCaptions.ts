/**
 * What a trajectory draws the class as: looks and places that a reference must not change (PuLID's list of prompts that reveal contamination,
 * in words of our own that the embedded base knows). Among them a plain one, in which a face is best seen.
 */
const scenes = [
  'a {} on a white background', 'a big {} on a gray background', 'a {} on a beach', 'a {} in the snow', 'a {} in a city', 'a {} in a forest', 'a {} underwater', 'a {} in a room',
  'pencil sketch of a {} in a park', 'watercolor painting of a {} by a lake', 'pixel art of a {} on a blue background', 'flat illustration of a {} in a desert', 'sepia photo of a {} on a road',
  'a {} on a black background', 'line art of a {}', 'a {} at sunset',
];

export const sceneCaptions = (classWord: string): string[] => scenes.map((scene) => scene.replace('{}', classWord.trim() || 'person').replace(/\ba (?=[aeiou])/g, 'an '));
