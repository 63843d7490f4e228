/**
 * What a trajectory draws the class as: looks and places that a reference must not change (PuLID's list of prompts that reveal contamination,
 * in words of our own that the embedded base knows). All huge, so that one knows where a face stands.
 */
const scenes = [
  'a huge {} on a white background', 'a huge {} on a gray background', 'a huge {} on a beach', 'a huge {} in the snow', 'a huge {} in a city', 'a huge {} in a forest', 'a huge {} underwater', 'a huge {} in a room',
  'pencil sketch of a huge {} in a park', 'watercolor painting of a huge {} by a lake', 'pixel art of a huge {} on a blue background', 'flat illustration of a huge {} in a desert', 'sepia photo of a huge {} on a road',
  'a huge {} on a black background', 'line art of a huge {}', 'a huge {} at sunset',
];

export const sceneCaptions = (classWord: string): string[] => scenes.map((scene) => scene.replace('{}', classWord.trim() || 'woman'));
