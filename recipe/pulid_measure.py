"""The identity adapter on people that no training has seen: the table of measure.py --pulid.

    identity     cosine, by the network that only judges, of the drawn head to the head of the reference; on one plain portrait a person, as PuLID's protocol has it
    other looks  the same to the mean of other pictures of the person: what copying the reference does not raise
    everywhere   the first on all prompts, styles too; of the places where a person of the prompt's size may stand, the most alike
    clip_t       cosine of picture and prompt by the base's CLIP towers
    similarity   cosine, by the image tower, of the pictures with and without identity of the same prompt and noise (the paper's CLIP-I of its table)
    changed      mean difference of their pixels outside the head's place, of the whole range
Beside the adapters stand `base` (without identity: floor of identity, and what clip_t would be) and `drawn` (true drawings of the person after the autoencoder: ceiling of identity).
"""
import json
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import adapter as A
import identity as I
import people as P
import portraits
import world as W
from pairs import Speaker
from portrait_words import HUGE
from sampling import Base, grid
from student import STEPS, load_student
from words import article

# category, size, standing, what follows the word, style before it
PROMPTS = [
    ('clothing', 'big', False, ', wearing a yellow hoodie, in a park', ''), ('clothing', 'huge', False, ', wearing a black suit, on a stage', ''), ('clothing', 'big', False, ', wearing a green sweater, in a library', ''),
    ('accessory', 'big', False, ', wearing glasses, in a kitchen', ''), ('accessory', 'huge', False, ', wearing a blue cap, on a beach', ''), ('accessory', 'big', False, ', wearing a crown, in a room', ''),
    ('action', 'huge', False, ', laughing, in a city', ''), ('action', 'big', False, ', winking, on a farm', ''), ('action', 'big', False, ', sleeping, on a blue background', ''),
    ('attribute', 'huge', False, ' with pink hair in a room', ''), ('attribute', 'big', False, ', angry, on a road', ''),
    ('view', '', False, ' in the mountains', ''), ('view', 'big', True, ' by a lake', ''),
    ('background', 'big', False, ' underwater', ''), ('background', 'big', False, ' in the snow', ''), ('background', 'huge', False, ' in space', ''),
    ('style', 'big', False, ' in a forest', 'pixel art'), ('style', 'huge', False, ' in a city', 'pencil sketch'), ('style', 'big', False, ' at sunset', 'watercolor painting'),
    ('complex', 'big', False, ', smiling, wearing sunglasses and an orange hat, in a desert at dusk', ''),
]
PORTRAIT = ('portrait', 'huge', False, ' on a gray background', '')
SCENES = [0, 5, 6, 13, 16, 19]  # of the sheet
SEEDS = 4                       # noises of a prompt, in turn over the people


def prompt(word, row):
    _, size, standing, after, style = row
    text = article(' '.join(x for x in (size, 'standing' if standing else '', word) if x)) + after
    return f'{style} of {text}' if style else text


def places(row):
    """Squares of a bust whose head would lie where the person's may."""
    side, thirds = W.PEOPLE_SQUARES[row[1]]
    return [portraits.head_square((x, W.SIZE - side, side), row[2]) for x in thirds[1]]


def cut(images, square):
    a, b, c, d = I.head_box(square)
    return F.interpolate(images[:, :, b:d, a:c], size=I.SIDE, mode='bilinear', antialias=True)


class Bench:
    """Held-out people, their references, prompts and noises; the same for every adapter."""

    def __init__(self, a, base, who):
        self.a, self.base, say = a, base, Speaker(base.tokenizer)
        self.world, size = W.World(backgrounds_each=2 if a.smoke else 12), base.vision.config.image_size
        self.people = [P.identity(i) for i in P.HELD_OUT_IDENTITIES[:a.people_count]]
        self.prompts = [PORTRAIT, *PROMPTS[:a.prompts]]
        self.reference, self.heads, grey, looks, self.drawn = [], [], [], [], []
        for one in self.people:
            r = random.Random(f'{a.seed} {one.id}')
            scenes = [portraits.scene_of(one, self.world, r, say, style=0., plain=True) for _ in range(2 if a.smoke else 6)]
            images = [self.world.draw(s) for s in scenes]
            squares = [s.squares[0][1:] for s in scenes]
            self.reference.append(np.array(images[0]))
            grey.append(portraits.grey_head(images[0], portraits.head_mask(one, scenes[0].things[0].look, squares[0]), size))
            self.heads.append(I.head_crop(images[0], squares[0]))
            looks.append([I.head_crop(im, s) for im, s in zip(images[1:], squares[1:])])
            plain = W.Scene([W.Thing(one.word, who=one, look=P.Look())], size='huge', place='center', background='gray')
            self.drawn.append(np.array(self.world.draw(plain, random.Random(1))))
        x = I.pixels(np.stack(grey)[..., None].repeat(3, -1), base.device)
        with torch.no_grad():
            self.hidden_of = lambda read: A.see(base.vision, x, read)
            self.who = who(I.pixels(np.stack(self.heads), base.device))
        self.looks = np.array(looks)
        self.rows = [(i, j, prompt(one.word, row)) for i, one in enumerate(self.people) for j, row in enumerate(self.prompts)]
        unknown = [text for *_, text in self.rows if not say.knows(text)]
        if unknown:
            raise SystemExit(f'This base has no words for "{unknown[0]}": measure one of version 3.')
        self.noises = [base.noise(len(self.prompts), a.seed + k) for k in range(SEEDS)]

    def noise(self, rows):
        return torch.stack([self.noises[i % SEEDS][j] for i, j, _ in rows])

    @torch.no_grad()
    def tokens(self, adapter):
        """-> tokens of everybody [people,N,·], and of nobody [1,N,·]."""
        hidden, seen = self.hidden_of(adapter.read)
        none, _ = A.see(self.base.vision, torch.zeros(1, 3, *[self.base.vision.config.image_size] * 2, device=hidden.device), adapter.read)
        who = torch.cat([self.who, seen], 1)
        return adapter.encode(hidden, who), adapter.encode(none, torch.zeros_like(who[:1]))

    @torch.no_grad()
    def draw(self, rows, adapter=None, tokens=None, nobody=None):
        """v(none, nobody) + guidance [v(words, who) - v(none, nobody)]; without an adapter the base's own. The student asks once a step."""
        base, a, out = self.base, self.a, []
        for k in range(0, len(rows), 24):
            part = rows[k:k + 24]
            (context, pooled), (none, nothing), x = base.read([t for *_, t in part]), base.read(['']), self.noise(part)
            asked = None if tokens is None else tokens[[i for i, *_ in part]]
            sigmas = torch.linspace(1, 0, a.draw_steps + 1).tolist()
            for now, then in zip(sigmas, sigmas[1:]):
                s = torch.full((len(x),), now, device=x.device)
                ask = lambda c, p, t: A.velocity(base.dit, adapter, {}, x, c, p, s, t, **({'weight': a.strength} if t is not None else {})) if adapter else base.dit(x, c, p, s * 1000)
                v = ask(context, pooled, asked)
                if not a.student:
                    v0 = ask(none.expand_as(context), nothing.expand_as(pooled), None if tokens is None else nobody.expand(len(x), -1, -1))
                    v = v0 + a.guidance * (v - v0)
                x = x + (then - now) * v
            out.append(base.decode(x))
        return torch.cat(out)

    @torch.no_grad()
    def without(self):
        """The base's pictures of all rows; those of the same prompt and noise are drawn once."""
        keys = [(t, i % SEEDS) for i, _, t in self.rows]
        first = {k: n for n, k in reversed(list(enumerate(keys)))}
        order = sorted(first.values())
        made = self.draw([self.rows[n] for n in order])
        at = {keys[n]: k for k, n in enumerate(order)}
        return made[[at[k] for k in keys]]


@torch.no_grad()
def measured(bench, judge, images, without):
    base, n = bench.base, len(bench.prompts)
    reference = judge(I.pixels(np.stack(bench.heads), base.device))
    looks = F.normalize(torch.stack([judge(I.pixels(x, base.device)) for x in bench.looks]).mean(1), dim=-1)
    images_of, without_of = images.view(len(bench.people), n, *images.shape[1:]), without.view(len(bench.people), n, *images.shape[1:])
    alike, changed = [], []
    for j, row in enumerate(bench.prompts):
        found = torch.stack([judge(cut(images_of[:, j], square)) for square in places(row)])
        alike.append(((found * reference).sum(-1).max(0).values, (found * looks).sum(-1).max(0).values))
        outside = torch.ones(W.SIZE, W.SIZE, device=images.device)
        for square in places(row):
            a, b, c, d = I.head_box(square)
            outside[b:d, a:c] = 0
        changed.append((((images_of[:, j] - without_of[:, j]).abs().mean(1) / 2 * outside).sum((1, 2)) / outside.sum()))
    view = lambda x: torch.cat([A.see(base.vision, p, [1])[1] for p in x.split(64)])
    mine = view(images)
    words = F.normalize(torch.cat([base.read([t for *_, t in bench.rows[k:k + 128]])[1] for k in range(0, len(bench.rows), 128)]), dim=-1)
    asked = torch.tensor([j > 0 for _, j, _ in bench.rows])  # the portrait measures identity alone
    clip_t, similarity = (mine * words).sum(-1)[asked], (mine * view(without)).sum(-1)[asked]
    kinds = {}
    for (_, j, _), t, s in zip([x for x in bench.rows if x[1]], clip_t.tolist(), similarity.tolist()):
        kinds.setdefault(bench.prompts[j][0], []).append((t, s))
    share = lambda x: round(float(x), 4)
    return {'identity': share(alike[0][0].mean()), 'other looks': share(alike[0][1].mean()), 'everywhere': share(torch.stack([x for x, _ in alike[1:]]).mean()), 'clip_t': share(clip_t.mean()),
            'similarity': share(similarity.mean()), 'changed': share(torch.stack(changed[1:]).mean()), 'by_kind': {k: [share(x) for x in np.mean(v, 0)] for k, v in kinds.items()},
            'identity_by_person': [share(x) for x in alike[0][0]]}


def run_pulid(a):
    """JSON with a row an adapter; sheets of the first 12 held-out people (reference, then six scenes), not chosen."""
    torch.set_num_threads(a.threads)
    a.people_count, a.prompts, a.draw_steps = (3, 2, 2) if a.smoke else (a.people_count, a.prompts or len(PROMPTS), STEPS if a.student else a.draw_steps)
    base = Base(a.base, a.device, eye=True)
    base = load_student(base) if a.student else base
    judge, who = (portraits.network(cls, a.networks / name, a.device) for cls, name in ((I.Judge, 'judge-identity'), (I.Encoder, 'identity')))
    bench = Bench(a, base, who)
    found = {n: a.networks / f'adapters/{f}.safetensors' for n, f in (('stage 1', 'pulid-1'), ('+ naive identity loss', 'pulid-2-naive'), ('stage 2', 'pulid-2'), ('stage 3', 'pulid-3'), ('stage 3, teacher-forced', 'pulid-3-teacher-forced'))}
    adapters = {n: Path(f) for n, f in (x.split('=') for x in a.adapters.split(','))} if a.adapters else {n: f for n, f in found.items() if f.exists()}
    if not adapters:
        raise SystemExit('There is no adapter to measure: train pulid-1 first, or name files with --adapters.')
    result = dict(base=str(a.base), people=len(bench.people), prompts=[prompt('woman', row) for row in bench.prompts], seed=a.seed, steps=a.draw_steps, guidance=1. if a.student else a.guidance, student=a.student,
                  strength=a.strength, identity_by=json.loads((a.networks / 'judge-identity/config.json').read_text()), table={})
    without = bench.without()

    def add(name, images):
        result['table'][name] = row = measured(bench, judge, images, without)
        print(name, {k: v for k, v in row.items() if not isinstance(v, (dict, list))}, flush=True)
        if a.sheet:
            n, scenes = len(bench.prompts), [j + 1 for j in SCENES if j + 1 < len(bench.prompts)]
            rows = [x for i in range(min(12, len(bench.people))) for x in (I.pixels(bench.reference[i][None], 'cpu'), images[[i * n + j for j in scenes]].cpu())]
            grid(torch.cat(rows), a.sheet.with_name(f'{a.sheet.stem}-{name.replace(" ", "-").replace(",", "").replace("+-", "")}.png'), len(scenes) + 1)
        a.json.write_text(json.dumps(result, indent=1))

    with torch.no_grad():
        x = I.pixels(np.stack(bench.drawn), a.device)
        x = base.decode((base.ae.encode(x) - base.ae.config['shift_factor']) * base.ae.config['scaling_factor'])
        reference = judge(I.pixels(np.stack(bench.heads), a.device))
        result['table']['drawn'] = dict(identity=round(float((judge(cut(x, HUGE)) * reference).sum(-1).mean()), 4))
        print('drawn', result['table']['drawn'], flush=True)
    add('base', without)
    for name, path in adapters.items():
        adapter, _, tuned = A.load(path, base.dit)
        assert adapter.kind == 'identity' and not tuned
        tokens, nobody = bench.tokens(adapter.to(a.device))
        add(name, bench.draw(bench.rows, adapter, tokens, nobody))
