/**
 * Captions of things that no picture of the set shows. An adapter that is held to the base on them leaves the rest of the world
 * alone (prior preservation, with captions in place of pictures). A quarter are empty, since guidance in other tools draws its null
 * through the adapter. In words that the embedded base knows; none of them is among the prompts of measuring/measure.ts.
 */
const scenes = [
  'a cat in the center on a cyan background', 'a big train in a desert', 'a red car on the left in a city', 'a penguin and a guitar in the snow',
  'three balloons on a beach', 'a sunflower in a meadow', 'watercolor painting of a boat at sunset', 'a small green umbrella on the right in a room',
  'a burger on the left and a cup on the right on a gray background', 'two crowns on a yellow background', 'pencil sketch of an elephant in a forest', 'a purple octopus at night',
  'a big tree on a white background', 'a robot at the top underwater', 'a golden fish at the bottom on a checkerboard', 'a big snowman on a black background',
];
const empty = Array.from({ length: Math.round(scenes.length / 3) }, () => '');

export const priorCaptions: readonly string[] = [...scenes, ...empty];
