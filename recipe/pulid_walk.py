"""Few-step walks from pure noise with an identity, gradient through their last steps, and what PuLID compares along two of them.

    response = softmax(K Q^T / sqrt(d)) Q                  what each text token finds in the picture, head by head
    L_sem    = |response(K, Q_id) - response(K, Q)|        L_layout = |Q_id - Q|
Q are a joint attention's queries of the picture stream, K its keys of the text stream, both behind QK-norm. K and Q without an index come from the walk without identity and are
constants: in this transformer the text stream is rewritten by the picture, so that K_id would be another question. | | is the mean square, or the paper's plain norm of a sample.
"""
import torch


class Watch:
    """Notes the picture's queries and the text's keys, [B,heads,·,d] each, of every block of a transformer while it is asked to."""

    def __init__(self, dit):
        self.seen, self.blocks = None, dit.transformer_blocks
        for block in self.blocks:
            block.attn.norm_q.register_forward_hook(lambda m, i, out: self.seen is not None and self.seen.append([out]) or None)
            block.attn.norm_added_k.register_forward_hook(lambda m, i, out: self.seen is not None and self.seen[-1].append(out) or None)

    def during(self, run):
        """-> (what run() gives, [[q, k] of each block])."""
        self.seen = []
        self.turn(True)
        try:
            return run(), self.seen
        finally:
            self.seen = None
            self.turn(False)

    def turn(self, on):
        """joint.cpp makes queries and keys at once, where nothing can be noted."""
        for block in self.blocks:
            block.attn.watched = on


def response(k, q):
    """k [B,H,T,d], q [B,H,N,d] -> [B,H,T,d]."""
    return (k @ q.transpose(-1, -2) * q.shape[-1] ** -.5).softmax(-1) @ q


def distance(a, b, reduction):
    d = (a - b).pow(2)
    return d.mean() if reduction == 'mse' else d.flatten(1).sum(1).add(1e-24).sqrt().mean()


def alignment(mine, base, reduction='mse'):
    """What the walks with and without identity saw, [[q, k] of each block] -> dict(sem, layout), means over the blocks; gradient in the queries with identity alone."""
    assert len(mine) == len(base) > 0, 'the walks were not watched'
    sem = layout = 0.
    for (q_id, _), (q, k) in zip(mine, base):
        q_id, q, k = q_id.float(), q.detach().float(), k.detach().float()
        sem = sem + distance(response(k, q_id), response(k, q), reduction)
        layout = layout + distance(q_id, q, reduction)
    return dict(sem=sem / len(base), layout=layout / len(base))


def times(t):
    sigmas = torch.linspace(1, 0, t.steps + 1).tolist()
    return list(zip(sigmas, sigmas[1:]))


def level(x, now):
    return torch.full((len(x),), now, device=x.device)


def walk(t, words, noise, tokens, window):
    """Latents of finished pictures; gradient through the last `window` steps, none when it is 0."""
    x = noise
    for i, (now, then) in enumerate(times(t)):
        with torch.set_grad_enabled(torch.is_grad_enabled() and i >= t.steps - window):
            x = x + (then - now) * t.ask(x, words, level(x, now), tokens)
        x = x if i >= t.steps - window else x.detach()
    return x


def aligned_walks(t, words, noise, tokens, steps, teacher_forced=False, reduction='mse'):
    """dict(sem, layout), means over those of the steps. The base walks its own way; teacher-forced it is asked at the states of the other walk. A step before the last t.window
    has its own gradient, and none of later steps."""
    x, base, out, steps = noise, noise, dict(sem=0., layout=0.), set(steps)
    for i, (now, then) in enumerate(times(t)):
        if i > max(steps):
            break
        inside = i >= t.steps - t.window
        if not (teacher_forced and i not in steps):
            with torch.no_grad():
                at = x.detach() if teacher_forced else base
                v, seen = t.watch.during(lambda: t.ask(at, words, level(at, now)))
                base = base + (then - now) * v
        with torch.set_grad_enabled(torch.is_grad_enabled() and (inside or i in steps)):
            v, mine = t.watch.during(lambda: t.ask(x, words, level(x, now), tokens))
            if i in steps:
                for k, loss in alignment(mine, seen, reduction).items():
                    out[k] = out[k] + loss / len(steps)
            x = x + (then - now) * v
        x = x if inside else x.detach()
    return out
