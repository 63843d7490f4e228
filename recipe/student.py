"""The stages that teach a four-step student: a LoRA on the transformer that covers a quarter of the teacher's guided way in one step.

`ways` walks the teacher with guidance from noise to picture for captions of the world and keeps the latents at sigma 1, 3/4, 1/2, 1/4, 0.
`student` then learns, at each of the four sigmas, the mean velocity to the next: the teacher's guidance is folded in, so that a picture costs
four evaluations instead of forty. Saved as base/student/pytorch_lora_weights.safetensors in diffusers' names; measure.py draws with it.
"""
import json
import math
import random
import time

import numpy as np
import torch
import torch.nn as nn
from safetensors.torch import load_file, save_file

import world as W
from data import GRID, LATENT
from sampling import Base, grid

STEPS, FINE, GUIDANCE, RANK = 4, 6, 3., 16  # the student's steps; the teacher's for each of them; guidance; rank of the LoRA
SITES = ('to_q', 'to_k', 'to_v', 'add_q_proj', 'add_k_proj', 'add_v_proj', 'to_add_out', 'to_out.0', 'net.0.proj', 'net.2', 'norm1.linear')


class Lora(nn.Module):
    def __init__(self, linear, rank):
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.a, self.b = nn.Parameter(torch.randn(rank, linear.in_features, device=linear.weight.device) / math.sqrt(linear.in_features)), nn.Parameter(torch.zeros(linear.out_features, rank, device=linear.weight.device))

    def forward(self, x):
        return self.linear(x) + x @ self.a.t() @ self.b.t()


def attach(dit, rank=RANK):
    """Puts a LoRA on every site of every block -> {diffusers name: Lora}."""
    out = {}
    for name, m in [(n, m) for n, m in dit.transformer_blocks.named_modules() if isinstance(m, nn.Linear) and n.endswith(SITES)]:
        parent, leaf = dit.transformer_blocks.get_submodule(name.rpartition('.')[0]), name.rpartition('.')[2]
        out[f'transformer.transformer_blocks.{name}'] = Lora(m, rank)
        if leaf.isdigit():
            parent[int(leaf)] = out[f'transformer.transformer_blocks.{name}']
        else:
            setattr(parent, leaf, out[f'transformer.transformer_blocks.{name}'])
    return out


def load_student(base):
    """The base with its student's weights added to the transformer: draw with 4 steps, guidance 1."""
    saved = load_file(base.folder / 'student/pytorch_lora_weights.safetensors')
    state = dict(base.dit.named_parameters())
    for key in {k.rpartition('.lora_')[0] for k in saved}:
        w = state[key.removeprefix('transformer.') + '.weight']
        w.data += (saved[f'{key}.lora_B.weight'].float() @ saved[f'{key}.lora_A.weight'].float()).to(w)
    return base


def ways(a):
    """work/ways.npy [N,5,16,16,16] f16 and ways.json, their captions."""
    base, world, r = Base(a.work / 'base', a.device), W.World(backgrounds_each=1), random.Random(a.seed)
    n, size = (8, 8) if a.smoke else (a.count, 32 if a.device == 'cpu' else 256)
    out = np.lib.format.open_memmap(a.work / 'ways.npy', mode='w+', dtype=np.float16, shape=(n, STEPS + 1, LATENT, GRID, GRID))
    captions, start = [W.caption(world.random_scene(r), r) for _ in range(n)], time.time()
    (a.work / 'ways.json').write_text(json.dumps(captions))
    for i in range(0, n, size):
        part, states = captions[i:i + size], []
        end = base.walk(part, STEPS * FINE, GUIDANCE, base.noise(len(part), a.seed + i), keep=states)
        out[i:i + len(part)] = torch.stack([*states[::FINE], end], 1).cpu().numpy()
    print(f'{n} ways, {n / (time.time() - start):.2f} a second')


def student(a):
    base, captions = Base(a.work / 'base', a.device), json.loads((a.work / 'ways.json').read_text())
    ways, held = np.load(a.work / 'ways.npy', mmap_mode='r'), max(4, min(64, len(captions) // 10))
    base.dit.requires_grad_(False)
    sites = attach(base.dit)
    weights = [p for s in sites.values() for p in (s.a, s.b)]
    opt = torch.optim.AdamW(weights, 1e-3, weight_decay=0.)
    words = [torch.cat(x) for x in zip(*[base.read(captions[i:i + 256]) for i in range(0, len(captions), 256)])]
    batch, goal, r, start = (4, 6, np.random.default_rng(0), time.time()) if a.smoke else (a.batch, a.steps, np.random.default_rng(0), time.time())

    def loss(pick, k):
        x, y = (torch.from_numpy(ways[pick, k + d].astype(np.float32)).to(a.device) for d in (0, 1))
        sigma = torch.from_numpy(1 - k / STEPS).float().to(a.device)
        v = base.dit(x, words[0][pick], words[1][pick], sigma * 1000)
        return (v - (x - y) * STEPS).pow(2).mean()

    @torch.no_grad()
    def validate():
        at = np.arange(len(captions) - held, len(captions))
        return [round(loss(at, np.full(held, k)).item(), 4) for k in range(STEPS)]

    print('before', validate(), 'by step', flush=True)
    for step in range(1, goal + 1):
        for g in opt.param_groups:
            g['lr'] = 1e-3 * min(1, step / 50) * max(.02, 1 - step / goal)
        out = loss(r.integers(0, len(captions) - held, batch), r.integers(0, STEPS, batch))
        opt.zero_grad(set_to_none=True)
        out.backward()
        nn.utils.clip_grad_norm_(weights, 1.)
        opt.step()
        if step % 100 == 0 or step == goal:
            print(f'student {step} {time.time() - start:.0f}s loss {out.item():.4f} held out {validate()}', flush=True)
    (a.work / 'base/student').mkdir(exist_ok=True)
    save_file({f'{k}.lora_{n}.weight': p.detach().cpu().half().contiguous() for k, s in sites.items() for n, p in (('A', s.a), ('B', s.b))},
              a.work / 'base/student/pytorch_lora_weights.safetensors', metadata={'format': 'pt', 'steps': str(STEPS), 'guidance': '1'})
    some = captions[-8:]
    noise = base.noise(len(some), 3)
    after = base.decode(base.walk(some, STEPS, 1., noise)).cpu()
    teacher = Base(a.work / 'base', a.device)
    grid(torch.cat([teacher.decode(teacher.walk(some, n, g, noise)).cpu() for n, g in ((STEPS * FINE, GUIDANCE), (STEPS, GUIDANCE))] + [after]), a.work / 'student.png', len(some))
