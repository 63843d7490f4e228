"""How well constants can stand for the text half of a block under the empty prompt (GCFG's null-text specialist on a joint attention).

GCFG replaces every cross-attention of a UNet by one constant vector. A joint attention is (1 - rho) Attn_image + rho Attn_text, rho the softmax mass on text
keys, so there are three ways to do likewise, each calibrated by averages over pictures and noise levels under the empty prompt:
    gate            rho and rho Attn_text of each block and head, the same everywhere
    gate by place   the same for each image token
    registers       the text's keys and values of each block; the softmax stays. --fit N: then N steps of Adam towards the base's own velocity, linear in sigma
Printed: relative RMS of the velocity against the base's own, on other pictures.
    python null_gate.py --base ../public/base [--fit 600] [--json FILE]
"""
import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn

import models as M
import world as W
from sampling import Base
from taming_measure import to_pixels


def latents(base, count, seed):
    """Clean latents [count,16,16,16] of drawn scenes of old nouns, scaled as the transformer reads them."""
    r, world = random.Random(seed), W.World(backgrounds_each=6)
    images = [world.draw(world.random_scene(r)) for _ in range(count)]
    z = torch.cat([base.ae.encode(p) for p in to_pixels([np.asarray(i) for i in images]).split(32)])
    return (z - base.ae.config['shift_factor']) * base.ae.config['scaling_factor']


class Halves:
    """The attentions of a transformer, as they are or with their text half replaced."""

    def __init__(self, dit):
        self.own = [b.attn for b in dit.transformer_blocks]
        self.seen, self.stand_in = [[] for _ in self.own], None
        for i, attention in enumerate(self.own):
            attention.forward = lambda x, y, i=i: self.attend(i, x, y)

    def attend(self, i, x, y):
        a = self.own[i]
        split = lambda t: t.view(*t.shape[:2], a.heads, -1).transpose(1, 2)
        merge = lambda t: t.transpose(1, 2).flatten(2)
        q, k, v = a.norm_q(split(a.to_q(x))), a.norm_k(split(a.to_k(x))), split(a.to_v(x))
        q = q * q.shape[-1] ** -.5
        if self.stand_in:
            return merge(self.stand_in(i, q, k, v)), torch.zeros_like(y)
        qt, kt, vt = a.norm_added_q(split(a.add_q_proj(y))), a.norm_added_k(split(a.add_k_proj(y))), split(a.add_v_proj(y))
        keys, values, n = torch.cat([k, kt], 2), torch.cat([v, vt], 2), k.shape[2]
        weights = (q @ keys.transpose(-1, -2)).softmax(-1)
        self.seen[i].append(dict(rho=weights[..., n:].sum(-1, keepdim=True).mean(0), text=(weights[..., n:] @ vt).mean(0), keys=kt.mean(0), values=vt.mean(0)))
        text = ((qt * qt.shape[-1] ** -.5) @ keys.transpose(-1, -2)).softmax(-1) @ values
        return merge(weights @ values), merge(text)

    def averages(self):
        """Of each block, over what was seen: rho [h,N,1], rho Attn_text [h,N,d], keys and values [h,T,d]."""
        return [{k: torch.stack([s[k] for s in seen]).mean(0) for k in seen[0]} for seen in self.seen]


def gate(rho, text, q, k, v):
    return (1 - rho) * ((q @ k.transpose(-1, -2)).softmax(-1) @ v) + text


def registers(keys, values, q, k, v):
    keys, values = (t.expand(len(q), *t.shape[-3:]) for t in (keys, values))
    return (q @ torch.cat([k, keys], 2).transpose(-1, -2)).softmax(-1) @ torch.cat([v, values], 2)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--base', type=Path, required=True)
    p.add_argument('--json', type=Path)
    p.add_argument('--count', type=int, default=96, help='pictures to calibrate on, and as many to measure on')
    p.add_argument('--fit', type=int, default=0, help='steps that fit the registers')
    p.add_argument('--threads', type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    M.FeedForward.approximate = 'tanh'
    base = Base(a.base, 'cpu')
    base.dit.requires_grad_(False)
    halves, out = Halves(base.dit), {}
    with torch.no_grad():
        pool = latents(base, 2 * a.count + (1000 if a.fit else 0), 1)
        context, pooled = base.read([''])
    sigmas = (torch.arange(a.count) + .5) / a.count

    def velocity(x0, noise, sigma):
        s = sigma.view(-1, 1, 1, 1)
        return base.dit((1 - s) * x0 + s * noise, context.expand(len(x0), -1, -1), pooled.expand(len(x0), -1), sigma * 1000)

    def measured(name, stand_in):
        with torch.no_grad():
            halves.stand_in = stand_in
            out[name] = float((velocity(test, noise, order) - own).pow(2).mean().div(own.pow(2).mean()).sqrt())
            halves.stand_in = None
        print(f'{name:32s} {out[name]:.3f}', flush=True)

    with torch.no_grad():
        for x0, sigma in zip(pool[:a.count].split(16), sigmas[torch.randperm(a.count)].split(16)):
            velocity(x0, torch.randn_like(x0), sigma)
        known = halves.averages()
        test, order = pool[a.count:2 * a.count], sigmas[torch.randperm(a.count)]
        noise = torch.randn_like(test)
        own = velocity(test, noise, order)
    measured('gate', lambda i, q, k, v: gate(known[i]['rho'].mean(1, keepdim=True), known[i]['text'].mean(1, keepdim=True), q, k, v))
    measured('gate by place', lambda i, q, k, v: gate(known[i]['rho'], known[i]['text'], q, k, v))
    measured('registers', lambda i, q, k, v: registers(known[i]['keys'][None], known[i]['values'][None], q, k, v))
    if a.fit:
        fitted = [[nn.Parameter(b[n][None].clone()) for n in ('keys', 'values')] for b in known]
        slopes = [[nn.Parameter(torch.zeros_like(t)) for t in b] for b in fitted]
        opt, now = torch.optim.Adam([t for b in (*fitted, *slopes) for t in b], 5e-3), {}
        by_sigma = lambda i, q, k, v: registers(*(t + (now['sigma'].view(-1, 1, 1, 1) - .5) * s for t, s in zip(fitted[i], slopes[i])), q, k, v)
        for step in range(a.fit):
            for g in opt.param_groups:
                g['lr'] = 5e-3 * min(1, 3 * (1 - step / a.fit))
            x0, now['sigma'] = pool[2 * a.count + torch.randint(1000, (24,))], torch.rand(24) * .98 + .01
            e = torch.randn_like(x0)
            with torch.no_grad():
                wanted = velocity(x0, e, now['sigma'])
            for seen in halves.seen:
                seen.clear()
            halves.stand_in = by_sigma
            loss = (velocity(x0, e, now['sigma']) - wanted).pow(2).mean()
            halves.stand_in = None
            opt.zero_grad()
            loss.backward()
            opt.step()
        now['sigma'] = order
        measured(f'registers, fitted in {a.fit} steps', by_sigma)
    if a.json:
        a.json.write_text(json.dumps(dict(base=str(a.base), pictures=a.count, error=out), indent=1))
