"""The stage that trains the reader: the base's CLIP image tower, trained on, tells from a picture what it shows, and whether the object is whole. It only measures.

Facts are learned from the drawn scenes, half of them after the autoencoder, because generated pictures come out of it. Wholeness is learned from
sprites broken before they are drawn (parts of two objects joined, halves mirrored, quarters shuffled, two objects blended, one melted): the
background and the edges tell nothing, only the object does. Every patch is also asked what it shows (the layout that the flow stage learns, too): a picture
shows what its patches do. -> work/reader.pt with its accuracy on held-out drawn scenes.
"""
import math
import random
import time
from multiprocessing import Pool

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from transformers import CLIPVisionModelWithProjection

import models as M
import world as W
from clip import vision_config
from data import HELD
from flow import LayoutHead
from optim import Muon

READ = [k for k in W.FACTS if k not in ('noun', 'second', 'identity')]
ROUNDTRIPS = 16000  # scenes that are also seen after the autoencoder
BROKEN = 16000      # pictures for wholeness, half of them whole


class Reader(nn.Module):
    """Pixels [B,3,128,128] in -1..1 -> dict of logits: each fact, 'shown' (many may be true), 'whole' (one number); `tokens` [B,patches,width] are the tower's."""

    def __init__(self, size='cpu'):
        super().__init__()
        config = vision_config(size)
        self.tower, width = CLIPVisionModelWithProjection(config).vision_model, config.hidden_size
        self.places = nn.Linear(width, 24)  # of each patch, so that the mixing knows what stands where
        self.mix = nn.Linear(2 * width + 24 * (W.SIZE // 16) ** 2, 512)
        self.heads = nn.ModuleDict({**{k: nn.Linear(512, len(W.FACTS[k])) for k in READ}, 'shown': nn.Linear(512, len(W.SHOWN)), 'whole': nn.Linear(512, 1)})
        self.patches, self.evidence = LayoutHead(width), nn.Parameter(torch.ones(()))

    def forward(self, x):
        tokens = self.tower(x).last_hidden_state
        image, patches = tokens[:, 0], tokens[:, 1:]
        h = F.silu(self.mix(torch.cat([image, patches.mean(1), self.places(patches).flatten(1)], 1)))
        out = {k: head(h).float() for k, head in self.heads.items()}
        # the mean over patches of how likely each says that it shows a noun
        said = self.patches.out(patches)[..., :1 + len(W.SHOWN)].float().log_softmax(-1)[..., 1:]
        out['shown'] = out['shown'] + self.evidence.float() * (torch.logsumexp(said, 1) - math.log(said.shape[1]))
        return {**out, 'tokens': patches}


def load_reader(path, device='cpu'):
    """-> (the reader that the stage saved, its shares of right answers on held-out drawn scenes)."""
    saved = torch.load(path, map_location=device)
    reader = Reader(saved['size']).to(device).eval()
    reader.load_state_dict(saved['model'])
    return reader, saved['drawn']


def squared(sprite):
    """A sprite centred in a transparent square of 128."""
    k = 128 / max(sprite.size)
    sprite = sprite.resize((max(1, round(sprite.width * k)), max(1, round(sprite.height * k))), Image.LANCZOS)
    out = Image.new('RGBA', (128, 128))
    out.paste(sprite, ((128 - sprite.width) // 2, 128 - sprite.height))
    return out


def broken(sprite, other, r):
    """A chimera of two sprites, or of one sprite's own parts."""
    a, b = (np.asarray(squared(s)).astype(np.float32) for s in (sprite, other))
    way, cut = r.choice(['join', 'join', 'mirror', 'shuffle', 'blend', 'melt']), r.randint(48, 80)
    soft = np.clip((np.arange(128, dtype=np.float32) - cut) / r.uniform(2, 12) + .5, 0, 1)
    across = soft[None, :, None] if r.random() < .5 else soft[:, None, None]
    if way == 'join':
        out = a * (1 - across) + b * across
    elif way == 'mirror':
        side = a if r.random() < .5 else a[:, ::-1]
        half = np.clip((np.arange(128, dtype=np.float32) - 64) / 6 + .5, 0, 1)[None, :, None]
        out = side * (1 - half) + side[:, ::-1] * half
    elif way == 'shuffle':
        parts = [a[y:y + 64, x:x + 64] for y in (0, 64) for x in (0, 64)]
        order = r.choice([(1, 0, 3, 2), (2, 3, 0, 1), (3, 1, 2, 0), (0, 2, 1, 3), (2, 0, 3, 1)])
        out = np.concatenate([np.concatenate([parts[order[0]], parts[order[1]]], 1), np.concatenate([parts[order[2]], parts[order[3]]], 1)])
    elif way == 'blend':
        k = r.uniform(.35, .65)
        out = a * k + b * (1 - k)
    else:
        ys, xs = np.mgrid[0:128, 0:128].astype(np.float32)
        p, q, m, f = r.uniform(0, 6), r.uniform(0, 6), r.uniform(9, 18), r.uniform(.05, .11)
        out = a[np.clip(ys + m * np.sin(xs * f + p), 0, 127).astype(int), np.clip(xs + m * np.sin(ys * f + q), 0, 127).astype(int)]
    changed = float(np.abs(out - a).mean())
    return Image.fromarray(out.clip(0, 255).astype(np.uint8), 'RGBA'), changed


def render_broken(job):
    path, start, count, seed = job
    r, world = random.Random(seed), W.World(backgrounds_each=12)
    out, whole = np.lib.format.open_memmap(path / 'broken.npy', mode='r+'), np.lib.format.open_memmap(path / 'whole.npy', mode='r+')
    for i in range(start, start + count):
        scene, other = W.Scene([world.thing(r) if r.random() < .7 else world.person(r)]), world.thing(r) if r.random() < .7 else world.person(r)
        world.placed(world.around(scene, r), r)
        t = scene.things[0]
        true, true_other = world.sprite(t, None, r), world.sprite(other, None, r)
        image, changed = broken(true, true_other, r)
        # a symmetric object stays itself when mirrored, a ball when its quarters change places: what hardly changed is left whole
        whole[i] = i % 2 or changed < 9
        t.glyph = 'given'
        out[i] = np.asarray(world.draw(scene, sprites={'given': squared(true) if whole[i] else image}))


def roundtrips(a, source, name, count):
    """The first pictures of a memory-mapped file after encoding and decoding -> another file."""
    ae = M.load(M.TinyAutoencoder, (a.start or a.work / 'base') / 'vae').float().to(a.device).to(memory_format=torch.channels_last)
    count = min(count, len(source))
    out = np.lib.format.open_memmap(a.work / f'{name}.npy', mode='w+', dtype=np.uint8, shape=(count, *source.shape[1:]))
    with torch.no_grad():
        for i in range(0, count, 32):
            x = pixels(source[i:min(i + 32, count)], a.device).contiguous(memory_format=torch.channels_last)
            with torch.autocast(a.device, dtype=torch.bfloat16):
                y = ae.decode(ae.encode(x)).float().clamp(-1, 1)
            out[i:i + len(y)] = y.add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return out


def pixels(rows, device):
    return torch.from_numpy(np.array(rows)).to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1)


@torch.no_grad()
def accuracy(reader, images, facts, squares, device):
    """Share of right answers by fact, of those that a scene has; for pairs both objects must be named."""
    columns, right, asked = list(W.FACTS), {}, {}
    for i in range(0, len(images), 64):
        out = reader(pixels(images[i:i + 64], device))
        for j in range(len(images[i:i + 64])):
            f, s = facts[i + j], squares[i + j]
            there = sorted(set(int(v) - 1 for v in s[:, 0] if v))
            for k in READ:
                want = f[columns.index(k)]
                if want >= 0:
                    asked[k] = asked.get(k, 0) + 1
                    right[k] = right.get(k, 0) + int(out[k][j].argmax().item() == want)
            asked['object'] = asked.get('object', 0) + 1
            right['object'] = right.get('object', 0) + int(sorted(out['shown'][j].topk(len(there)).indices.tolist()) == there)
    return {k: round(right[k] / asked[k], 4) for k in sorted(asked)}


def reader(a):
    torch.manual_seed(0)
    drawn, facts, squares = (np.load(a.work / f'{n}.npy', mmap_mode='r') for n in ('pixels', 'facts', 'squares'))
    n, few = len(drawn) - HELD, 100 if a.smoke else BROKEN
    if a.smoke or not (a.work / 'whole-seen.npy').exists():
        for name, kind, shape in (('broken', np.uint8, (few, W.SIZE, W.SIZE, 3)), ('whole', np.uint8, (few,))):
            np.lib.format.open_memmap(a.work / f'{name}.npy', mode='w+', dtype=kind, shape=shape).flush()
        with Pool(a.threads) as pool:
            list(pool.imap(render_broken, [(a.work, i, min(500, few - i), 9 + i) for i in range(0, few, 500)]))
        roundtrips(a, drawn, 'seen', 64 if a.smoke else ROUNDTRIPS)
        roundtrips(a, np.load(a.work / 'broken.npy', mmap_mode='r'), 'whole-seen', few)
    seen, parts, whole, parts_seen = (np.load(a.work / f'{x}.npy', mmap_mode='r') for x in ('seen', 'broken', 'whole', 'whole-seen'))
    model = Reader(a.size)
    if a.start:
        model.tower.load_state_dict(CLIPVisionModelWithProjection.from_pretrained(a.start / 'image_encoder').vision_model.state_dict())
    if a.resume and (a.work / 'reader.pt').exists():
        model.load_state_dict(torch.load(a.work / 'reader.pt', map_location=a.device)['model'])
    model.tower.set_attn_implementation('eager')  # of few tokens: the fused one is slower on a CPU
    model.to(a.device, torch.bfloat16)
    opt = Muon([model], lambda k: 'encoder.layers' in k, lr=a.lr, adam_lr=.12 * a.lr)
    minutes, half, r, start, step = .25 if a.smoke else a.minutes, (8 if a.smoke else a.batch // 4), np.random.default_rng(int(time.time())), time.time(), 0
    test, count = int(len(whole) * .95), 64 if a.smoke else HELD

    def held():
        """Shares of right answers on scenes that were kept, by the averaged weights."""
        judge = Reader(a.size).to(a.device).eval()
        judge.load_state_dict({k: opt.ema['0.' + k] for k in judge.state_dict()})
        result = accuracy(judge, drawn[n:n + count], facts[n:n + count], squares[n:n + count], a.device)
        with torch.no_grad():
            said = torch.cat([judge(pixels(parts_seen[i:i + 64], a.device))['whole'][:, 0] for i in range(test, len(whole), 64)]).cpu().numpy() > 0
        result['whole'] = round(float((said == whole[test:].astype(bool)).mean()), 4)
        torch.save(dict(model=judge.state_dict(), size=a.size, drawn=result), a.work / 'reader.pt')
        return result

    while (done := (time.time() - start) / (minutes * 60)) < 1:
        step += 1
        i, j, k = np.sort(r.integers(0, n, 2 * half)), np.sort(r.integers(0, min(n, len(seen)), half)), np.sort(r.integers(0, test, half))
        x = torch.cat([pixels(drawn[i], a.device), pixels(seen[j], a.device), pixels((parts if step % 3 == 0 else parts_seen)[k], a.device)])
        out = model(x.to(torch.bfloat16))
        f = torch.from_numpy(np.concatenate([facts[i], facts[j]]).astype(np.int64)).to(a.device)
        s = torch.from_numpy(np.concatenate([squares[i], squares[j]]).astype(np.int64)).to(a.device)
        m = len(f)
        shown = torch.zeros(m, len(W.SHOWN) + 1, device=a.device).scatter_(1, s[..., 0], 1.)[:, 1:]
        known = [F.cross_entropy(out[k2][:m], f[:, list(W.FACTS).index(k2)], ignore_index=-1) for k2 in READ if (f[:, list(W.FACTS).index(k2)] >= 0).any()]
        loss = 20 * F.binary_cross_entropy_with_logits(out['shown'][:m], shown) + .3 * torch.stack(known).sum() + F.binary_cross_entropy_with_logits(out['whole'][m:, 0], torch.from_numpy(whole[k].astype(np.float32)).to(a.device))
        loss = loss + .5 * model.patches(out['tokens'][:m], s)
        loss.backward()
        opt.step(min(1, step / 60) * max(.01, min(1, 1.5 * (1 - done))))
        if step % 100 == 0:
            print(f'reader {step} {time.time() - start:.0f}s loss {loss.item():.3f}', flush=True)
        if step % 1000 == 0:
            print('on held-out drawn scenes', held(), flush=True)
    print('on held-out drawn scenes', held())
