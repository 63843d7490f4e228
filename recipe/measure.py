"""What a base draws of what it is asked: facts read from its pictures, wholeness of the objects, FID, at several numbers of steps.

    python measure.py --base ../public/base --reader work/reader.pt --json base.json [--count 500] [--steps 4,8,28] [--student] [--smoke]

Prompts are captions that say every fact of a random scene (not chosen; a scene that the base has no word for is passed over, so that an older base is
asked only what it knows). The reader (train.py reader) answers; `drawn` is what it answers to the drawn scenes of the same prompts after the base's
autoencoder, the ceiling of every figure. FID is taken between the two sets in the space of a CLIP image tower (--eye, the base's own if not given);
it is biased upwards when N is small, so only figures of the same N compare.

    python measure.py --taming --base ../public/base --judge work/judge-objects --json taming.json --sheet taming.png [--adapters whole=FILE,without-cross=FILE] [--pictures purecc=FOLDER] [--smoke]

The object adapter on held-out objects: taming_measure.py says what its figures are.

    python measure.py --pulid --base ../public/base --networks work --json pulid.json --sheet pulid.png [--student] [--adapters "stage 3=FILE"] [--smoke]

The identity adapter on held-out people, its stages in one table: pulid_measure.py says what its figures are.
"""
import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch

import world as W
from prompts import LIKE, SAID, prompts
from pulid_measure import run_pulid
from reader import load_reader
from sampling import Base, grid
from student import load_student
from taming_measure import OBJECT, run_taming


def pixels(images):
    return torch.from_numpy(np.stack([np.asarray(im) for im in images])).permute(0, 3, 1, 2).float().div(127.5).sub(1)


@torch.no_grad()
def read(reader, images, rows, device):
    """Shares of right answers by fact, by noun, and the share of single things that look whole."""
    right, asked, nouns, whole = {}, {}, {}, []
    outs = [reader(images[i:i + 64].to(device)) for i in range(0, len(images), 64)]
    out = {k: torch.cat([o[k] for o in outs]).cpu() for k in outs[0] if k != 'tokens'}
    for i, (s, _, said) in enumerate(rows):
        facts = W.facts(s)
        there = sorted({W.SHOWN.index(t.shown) for t in s.things})
        hit = sorted(out['shown'][i].topk(len(there)).indices.tolist()) == there
        for t in s.things:
            nouns.setdefault(t.shown, []).append(hit)
        if len(s.things) == 1 and s.count == 1:
            whole.append(out['whole'][i, 0].item() > 0)
        for k in said:
            if k != 'object' and facts[k] < 0:
                continue
            if k == 'object':
                ok = hit
            else:
                value, answer = W.FACTS[k][facts[k]], W.FACTS[k][int(out[k][i].argmax())]
                ok = value == answer or (k == 'hair' and value in LIKE['short'] and answer in LIKE['short'])
            asked[k], right[k] = asked.get(k, 0) + 1, right.get(k, 0) + ok
    share = lambda x: round(float(np.mean(x)), 4)
    return {**{k: round(right[k] / asked[k], 4) for k in SAID if k in asked}, 'whole': share(whole), 'asked': {k: asked[k] for k in SAID if k in asked}, 'by_noun': {n: share(v) for n, v in sorted(nouns.items())}}


@torch.no_grad()
def fid(vision, a, b, device):
    """Fréchet distance between two sets of pictures in the embedding of a CLIP image tower."""
    e = [torch.cat([vision(x[i:i + 64].to(device)).image_embeds for i in range(0, len(x), 64)]).double().cpu() for x in (a, b)]
    (m1, c1), (m2, c2) = ((x.mean(0), torch.cov(x.t())) for x in e)
    root = torch.linalg.eigvals(c1 @ c2).real.clamp(min=0).sqrt().sum()
    return round(float((m1 - m2).pow(2).sum() + c1.trace() + c2.trace() - 2 * root), 3)


def run(a):
    torch.set_num_threads(a.threads)
    from transformers import CLIPVisionModelWithProjection
    base, world, r = Base(a.base, a.device), W.World(), random.Random(a.seed)
    vision = CLIPVisionModelWithProjection.from_pretrained((a.eye or a.base) / 'image_encoder').float().eval().to(a.device)
    reader, on_drawn = load_reader(a.reader, a.device)
    count, steps = (8, [4]) if a.smoke else (a.count, [int(s) for s in a.steps.split(',')])
    rows = prompts(base.tokenizer, count, world, r, a.people)
    with torch.no_grad():
        drawn = pixels([world.draw(s) for s, *_ in rows])
        drawn = torch.cat([base.decode((base.ae.encode(x.to(a.device)) - base.ae.config['shift_factor']) * base.ae.config['scaling_factor']).cpu() for x in drawn.split(32)])
    result = dict(base=str(a.base), count=count, seed=a.seed, guidance=a.guidance, reader_on_held_out_drawings=on_drawn, drawn=read(reader, drawn, rows, a.device))
    ways = [(f'{s} steps', base, s, a.guidance) for s in steps]
    if a.student:
        ways.append(('student', load_student(Base(a.base, a.device)), 4, 1.))
    for name, who, n, guidance in ways:
        made = who.draw([t for _, t, _ in rows], n, guidance, seed=a.seed)
        result[name] = {'fid': fid(vision, made, drawn, a.device), **read(reader, made, rows, a.device)}
        print(name, {k: v for k, v in result[name].items() if not isinstance(v, dict)}, flush=True)
        if a.sheet:
            grid(torch.cat([made[:24], drawn[:24]]), a.sheet.with_name(f'{a.sheet.stem}-{name.split()[0]}.png'), 12)
    print('drawn', {k: v for k, v in result['drawn'].items() if not isinstance(v, dict)})
    a.json.write_text(json.dumps(result, indent=1))


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--base', type=Path, required=True)
    p.add_argument('--reader', type=Path, default=Path('work/reader.pt'))
    p.add_argument('--eye', type=Path, help='base folder whose image tower measures FID; the same for all bases that are compared')
    p.add_argument('--json', type=Path, required=True)
    p.add_argument('--sheet', type=Path, help='a picture: the first 24 prompts, generated above, drawn below')
    p.add_argument('--count', type=int, default=500)
    p.add_argument('--steps', default='4,8,28')
    p.add_argument('--guidance', type=float, default=3.)
    p.add_argument('--people', type=float, default=.34, help='share of prompts of people; a base without faces gets 0 of its own accord')
    p.add_argument('--student', action='store_true', help='draw with the four-step student too')
    p.add_argument('--seed', type=int, default=77)
    p.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--smoke', action='store_true')
    p.add_argument('--taming', action='store_true', help='measure the object adapter')
    p.add_argument('--judge', type=Path, default=Path('work/judge-objects'))
    p.add_argument('--adapters', default='', help='name=file of each adapter of the table, with commas; the base\'s own if not given')
    p.add_argument('--unmasked', default='', help='names of adapters that were trained without masking, with commas: they are shown the reference with its background')
    p.add_argument('--pictures', default='', help='name=folder of pictures that something else made of the same objects and prompts')
    p.add_argument('--objects', type=int, default=24)
    p.add_argument('--prompts', type=int, default=0, help='of an adapter; 0: ten of objects, all twenty of people')
    p.add_argument('--draw-steps', type=int, default=16)
    p.add_argument('--thing', type=float, default=OBJECT, help='guidance of the object')
    p.add_argument('--pulid', action='store_true', help='measure the identity adapter')
    p.add_argument('--networks', type=Path, default=Path('work'), help='where identity/ and judge-identity/ lie, and adapters/ with the stages')
    p.add_argument('--people-count', type=int, default=100, help='held-out people')
    p.add_argument('--strength', type=float, default=1., help='weight of the identity\'s attention')
    a = p.parse_args()
    a.prompts = a.prompts or (0 if a.pulid else 10)
    (run_taming if a.taming else run_pulid if a.pulid else run)(a)
