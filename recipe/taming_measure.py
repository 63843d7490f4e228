"""The object adapter on objects that no training has seen: the judge of identity (a stage of train.py) and the tables of measure.py --taming.

    identity   cosine, by the judge, of each picture's object to the true drawing of it in the same scene
    named      the true drawing nearest to it, among all held-out objects, is its own
    text       the picture's background is the one asked for, among those of the prompts (reader where there is one, else the base's image tower)
    copy       how much more the whole picture is like the reference picture than the true drawing in the asked-for scene is (the tower's layers, averaged over places); 0: copies nothing
Beside the adapters stand `drawn` (true drawings after the autoencoder), `base` (no tokens) and `pasted` (the reference crop put on a picture of the background): ceiling, floor, and what copying gives.
"""
import json
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

import adapter as A
import pairs
import sprites as S
import world as W
from identity import Encoder, contrastive
from pairs import CROP, GROUP, Maker
from sampling import Base, grid
from taming import average_view
from words import BACKGROUNDS, article

SCENES = [('big', 'beach'), ('', 'city'), ('big', 'snow'), ('', 'grass'), ('big', 'underwater'), ('big', 'night'), ('', 'desert'), ('big', 'room'), ('', 'forest'), ('big', 'white')]
TEXT, OBJECT = 3., 2.  # guidance of the words and of the object


# ------------------------------------------------------------ the judge

def judge_objects(a):
    """A convolutional net that tells objects apart: no part of the encoder, another loss, only objects to train on -> work/judge-objects. Backgrounds are seen half the time."""
    torch.manual_seed(3)
    crops, about = np.load(a.work / 'object-crops.npy', mmap_mode='r'), json.loads((a.work / 'objects.json').read_text())
    held, groups = about['held'], (about['objects'] - about['held']) // GROUP
    model, r = Encoder().to(a.device), np.random.default_rng(0)
    opt = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=.02)
    minutes, start, step, batch = (.2, time.time(), 0, 16) if a.smoke else (a.minutes, time.time(), 0, 64)
    while (done := (time.time() - start) / (minutes * 60)) < 1:
        step += 1
        for g in opt.param_groups:
            g['lr'] = 1e-3 * min(1, step / 100) * max(.02, 1 - done)
        which = r.choice(groups, min(batch, groups), replace=False)
        first = held + which * GROUP
        one = r.integers(0, GROUP, len(which))
        rows = np.concatenate([first + one, first + (one + r.integers(1, GROUP, len(which))) % GROUP])
        x = seen_crops(crops[rows], a.device, r.random(len(rows)) < .5)
        loss = contrastive(model(x + .05 * torch.randn_like(x)), torch.from_numpy(np.tile(which, 2)).to(a.device))
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        if step % 50 == 0:
            print(f'judge {step} {time.time() - start:.0f}s loss {loss.item():.3f}', flush=True)
    model.eval()
    with torch.no_grad():
        rows = np.arange(min(held, (len(about['held_objects']) + len(about['held_classes'])) * GROUP) // GROUP) * GROUP
        e = [model(seen_crops(crops[rows + k], a.device, np.ones(len(rows), bool))) for k in range(GROUP)]
        rank = float(torch.cat([(x @ e[0].t()).argmax(1) == torch.arange(len(rows), device=a.device) for x in e[1:]]).float().mean())
    folder = a.work / 'judge-objects'
    folder.mkdir(exist_ok=True)
    save_file({k: v.cpu().half().contiguous() for k, v in model.state_dict().items()}, folder / 'model.safetensors', metadata={'format': 'pt'})
    (folder / 'config.json').write_text(json.dumps({**model.config, '_class_name': 'ObjectJudge', 'held_out': len(rows), 'rank_1': rank, 'steps': step}, indent=2))
    print(f'judge-objects: {step} steps; on {len(rows)} objects never seen, backgrounds and all: rank 1 {rank:.3f}')


def seen_crops(rows, device, grounds):
    """Crops [B,64,64,4] u8 -> pixels [B,3,64,64]; grounds [B]: leave the background."""
    x = torch.from_numpy(np.ascontiguousarray(rows)).to(device).permute(0, 3, 1, 2).float()
    rgb, a = x[:, :3] / 127.5 - 1, x[:, 3:] / 255
    return torch.where(torch.from_numpy(grounds).to(device)[:, None, None, None], rgb, rgb * a)


# ------------------------------------------------------------ drawing with tokens

@torch.no_grad()
def guided(base, adapter, switch, prompts, tokens, noise, steps=16, text=TEXT, thing=OBJECT, **options):
    """v(none, none) + text [v(words, none) - v(none, none)] + thing [v(words, tokens) - v(words, none)]; tokens [B,N,·] -> latents. The first two are the base's own."""
    (context, pooled), (none, nothing), x, n = base.read(prompts), base.read(['']), noise, len(prompts)
    both = torch.cat([none.expand_as(context), context]), torch.cat([nothing.expand_as(pooled), pooled])
    sigmas = torch.linspace(1, 0, steps + 1).tolist()
    for now, then in zip(sigmas, sigmas[1:]):
        s = torch.full((n,), now, device=x.device)
        v0, vc = base.dit(torch.cat([x, x]), *both, s.repeat(2) * 1000).chunk(2)
        v = v0 + text * (vc - v0)
        if tokens is not None and thing:
            v = v + thing * (A.velocity(base.dit, adapter, switch, x, context, pooled, s, tokens, **options) - vc)
        x = x + (then - now) * v
    return x


class Bench:
    """Held-out objects, their references, prompts and true drawings; the same for every adapter."""

    def __init__(self, a, base, size):
        self.a, self.base = a, base
        self.maker = Maker(base.tokenizer, 12)
        say, r = self.maker.say, random.Random(a.seed)
        names = [*self.maker.held, *self.maker.classes][:a.objects]
        scenes = [(s, b) for s, b in SCENES if say.knows(f'{s} {BACKGROUNDS[b][0]}')][:a.prompts]
        self.names, self.scenes, self.rows = names, scenes, []
        self.references, self.unmasked, self.whole, self.told, self.crops, drawn = [], [], [], [], [], []
        for name in names:
            sprite, (noun, kind) = self.maker.sprites[name], S.called(name)
            word = say.name(noun, kind, r)
            while True:  # the reference: the object alone in a scene of any style
                s = self.maker.scene(word, r, True)
                if s and s.background not in [b for _, b in scenes]:
                    break
            picture = self.maker.world.draw(s, r, {'given': sprite}, masks=True)
            seen, crop, _ = pairs.tower_crop(picture, s.masks[0], size)
            self.unmasked.append(pairs.tower_crop(picture, s.masks[0], size, masking=False)[0])
            self.whole.append(picture), self.told.append(s), self.references.append(seen), self.crops.append(crop)
            for big, ground in scenes:
                t = W.Scene([W.Thing(word, 'given')], size=big, place='center', background=ground, seed=r.randrange(1 << 30))
                text = f'{article(" ".join(x for x in (big, word) if x))}{"" if big else " in the center"} {BACKGROUNDS[ground][0]}'
                self.rows.append((name, text, ground, t))
                drawn.append(np.asarray(self.maker.world.draw(t, None, {'given': sprite})))
        self.prompts = [text for _, text, *_ in self.rows]
        with torch.no_grad():
            self.drawn = torch.cat([base.decode(self.encode(x)) for x in to_pixels(drawn).split(32)])
        self.owner = np.repeat(np.arange(len(names)), len(scenes))
        self.noise = torch.cat([base.noise(len(scenes), a.seed)] * len(names))  # the same noise for a prompt whatever the object

    def encode(self, pixels):
        return (self.base.ae.encode(pixels) - self.base.ae.config['shift_factor']) * self.base.ae.config['scaling_factor']

    def pasted(self):
        """What copying gives: the reference crop on a picture of the background."""
        out = []
        for (_, _, ground, t), who in zip(self.rows, self.owner):
            im = self.maker.world.bank[ground][0].copy()
            side = {'big': 112, '': 80}[t.size]
            crop = Image.fromarray(self.crops[who]).resize((side, side), Image.BILINEAR)
            im.paste(crop.convert('RGB'), ((W.SIZE - side) // 2,) * 2, crop.getchannel('A'))
            out.append(np.asarray(im))
        return to_pixels(out)

    @torch.no_grad()
    def draw(self, adapter, switch, tokens, batch=24):
        which = torch.from_numpy(self.owner)
        parts = [slice(i, i + batch) for i in range(0, len(self.rows), batch)]
        return torch.cat([self.base.decode(guided(self.base, adapter, switch, self.prompts[p], None if tokens is None else tokens[which[p]], self.noise[p], self.a.draw_steps, self.a.guidance, self.a.thing)) for p in parts])

    def pictures(self, folder):
        """Pictures that something else made of the same prompts: OBJECT-PROMPT.png, both counted from 0."""
        return to_pixels([np.asarray(Image.open(folder / f'{who}-{i % len(self.scenes)}.png').convert('RGB').resize((W.SIZE, W.SIZE))) for i, who in enumerate(self.owner)])


def to_pixels(images):
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div(127.5).sub(1)


@torch.no_grad()
def measured(bench, judge, reader, images):
    """Pictures [rows] -> the figures of the table."""
    base, a, n = bench.base, bench.a, len(bench.scenes)

    def faces(x):  # the middle of the picture, as much as the object of that size takes up
        out = []
        for (_, _, _, t), im in zip(bench.rows, x):
            k = {'big': 0, '': 16}[t.size]
            out.append(F.interpolate(im[None, :, k:W.SIZE - k, k:W.SIZE - k], size=CROP, mode='bilinear', antialias=True))
        return torch.cat([judge(o) for o in torch.cat(out).split(64)])

    mine, true = faces(images), faces(bench.drawn)
    by_scene = lambda e: e.view(len(bench.names), n, -1).transpose(0, 1)  # a prompt's pictures side by side
    near = (by_scene(mine) @ by_scene(true).transpose(1, 2)).argmax(-1) == torch.arange(len(bench.names))
    grounds = [b for _, b in bench.scenes]
    want = torch.tensor([grounds.index(b) for _, _, b, _ in bench.rows])
    if reader is not None:
        told = torch.cat([reader(x)['background'] for x in images.split(64)])[:, [W.FACTS['background'].index(b) for b in grounds]].argmax(1)
    else:
        words = F.normalize(base.read([f'{article(t.things[0].cls)} {BACKGROUNDS[b][0]}' for (_, _, _, t) in bench.rows for b in grounds])[1], dim=-1).view(len(bench.rows), len(grounds), -1)
        look = torch.cat([A.see(base.vision, x, [1])[1] for x in images.split(64)])
        told = (words @ look[..., None])[..., 0].argmax(1)
    layers = list(range(1, base.vision.config.num_hidden_layers + 1))
    view = lambda x: torch.cat([average_view(A.see(base.vision, p, layers)[0]) for p in x.split(64)])
    reference = view(to_pixels([np.asarray(p) for p in bench.whole]))[bench.owner]
    near_reference = lambda x: (view(x) * reference).sum(-1).mean(-1)
    out = dict(identity=(mine * true).sum(-1), named=near.t().flatten().float(), text=(told == want).float(), copy=near_reference(images) - near_reference(bench.drawn))
    return {k: round(float(v.mean()), 4) for k, v in out.items()} | {'identity_by_object': [round(float(v), 3) for v in out['identity'].view(len(bench.names), n).mean(1)]}


def run_taming(a):
    """measure.py --taming: a table of every adapter, JSON, and a sheet of the first 12 held-out objects (their order was drawn once, by chance)."""
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    a.objects, a.prompts, a.draw_steps = (3, 2, 3) if a.smoke else (a.objects, a.prompts, a.draw_steps)
    base = Base(a.base, a.device, eye=True)
    judge = Encoder()
    judge.load_state_dict({k: v.float() for k, v in load_file(a.judge / 'model.safetensors').items()})
    judge.eval()
    reader = None
    if a.reader.exists():
        from reader import load_reader
        reader, _ = load_reader(a.reader)
    bench = Bench(a, base, base.vision.config.image_size)
    adapters = dict(x.split('=') for x in a.adapters.split(',')) if a.adapters else {'whole': str(a.base / 'object_adapter/model.safetensors')}
    result = dict(base=str(a.base), objects=bench.names, prompts=[f'{s} {b}'.strip() for s, b in bench.scenes], seed=a.seed, steps=a.draw_steps, guidance=[a.guidance, a.thing],
                  identity_by='judge-objects: convolutions, trained with a contrastive loss on the training objects', judge=json.loads((a.judge / 'config.json').read_text()), text_by='reader' if reader else 'image tower of the base', table={})
    shown, unmasked = to_pixels(bench.references), to_pixels(bench.unmasked)

    def add(name, images):
        result['table'][name] = measured(bench, judge, reader, images)
        print(name, {k: v for k, v in result['table'][name].items() if not isinstance(v, list)}, flush=True)
        if a.sheet:
            some, n = min(12, len(bench.names)), len(bench.scenes)
            k = min(n, 7)
            rows = torch.cat([torch.cat([shown[i:i + 1], images[i * n:i * n + k]]) for i in range(some)])
            grid(F.interpolate(rows, size=W.SIZE), a.sheet.with_name(f'{a.sheet.stem}-{name}.png'), k + 1)
        a.json.write_text(json.dumps(result, indent=1))

    add('drawn', bench.drawn)
    add('base', bench.draw(None, None, None))
    add('pasted', bench.pasted())
    for name, path in adapters.items():
        who = Base(a.base, a.device, eye=True)
        adapter, switch, _ = A.load(path, who.dit)
        bench.base = who
        tokens = adapter.encode(A.see(who.vision, unmasked if name in a.unmasked.split(',') else shown, adapter.read)[0]).detach()
        add(name, bench.draw(adapter, switch, tokens))
        bench.base = base
    for name, folder in (x.split('=') for x in a.pictures.split(',') if x):
        from pathlib import Path
        add(name, bench.pictures(Path(folder)))
