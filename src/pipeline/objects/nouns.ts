import { PEOPLE } from '../../protocol/objects';

/** What things and people are called: words among which a picture's is guessed. A base takes those it knows. */
export const NOUNS: readonly string[] = [...PEOPLE, ...(
  'dog cat rabbit lion tiger cow pig monkey elephant frog penguin owl chicken fish turtle butterfly octopus dragon unicorn fox horse bear panda koala mouse wolf giraffe zebra hedgehog bat eagle duck swan parrot '
  + 'flamingo chick snail bee ladybug spider crab shark whale dolphin crocodile snake dinosaur sheep deer camel squirrel '
  + 'apple banana pizza burger cake donut strawberry mushroom lemon pear peach cherry grapes watermelon pineapple tomato carrot corn bread croissant cheese sandwich egg fries cookie cupcake popcorn '
  + 'cup milk wine beer juice car bus bicycle rocket airplane boat train truck taxi ambulance tractor motorcycle helicopter ship ufo tree sunflower rose tulip cactus palm flower house castle church tent '
  + 'balloon ball robot teddy kite doll skateboard hammer wrench saw axe scissors key lock pencil paintbrush broom umbrella crown hat shirt dress jeans coat shoe cap scarf sunglasses backpack '
  + 'guitar snowman ghost phone computer camera clock book bell drum violin heart star moon sun cloud rainbow fire diamond gift trophy chair bed candle lamp skull alien pumpkin'
).split(' ')];
