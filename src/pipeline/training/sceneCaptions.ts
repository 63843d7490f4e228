/**
 * What a trajectory draws the class as: looks and places that a reference must not change (PuLID's list of prompts that reveal contamination,
 * in words of our own that the embedded base knows). All big, so that one knows where a face stands.
 */
const scenes = [
  'a big {} on a white background', 'a big {} on a gray background', 'a big {} on a beach', 'a big {} in the snow', 'a big {} in a city', 'a big {} in a forest', 'a big {} underwater', 'a big {} in a room',
  'pencil sketch of a big {} in a park', 'watercolor painting of a big {} by a lake', 'pixel art of a big {} on a blue background', 'flat illustration of a big {} in a desert', 'sepia photo of a big {} on a road',
  'a big {} on a black background', 'line art of a big {}', 'a big {} at sunset',
];

export const sceneCaptions = (classWord: string): string[] => scenes.map((scene) => scene.replace('{}', classWord.trim() || 'woman'));
