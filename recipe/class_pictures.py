"""Draws pictures of one noun without captions: what a null-text specialist learns from, and others of the same to compare with.

    python class_pictures.py --noun bicycle --out bicycles --count 100 --seed 1
    python class_pictures.py --noun bicycle --out real --count 500 --seed 2
    npm run specialist-eval -- --pictures bicycles --class bicycle --real real

One thing a picture, in the middle sizes, in the eight places that specialist-eval asks for, in turn; no style and no weather.
"""
import argparse
import random
from pathlib import Path

import world as W

PLACES = ['beach', 'snow', 'city', 'desert', 'underwater', 'room', 'forest', 'pink']


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--noun', required=True)
    p.add_argument('--out', type=Path, required=True)
    p.add_argument('--count', type=int, default=100)
    p.add_argument('--seed', type=int, default=1)
    a = p.parse_args()
    if a.noun not in W.NOUNS:
        p.error(f'the world has no noun “{a.noun}”; it has {", ".join(W.NOUNS)}')
    world, r = W.World(), random.Random(a.seed)
    a.out.mkdir(parents=True, exist_ok=True)
    for i in range(a.count):
        scene = W.Scene([W.Thing(a.noun, W.CLASSES[a.noun][1])])
        world.around(scene, r)
        scene.background, scene.style, scene.weather, scene.time = PLACES[i % len(PLACES)], '', '', ''
        scene.size = r.choice(['', 'big'])
        scene.place = 'center' if scene.size == 'big' else r.choice(list(W.PLACES))
        world.draw(scene).save(a.out / f'{i + 1:03}.png')


if __name__ == '__main__':
    main()
