/**
 * Captions of things that no picture of the set shows. An adapter that is held to the base on them leaves the rest of the world
 * alone (prior preservation, with captions in place of pictures). A quarter are empty, since guidance in other tools draws its null
 * through the adapter. In words that the embedded base knows; none of them is among the prompts of measuring/measure.ts, and nothing that those show is in them.
 */
const scenes = [
  'a cat in the center on a cyan background', 'a big train in a desert', 'a red car on the left in a city', 'a penguin and a guitar in the snow',
  'three balloons on a beach', 'a sunflower in a meadow', 'watercolor painting of a boat at sunset', 'a small green umbrella on the right in a room',
  'a burger on the left and a cup on the right on a gray background', 'two crowns on a yellow background', 'pencil sketch of an elephant in a forest', 'a purple octopus at night',
  'a big tree on a white background', 'a robot at the top underwater', 'a golden fish at the bottom on a checkerboard', 'a big snowman on a black background',
  // the rest of what the embedded base knows
  'a woman with red curly hair, smiling, in a park', 'a big man with a beard, wearing glasses, in a library', 'a girl with blond braids, laughing, on a beach', 'a boy with spiky hair, surprised, in a city',
  'a standing woman with a brown ponytail, wearing a blue dress, on grass', 'a huge man with black short hair, angry, on a gray background', 'a rabbit and a fox in a meadow', 'a big cow on a farm',
  'a small pig at the bottom in the mountains', 'a monkey on the left and a parrot on the right in a forest', 'an owl at night', 'two chickens on a farm', 'a big turtle underwater', 'an orange butterfly at the top in the sky',
  'a huge dragon in the mountains', 'a unicorn by a lake', 'a big cake in a kitchen', 'four donuts on a pink background', 'a strawberry on the left and a cherry on the right on a white background', 'a mushroom in the rain',
  'a bus on a road', 'an airplane at the top in the sky', 'a purple hat in the center on a stage', 'a ghost in a library', 'a ball on grass', 'a big horse in the snow', 'sepia photo of a bear in a forest', 'a panda in the center on a green background',
  'three koalas on a white background', 'a mouse in front of a cheese in a kitchen', 'a wolf at dusk in the mountains', 'a giraffe in a desert', 'a big zebra on a blue background', 'a hedgehog in a park in fog',
  'an eagle and a bat in the night sky', 'two ducks by a lake', 'a swan at sea', 'a pink flamingo on a beach', 'a snail beside a rose', 'flat illustration of a bee in a meadow', 'a ladybug on a green background', 'a spider on a black background',
  'a red crab on a beach', 'a big shark underwater', 'a whale at sea', 'a green snake in a desert', 'a dinosaur in a forest', 'a sheep on a farm while it snows', 'a deer and a squirrel in a park', 'pixel art of a camel in a desert',
  'a lemon and a pear on a checkerboard', 'a watermelon on a beach', 'a pineapple on an orange background', 'a tomato on the left in a kitchen, drawing', 'a carrot on the right in a kitchen', 'a croissant in a room', 'a huge cookie on a cyan background', 'a cupcake, line art',
  'a truck on a road at night', 'a tractor on a farm', 'a helicopter in the sky', 'a ship at sea, watercolor', 'a ufo in space', 'a tulip in a meadow', 'a cactus on a yellow background', 'a castle in the mountains at dusk',
  'a church in a city in the rain', 'a tent by a lake', 'a teddy in a room', 'a hammer and a saw on a gray background', 'a golden key on a black background', 'a blue shirt on a white background', 'a red shoe on a stage', 'a backpack in the mountains',
  'a camera on a pink background', 'a clock in a library', 'a green book in a room', 'a drum on a stage', 'a violin, sepia photo', 'a big heart on a white background', 'a star in space', 'a moon in the night sky',
  'a cloud in the sky', 'a gift in the snow', 'a golden trophy on a stage', 'a chair in a library', 'a candle at night', 'a skull in a desert', 'a green alien in space', 'a pumpkin on a farm',
];
/** The first ones, in words that every model knows, are always there; more of them where what the encoders say of one is small. */
const LEAST = 16, ROOM_BYTES = 64 << 20;

/** @param bytesEach what the encoded words of one caption take */
export function priorCaptions(bytesEach: number): readonly string[] {
  const said = scenes.slice(0, Math.max(LEAST, Math.floor((ROOM_BYTES * 0.75) / bytesEach)));
  return [...said, ...Array.from({ length: Math.round(said.length / 3) }, () => '')];
}
