"""The stages that train the identity networks: one that ships with the face adapter, one that only judges, and one that only scores the loss of pulid.py.

`faces` draws every identity in many looks and crops the head -> work/faces.npy [identities, looks, 64, 64, 3].
`identity` trains a convolutional net with an additive angular margin (ArcFace); `judge-identity` a patch transformer on grey pictures with a
supervised contrastive loss: another architecture, another loss, no colour, so that what pleases the one needn't please the other. `identity-loss` is a third
one: convolutions again, wider and less deep, a margin on the cosine, and pictures as soft as an autoencoder leaves them.
All are measured on the 200 identities that no training has seen: rank 1 of a look among one look each, and the area under the verification curve.
"""
import json
import random
import time
from multiprocessing import Pool

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

import people
import world as W

SIDE, LOOKS, WIDTH = 64, 12, 128  # of the head's crop; looks of each identity; of the embedding
MARGIN, SCALE = .3, 24.
HEAD = (.16, .05, .68)  # the head within a bust's square: left, top, side


def head_crop(image, square, r=None):
    """The head of a bust that stands in (x, y, side) -> [SIDE,SIDE,3] u8, moved a little when r is given."""
    x, y, side = square
    dx, dy, dk = (r.uniform(-.03, .03) for _ in range(3)) if r else (0, 0, 0)
    left, top, k = x + (HEAD[0] + dx) * side, y + (HEAD[1] + dy) * side, (HEAD[2] + dk) * side
    return np.asarray(image.resize((SIDE, SIDE), Image.BILINEAR, box=(max(0, left), max(0, top), min(W.SIZE, left + k), min(W.SIZE, top + k))))


def head_box(square):
    """Pixels of the head (left, top, right, bottom) within a bust's square (x, y, side)."""
    x, y, side = square
    left, top, k = x + HEAD[0] * side, y + HEAD[1] * side, HEAD[2] * side
    return [int(round(v)) for v in (max(0, left), max(0, top), min(W.SIZE, left + k), min(W.SIZE, top + k))]


def render(job):
    path, ids, looks = job
    out, world = np.lib.format.open_memmap(path, mode='r+'), W.World(backgrounds_each=12)
    for i in ids:
        r = random.Random(f'looks {i}')
        for k in range(looks):
            scene = world.elsewhere(W.Scene([W.Thing(people.identity(i).word, who=people.identity(i), look=people.Look())]), r)
            scene.things[0].standing, scene.style = False, scene.style if r.random() < .3 else ''
            image = world.draw(scene)
            out[i, k] = head_crop(image, scene.squares[0][1:], r)


def faces(a):
    path, looks = a.work / 'faces.npy', 2 if a.smoke else LOOKS
    np.lib.format.open_memmap(path, mode='w+', dtype=np.uint8, shape=(people.IDENTITIES, looks, SIDE, SIDE, 3)).flush()
    ids = list(range(0, people.IDENTITIES, 12)) if a.smoke else list(range(people.IDENTITIES))
    with Pool(a.threads) as pool:
        list(pool.imap(render, [(path, ids[i::16], looks) for i in range(16)]))
    print(len(ids), 'identities,', looks, 'looks each')


class Residual(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.a, self.b = nn.Conv2d(i, o, 3, 2, 1), nn.Conv2d(o, o, 3, 1, 1)
        self.na, self.nb, self.skip = nn.GroupNorm(8, o), nn.GroupNorm(8, o), nn.Conv2d(i, o, 1)

    def forward(self, x):
        return F.silu(self.nb(self.b(F.silu(self.na(self.a(x))))) + self.skip(F.avg_pool2d(x, 2)))


class Encoder(nn.Module):
    """Pixels [B,3,64,64] in -1..1 -> unit vectors [B,128]."""
    config = dict(_class_name='IdentityEncoder', image_size=SIDE, width=WIDTH, channels=[32, 64, 128, 192], head=HEAD)

    def __init__(self):
        super().__init__()
        c = self.config['channels']
        self.blocks = nn.Sequential(*[Residual(i, o) for i, o in zip([3, *c], c)])
        self.out = nn.Linear(c[-1] * 16, WIDTH)

    def forward(self, x):
        return F.normalize(self.out(self.blocks(x).flatten(1)), dim=-1)


class Judge(nn.Module):
    """A transformer over patches, which two convolutions make, that sees no colour: pixels [B,3,64,64] -> unit vectors [B,128]."""
    config = dict(_class_name='IdentityJudge', image_size=SIDE, width=WIDTH, patch=8, stem=64, hidden=160, layers=4)

    def __init__(self):
        super().__init__()
        d = self.config['hidden']
        self.patch, self.place = nn.Sequential(nn.Conv2d(1, self.config['stem'], 4, 4), nn.GELU(), nn.Conv2d(self.config['stem'], d, 3, 2, 1)), nn.Parameter(torch.randn(1, 64, d) * .1)
        self.layers = nn.ModuleList([nn.TransformerEncoderLayer(d, 4, 4 * d, 0., 'gelu', batch_first=True, norm_first=True) for _ in range(self.config['layers'])])
        self.out = nn.Linear(d, WIDTH)

    def forward(self, x):
        t = self.patch(x.mean(1, keepdim=True)).flatten(2).transpose(1, 2) + self.place
        for layer in self.layers:
            t = layer(t)
        return F.normalize(self.out(t.mean(1)), dim=-1)


class Scorer(nn.Module):
    """Scores the identity loss: pixels [B,3,64,64] -> unit vectors [B,128]. Wider and less deep than the encoder; it looks at 8x8 places where that looks at 4x4."""
    config = dict(_class_name='IdentityScorer', image_size=SIDE, width=WIDTH, channels=[48, 96, 160], narrow=32)

    def __init__(self):
        super().__init__()
        c, n = self.config['channels'], self.config['narrow']
        self.blocks = nn.Sequential(*[Residual(i, o) for i, o in zip([3, *c], c)], nn.Conv2d(c[-1], n, 1))
        self.out = nn.Linear(n * (SIDE // 8) ** 2, WIDTH)

    def forward(self, x):
        return F.normalize(self.out(self.blocks(x).flatten(1)), dim=-1)


class Margin(nn.Module):
    """Cross-entropy over the training identities with a margin on the right one: on the angle, or on the cosine itself."""

    def __init__(self, count, angular=True):
        super().__init__()
        self.angular = angular
        self.centres = nn.Parameter(torch.randn(count, WIDTH) * .1)

    def forward(self, e, y, margin):
        cos = (e @ F.normalize(self.centres, dim=-1).t()).clamp(-.9999, .9999)
        hit = F.one_hot(y, len(self.centres)).bool()
        return F.cross_entropy(SCALE * torch.where(hit, torch.cos(cos.acos() + margin) if self.angular else cos - margin, cos), y)


def contrastive(e, y, heat=.1):
    """Supervised contrastive loss: each row against all others, the rows of the same identity are right."""
    s = e @ e.t() / heat
    s.fill_diagonal_(-1e4)
    same = (y[:, None] == y[None]) & ~torch.eye(len(y), dtype=torch.bool, device=y.device)
    return -(F.log_softmax(s, -1)[same]).mean()


@torch.no_grad()
def measured(model, faces, ids, device):
    """-> rank 1 and area under the verification curve on these identities."""
    e = torch.stack([model(pixels(faces[ids, k], device)) for k in range(faces.shape[1])])  # looks, identities, width
    rank = torch.stack([(e[k] @ e[0].t()).argmax(1) == torch.arange(len(ids), device=device) for k in range(1, len(e))]).float().mean().item()
    s, eye = e[1] @ e[0].t(), torch.eye(len(ids), dtype=torch.bool, device=device)
    pairs = torch.cat([torch.stack([(e[j] * e[k]).sum(-1) for j in range(len(e)) for k in range(j)]).flatten()])
    return rank, (pairs[:, None] > s[~eye][None, ::max(1, len(s) // 8)]).float().mean().item()


def pixels(rows, device):
    return torch.from_numpy(np.ascontiguousarray(rows)).to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def softened(x):
    """As soft as an autoencoder leaves pictures, by a chance."""
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode='replicate'), 3, 1)
    return torch.lerp(x, soft, torch.rand(len(x), 1, 1, 1, device=x.device))


def train(a, model, name, loss_of, margin=None, seen_as=lambda x: x):
    """--resume goes on from what is saved, with a rate that rises and falls anew; the margin's centres then are the means of what the network says of each identity."""
    faces = np.load(a.work / 'faces.npy', mmap_mode='r')
    held = np.array([i for i in people.HELD_OUT_IDENTITIES if faces[i].any()])
    seen = np.array([i for i in range(people.HELD_OUT_IDENTITIES.start) if faces[i, 0, 0].any()])
    folder, made = a.work / name, 0
    if again := a.resume and (folder / 'model.safetensors').exists():
        model.load_state_dict({k: v.float() for k, v in load_file(folder / 'model.safetensors').items()})
        made = json.loads((folder / 'config.json').read_text())['steps']
    model.to(a.device)
    if again and margin:
        with torch.no_grad():
            for i in seen:
                margin.centres[i] = model(pixels(faces[i], a.device)).mean(0)
    opt = torch.optim.AdamW([*model.parameters(), *(margin.parameters() if margin else ())], 1e-3, weight_decay=.02)
    minutes, r, start, step = .2 if a.smoke else a.minutes, np.random.default_rng(0), time.time(), 0
    while (done := (time.time() - start) / (minutes * 60)) < 1:
        step += 1
        for g in opt.param_groups:
            g['lr'] = 1e-3 * min(1, step / 100) * max(.02, 1 - done)
        who = r.choice(seen, 32, replace=False)
        rows = np.concatenate([faces[i, r.choice(faces.shape[1], 2, replace=False)] for i in who])
        x, y = pixels(rows, a.device), torch.from_numpy(who.repeat(2)).to(a.device)
        x = x * (1 + .15 * torch.randn(len(x), 1, 1, 1, device=a.device)) + .1 * torch.randn(len(x), 1, 1, 1, device=a.device)
        with torch.autocast(a.device, dtype=torch.bfloat16):
            e = model(seen_as(x))
        loss = loss_of(e.float(), y, 1. if again else done)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        if step % 100 == 0:
            print(f'{name} {step} {time.time() - start:.0f}s loss {loss.item():.3f}', flush=True)
    rank, area = measured(model.eval(), faces, held, a.device)
    folder.mkdir(exist_ok=True)
    save_file({k: v.detach().cpu().half().contiguous() for k, v in model.state_dict().items()}, folder / 'model.safetensors', metadata={'format': 'pt'})
    (folder / 'config.json').write_text(json.dumps({**model.config, 'held_out': len(held), 'rank_1': rank, 'area': area, 'steps': made + step}, indent=2))
    print(f'{name}: {step} steps; on {len(held)} identities never seen: rank 1 {rank:.3f}, area under the curve {area:.4f}')


def identity(a):
    torch.manual_seed(1)
    margin = Margin(people.HELD_OUT_IDENTITIES.start).to(a.device)
    train(a, Encoder(), 'identity', lambda e, y, done: margin(e, y, MARGIN * min(1, 3 * done)), margin)


def judge_identity(a):
    torch.manual_seed(2)
    train(a, Judge(), 'judge-identity', lambda e, y, done: contrastive(e, y))


def identity_loss(a):
    torch.manual_seed(4)
    margin = Margin(people.HELD_OUT_IDENTITIES.start, angular=False).to(a.device)
    train(a, Scorer(), 'identity-loss', lambda e, y, done: margin(e, y, .2 * min(1, 3 * done)), margin, softened)
