"""What must hold of the identity adapter's training, asked in each of its smokes; each line costs a few evaluations."""
import random

import numpy as np
import torch

import models as M
import portrait_words as P
from pulid_walk import alignment, aligned_walks, level, walk


def run(t, o, say, n):
    r, rows = random.Random(1), o.looked_at(o.rows(np.random.default_rng(1), n), np.random.default_rng(1), 0.)
    words = t.read([P.revealing(o.word(i), r, say) for i in rows])
    tokens, noise, sigma = t.encode(o.grey[rows], o.who[rows]), t.noise(n), torch.full((n,), .6, device=t.device)

    # without identity, and at weight 0, the evaluation is the base's, and it parts from nothing
    plain = M.load(M.MMDiT, t.start / 'transformer').to(t.device, torch.bfloat16).eval()
    with torch.no_grad():
        v = plain(noise.to(torch.bfloat16), *words, sigma * 1000).float()
        assert torch.equal(t.ask(noise, words, sigma, None, t.dit), v)
        assert torch.equal(t.dit(noise.to(torch.bfloat16), *words, sigma * 1000, inject=t.adapter.injection(tokens, sigma, weight=0)).float(), v)
        assert not torch.equal(t.ask(noise, words, sigma, tokens, t.dit), v)
        assert all(float(x) == 0 for x in aligned_walks(t, words, noise, None, range(t.steps)).values())
    assert all(torch.equal(p, q) for p, q in zip(t.dit.parameters(), plain.parameters())), 'the base has changed'
    assert not any(p.requires_grad for m in (t.dit, t.fast, t.ae, t.tower, t.text) for p in m.parameters())

    # the order of the picture's tokens is layout, not meaning
    with torch.no_grad():
        _, base = t.watch.during(lambda: t.ask(noise, words, level(noise, 1.)))
        turned = [[q.flip(2), k] for q, k in base]
        moved = alignment(turned, base)
    assert float(moved['sem']) < 1e-8 < 1e-3 < float(moved['layout']), moved

    # the identity loss reaches the encoder through decoder and walk; no step in the window: nothing does
    encoder = [p for p in t.adapter.resampler.parameters()]
    ask = lambda window, noise=noise: t.identity_loss(walk(t, words, noise, t.encode(o.grey[rows], o.who[rows]), window), [P.HUGE] * n, o.heads[rows]).mean()
    reached = torch.autograd.grad(ask(1), encoder, allow_unused=True)
    assert sum(float(g.float().abs().sum()) for g in reached if g is not None) > 0
    assert not ask(0).requires_grad
    free = noise.clone().requires_grad_()
    assert torch.autograd.grad(ask(t.steps - 1, free), free, allow_unused=True)[0] is None  # the first step lies outside
    assert float(torch.autograd.grad(ask(t.steps, free), free)[0].abs().sum()) > 0

    # nobody is the encoder of zeros, whoever was dropped
    gone = t.encode(o.grey[rows], o.who[rows], np.ones(n, bool))
    assert torch.equal(gone[0], gone[-1]) and not torch.equal(gone[0], tokens[0])
    print('checks passed', {k: round(float(v), 5) for k, v in moved.items()}, flush=True)
