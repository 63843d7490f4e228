"""Muon for matrices, AdamW for the rest, with f32 masters of bf16 weights and their average."""
import math

import torch


class Muon:
    """Muon on the hidden matrices, AdamW on the rest; f32 masters, an exponential average of them, bf16 working weights."""

    def __init__(self, modules, hidden, lr=.01, adam_lr=1.2e-3, decay=.999, gentle=lambda k: 1.):
        """modules: names of their parameters begin with their index; hidden: is this matrix Muon's; gentle: share of the learning rate that a parameter gets."""
        self.work = {f'{i}.{k}': p for i, m in enumerate(modules) for k, p in m.named_parameters()}
        self.master = {k: p.detach().float().clone() for k, p in self.work.items()}
        self.ema = {k: v.clone() for k, v in self.master.items()}
        self.hidden = [k for k, p in self.work.items() if p.ndim == 2 and hidden(k)]
        self.other = [k for k in self.work if k not in set(self.hidden)]
        zeros = lambda ks: {k: torch.zeros_like(self.master[k]) for k in ks}
        self.momentum, self.m, self.v = zeros(self.hidden), zeros(self.other), zeros(self.other)
        self.lr, self.adam_lr, self.decay, self.step_count = lr, adam_lr, decay, 0
        self.share = {k: gentle(k) for k in self.work}

    @staticmethod
    def orthogonal(g):
        """Newton-Schulz iteration on a stack of matrices [n, rows <= columns]."""
        x = g.to(torch.bfloat16)
        x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).to(x.dtype)
        for a, b, c in [(4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037), (2.8769, -3.1427, 1.2046), (2.8366, -3.0525, 1.2012)]:
            s = x @ x.transpose(1, 2)
            x = a * x + (b * s + c * (s @ s)) @ x
        return x.float()

    @torch.no_grad()
    def step(self, scale):
        self.step_count += 1
        grads = {k: p.grad.float() for k, p in self.work.items() if p.grad is not None}
        norm = math.sqrt(sum(float(g.pow(2).sum()) for g in grads.values()))
        clip = min(1., 1. / (norm + 1e-6))
        stacks = {}
        for k in self.hidden:
            if k not in grads:
                continue
            self.momentum[k].lerp_(grads[k], .05)
            u = grads[k].lerp(self.momentum[k], .95)
            tall = u.shape[0] > u.shape[1]
            stacks.setdefault(tuple(sorted(u.shape)), []).append((k, tall, u.t() if tall else u))
        for items in stacks.values():
            for (k, tall, _), o in zip(items, self.orthogonal(torch.stack([u for *_, u in items]))):
                rows, cols = self.master[k].shape
                self.master[k].add_(o.t() if tall else o, alpha=-self.lr * scale * self.share[k] * max(1, rows / cols) ** .5)
        b1, b2 = .9, .97
        for k in self.other:
            if k not in grads:
                continue
            g = grads[k] * clip
            self.m[k].lerp_(g, 1 - b1)
            self.v[k].mul_(b2).addcmul_(g, g, value=1 - b2)
            self.master[k].addcdiv_(self.m[k] / (1 - b1 ** self.step_count), (self.v[k] / (1 - b2 ** self.step_count)).sqrt_().add_(1e-8), value=-self.adam_lr * scale * self.share[k])
        decay = min(self.decay, 1 - 1 / (self.step_count / 5 + 2))
        for k, p in self.work.items():
            self.ema[k].lerp_(self.master[k], 1 - decay)
            p.copy_(self.master[k])
            p.grad = None
        return norm

    def state(self):
        return dict(master=self.master, ema=self.ema, momentum=self.momentum, m=self.m, v=self.v, step=self.step_count)

    def load(self, s):
        for name in ('master', 'ema', 'momentum', 'm', 'v'):
            mine = getattr(self, name)
            for k in mine:
                mine[k].copy_(s[name][k])
        self.step_count = s['step']
        self.use(self.master)

    @torch.no_grad()
    def use(self, weights):
        for k, p in self.work.items():
            p.copy_(weights[k])
