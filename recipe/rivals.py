"""What learning makes of the objects and prompts of measure.py --taming: PureCC and plain LoRA on five pictures of a held-out object, or on the one that the encoder sees.

    python rivals.py --base ../public/base --out work/rivals --ways pure-5,pure-1,lora-1 --objects 24 --resume
    python measure.py --taming … --pictures pure-5=work/rivals/pure-5,pure-1=work/rivals/pure-1

A way is pure or lora (both stages of the app's preset, or one of the flow loss alone with the same number of steps) and how many pictures it sees. The five stand on backgrounds that no prompt asks for, as the one does.
Every way draws from the noises that the encoder draws from: OUT/WAY/OBJECT-PROMPT.png.
"""
import argparse
import json
import random
import time
from pathlib import Path

import torch
from PIL import Image

import purecc
import sprites as S
import world as W
from purecc import PRESET
from sampling import Base
from taming_measure import OBJECT, Bench
from words import BACKGROUNDS, STYLES, TIMES, WEATHER, article

PLACES = ['park', 'library', 'mountains', 'yellow', 'road']  # of the five pictures


def said(s, noun):
    """A scene with one thing -> its caption; everything that is not the thing is said."""
    text = article(f'{s.size} {noun}'.strip()) + ('' if s.size else ' in the center') + f' {BACKGROUNDS[s.background][0]}'
    for what, names in ((s.weather, WEATHER), (s.time, TIMES)):
        text += f' {names[what][0]}' if what else ''
    return f'{STYLES[s.style][0]} of {text}' if s.style else text


def concept_set(bench, k, count, folder):
    """Pictures and captions of held-out object k -> folder, and its class word."""
    word, sprite, r = bench.told[k].things[0].cls, bench.maker.sprites[bench.names[k]], random.Random(f'rival {k}')
    if count == 1:
        pictures = [(bench.told[k], bench.whole[k])]
    else:
        scenes = [W.Scene([W.Thing(word, 'given')], size='big' if i % 2 else '', place='center', background=PLACES[i % len(PLACES)], seed=r.randrange(1 << 30)) for i in range(count)]
        pictures = [(s, bench.maker.world.draw(s, None, {'given': sprite})) for s in scenes]
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i, (s, image) in enumerate(pictures, 1):
        image.save(folder / f'{i}.png')
        rows.append(dict(file=f'{i}.png', complete=said(s, f'[V] {word}'), base=said(s, word), target=f'[V] {word}'))
    (folder / 'captions.json').write_text(json.dumps(dict(name=S.called(bench.names[k])[0], kind='instance', classWord=word, images=rows), indent=1))
    return word


def run(a):
    torch.set_num_threads(a.threads)
    base = Base(a.base, 'cpu', eye=True)
    bench = Bench(a, base, base.vision.config.image_size)
    n, begun = len(bench.scenes), time.time()
    for way in a.ways.split(','):
        mode, count = way.split('-')
        for k in range(len(bench.names)):
            folder = a.out / way
            if a.resume and (folder / f'{k}-{n - 1}.png').exists():
                continue
            word = concept_set(bench, k, int(count), a.out / 'sets' / f'{k}-{count}')
            scenes = [W.Scene([W.Thing(word)], size=big, background=ground) for big, ground in bench.scenes]
            values = dict(PRESET, base=a.base, set=a.out / 'sets' / f'{k}-{count}', out=folder, mode=mode, seed=a.seed, threads=a.threads, short=True, draw_steps=a.draw_steps, guidance=a.guidance,
                          prompts=[said(s, f'[V] {word}') for s in scenes], noise=bench.noise[:n])
            if mode == 'lora':  # nothing is held: one stage of the flow loss, as many steps as both of PureCC's
                values.update(mode='stage1', steps1=PRESET['steps1'] + PRESET['steps2'])
            if a.smoke:
                values.update(steps1=4, steps2=4)
            images = purecc.run(argparse.Namespace(**values))
            folder.mkdir(parents=True, exist_ok=True)
            for i, im in enumerate(images.add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).numpy()):
                Image.fromarray(im).save(folder / f'{k}-{i}.png')
            print(way, k, bench.names[k], f'{time.time() - begun:.0f} s', flush=True)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--base', type=Path, required=True)
    p.add_argument('--out', type=Path, default=Path('work/rivals'))
    p.add_argument('--ways', default='pure-5,pure-1,lora-1')
    p.add_argument('--objects', type=int, default=24)
    p.add_argument('--prompts', type=int, default=10)
    p.add_argument('--draw-steps', type=int, default=16)
    p.add_argument('--guidance', type=float, default=3.)
    p.add_argument('--thing', type=float, default=OBJECT, help=argparse.SUPPRESS)
    p.add_argument('--seed', type=int, default=77)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--resume', action='store_true', help='leave out objects that are drawn')
    p.add_argument('--smoke', action='store_true')
    run(p.parse_args())
