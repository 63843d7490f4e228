"""The stage that trains the head finder: which patches of a picture show somebody's head, read from the base's own image tower.

A linear layer of the states of some of the tower's layers, ReLU, and a linear layer to one logit a patch: how likely it is that the patch lies in a head, as evidence
that adds up. A head is then the square whose patches sum up highest (`found`; the app's pipeline/faces/findHeads.ts does the same). Written to work/base/head_finder.
Scenes are drawn here: people of all sizes, several of them, nobody; a third of them goes through the autoencoder, as pictures that a base draws do.
"""
import json
import random
from multiprocessing import Pool

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import CLIPVisionModelWithProjection

import models as M
import people as P
import world as W
from identity import HEAD
from portraits import head_square

LAYERS = [2, 3, 4]        # of the tower, from 1
WIDTH = 16
EVERY = 3                 # of the pictures one goes through the autoencoder
STEP = 4                  # pixels between the squares that are tried
LEAST, MOST = 20, 96      # sides of heads, in pixels
LEAST_SUM = 2.            # of a head's patches
TAKEN = -8.               # what a patch counts once it belongs to a head


def scene(world, r, ids):
    """-> (picture u8, head squares [(x, y, side)])."""
    kind = r.random()
    if kind < .12:
        s = world.around(W.Scene([world.person(r, ids=ids), world.person(r, ids=ids)], relation='beside'), r)
    else:
        s = world.random_scene(r, .6)
        for t in s.things:
            if t.who:
                t.who = P.identity(r.choice(ids))
                t.cls = t.who.word
    image = world.draw(s)
    heads = [head_box(square, shown.endswith(' standing')) for shown, *square in s.squares if shown.replace(' standing', '') in W.PEOPLE]
    return np.asarray(image), heads


def head_box(square, standing):
    x, y, side = head_square(square, standing)
    return x + HEAD[0] * side, y + HEAD[1] * side, HEAD[2] * side


def work_on(job):
    seed, count, ids, each = job
    r, world = random.Random(seed), W.World(backgrounds_each=each)
    return [scene(world, r, ids) for _ in range(count)]


def covered(boxes, grid, cell):
    """Share of each patch that squares [n,3] (x, y, side in pixels) cover -> [n,grid²]."""
    at = torch.arange(grid) * float(cell)
    along = lambda a, length: (torch.minimum(at + cell, (a + length)[:, None]) - torch.maximum(at, a[:, None])).clamp(min=0) / cell
    x, y, side = boxes.float().unbind(1)
    return (along(y, side)[:, :, None] * along(x, side)[:, None]).flatten(1)


class HeadFinder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.hidden, self.out = nn.Linear(width, WIDTH), nn.Linear(WIDTH, 1)

    def forward(self, states):
        """[B,patches,layers·d] -> logits [B,patches]."""
        return self.out(F.relu(self.hidden(states)))[..., 0]


def squares(size):
    return torch.tensor([[x, y, side] for side in range(LEAST, MOST + 1, STEP) for y in range(0, size - side + 1, STEP) for x in range(0, size - side + 1, STEP)]).float()


def found(logits, tried, cover):
    """Logits [patches] of one picture -> head squares, the surest first: each the square with the highest sum of what those before it left."""
    z, out = logits.clone(), []
    while True:
        sums = cover @ z
        best = int(sums.argmax())
        if sums[best] < LEAST_SUM:
            return out
        out.append(tried[best])
        z = torch.lerp(z, torch.full_like(z, TAKEN), cover[best])


@torch.no_grad()
def states(pictures, vision, ae):
    out = []
    for i in range(0, len(pictures), 64):
        x = torch.from_numpy(np.stack(pictures[i:i + 64])).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        through = torch.tensor([j % EVERY == 0 for j in range(i, i + len(x))])
        x[through] = ae.decode(ae.encode(x[through])).clamp(-1, 1)
        hidden = vision(x, output_hidden_states=True).hidden_states
        out.append(torch.cat([hidden[k][:, 1:] for k in LAYERS], 2).half())
    return torch.cat(out)


def measured(z, boxes, cell):
    """Logits [n,patches] of scenes and their true heads -> how many are found, and how far off."""
    tried = squares(W.SIZE)
    cover = covered(tried, W.SIZE // cell, cell)
    off, sizes, missed, wrong, nobody, alone = [], [], 0, 0, 0, 0
    for logits, wanted in zip(z, boxes):
        got = found(logits, tried, cover)
        left = list(wanted)
        for x0, y0, side in (b.tolist() for b in got):
            near = [(((x0 + side / 2 - u - k / 2) ** 2 + (y0 + side / 2 - v - k / 2) ** 2) ** .5 / k, (u, v, k)) for u, v, k in left]
            distance, box = min(near, default=(9, None))
            if distance > .6:
                wrong += 1
                continue
            left.remove(box)
            off.append(distance)
            sizes.append(abs(np.log(side / box[2])))
        missed += len(left)
        nobody += not wanted
        alone += not wanted and not got
    return dict(scenes=len(boxes), heads=sum(map(len, boxes)), missed=missed, wrong=wrong, empty=nobody, empty_seen_so=alone,
               off=[round(float(v), 3) for v in np.quantile(off, [.5, .75, .9])] if off else None, size=[round(float(v), 3) for v in np.quantile(sizes, [.5, .75, .9])] if off else None)


def heads(a):
    """--start: the base whose tower and autoencoder are read; --count scenes."""
    base = a.start or a.work / 'base'
    vision = CLIPVisionModelWithProjection.from_pretrained(base / 'image_encoder', dtype=torch.float32).eval()
    ae = M.load(M.TinyAutoencoder, base / 'vae')
    count, held, each = (256, 64, 4) if a.smoke else (min(a.count, 8000), 1000, 30)
    known, unknown = range(P.HELD_OUT_IDENTITIES.start), P.HELD_OUT_IDENTITIES
    job = 128
    with Pool(a.threads) as pool:
        drawn = [x for part in pool.imap(work_on, [(f'heads {i}', min(job, count - i), known, each) for i in range(0, count, job)] + [(f'held {i}', min(job, held - i), unknown, each) for i in range(0, held, job)]) for x in part]
    pictures, boxes = zip(*drawn)
    x = states(pictures, vision, ae)
    grid = round(x.shape[1] ** .5)
    cell = W.SIZE // grid
    y = torch.stack([covered(torch.tensor(b), grid, cell).amax(0) if b else torch.zeros(grid * grid) for b in boxes])
    net = HeadFinder(x.shape[2])
    mean, spread = x[:count].float().mean((0, 1)), x[:count].float().std((0, 1)) + 1e-4
    steps = 40 if a.smoke else 2500
    opt, g = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=1e-3), torch.Generator().manual_seed(0)
    for step in range(steps):
        opt.param_groups[0]['lr'] = 4e-3 * min(1, 2 * (1 - step / steps))
        rows = torch.randint(0, count, (256,), generator=g)
        loss = F.binary_cross_entropy_with_logits(net((x[rows].float() - mean) / spread), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():  # the tower's own states from here on
        net.hidden.weight /= spread
        net.hidden.bias -= net.hidden.weight @ mean
        say = measured(net(x[count:].float()), boxes[count:], cell)
    print('loss', round(loss.item(), 4), say)
    folder = a.work / 'base/head_finder'
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().contiguous() for k, v in net.state_dict().items()}, folder / 'model.safetensors', metadata={'format': 'pt'})
    (folder / 'config.json').write_text(json.dumps({'_class_name': 'HeadFinder', 'layers': LAYERS, 'held_out': say}, indent=2))
    return net
