"""The stage that trains the autoencoder, from scratch or on from an earlier one whose latents it keeps near.

Resumable (work/vae.pt)."""
import copy
import math
import time

import numpy as np
import torch
import torch.nn.functional as F

import models as M
import world as W
from data import HELD, LATENT, SIZES

CROP = 64  # training sees crops: four times the pictures at the same cost


def vae(a):
    assert a.start or not a.freeze_encoder, '--freeze-encoder keeps the latents of an autoencoder that is there: name its base with --start'
    folder = a.work / 'base/vae'
    if a.start:
        m = M.load(M.TinyAutoencoder, a.start / 'vae').float()
    else:
        m = M.TinyAutoencoder(SIZES[a.size]['vae'], LATENT, (0, 1, 2, 3), (3, 2, 1, 0))
    m.to(a.device).to(memory_format=torch.channels_last)
    old = copy.deepcopy(m).requires_grad_(False) if a.start else None
    pixels, squares = np.load(a.work / 'pixels.npy', mmap_mode='r'), np.load(a.work / 'squares.npy')
    lr = 6e-4 if a.start else 1.5e-3
    if a.freeze_encoder:
        m.encoder.requires_grad_(False)
    opt = torch.optim.AdamW([p for p in m.parameters() if p.requires_grad], lr, betas=(.9, .98), weight_decay=0)
    people = np.flatnonzero(squares[:-HELD, :2, 0].max(1) > len(W.NOUNS))  # small features: eyes, mouths
    goal = 20 if a.smoke else a.steps
    start, step, r = time.time(), 0, np.random.default_rng(int(time.time()))
    if a.resume and (a.work / 'vae.pt').exists():
        saved = torch.load(a.work / 'vae.pt', map_location=a.device)
        m.load_state_dict(saved['model']), opt.load_state_dict(saved['opt'])
        step = saved['step']
    first = step
    dx, dy = (lambda t: t[..., 1:] - t[..., :-1]), (lambda t: t[..., 1:, :] - t[..., :-1, :])
    while step < goal:
        for g in opt.param_groups:
            g['lr'] = lr * min(1, step / 100) * max(.02, 1 - step / goal)
        pick = np.concatenate([r.integers(0, len(pixels) - HELD, a.batch // 2), r.choice(people, a.batch - a.batch // 2)])
        crops = []
        for k, i in enumerate(pick):
            y, x = r.integers(0, W.SIZE - CROP + 1, 2)
            if k >= a.batch // 2:  # a person: the crop holds the head, which is in the upper part of the square
                s = squares[i][squares[i, :, 0] > len(W.NOUNS)][0] * W.CELL
                x, y = (int(np.clip(v + r.integers(-14, 15), 0, W.SIZE - CROP)) for v in (s[1] + s[3] / 2 - CROP / 2, s[2] + s[3] * .36 - CROP / 2))
            crops.append(pixels[i, y:y + CROP, x:x + CROP])
        img = torch.from_numpy(np.stack(crops)).to(a.device).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        with torch.autocast(a.device, dtype=torch.bfloat16):
            z = m.encode(img).float()
            out = m.decode(z + .05 * torch.randn_like(z)).float()
            if old is not None and not a.freeze_encoder:
                with torch.no_grad():
                    before = old.encode(img).float()
        loss = (out - img).abs().mean() + .5 * (out - img).pow(2).mean() + ((dx(out) - dx(img)).abs().mean() + (dy(out) - dy(img)).abs().mean())
        if a.freeze_encoder:
            pass
        elif old is None:  # latents of mean 0 and deviation 1 in each channel, which the flow needs
            loss = loss + .02 * (z.mean((0, 2, 3)).pow(2) + (z.std((0, 2, 3)) - 1).pow(2)).sum()
        else:  # the transformer that is trained on knows the old latents
            loss = loss + a.keep * F.mse_loss(z, before)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in m.parameters() if p.requires_grad], 1.)
        opt.step()
        step += 1
        if step % 50 == 0:
            moved = F.mse_loss(z, before).item() / before.var().item() if old is not None and not a.freeze_encoder else 0
            print(f'vae {step} {time.time() - start:.0f}s loss {loss.item():.4f} psnr {10 * math.log10(4 / (out - img).pow(2).mean().item()):.2f} z {z.std().item():.2f} moved {moved:.3f}', flush=True)
            torch.save(dict(model=m.state_dict(), opt=opt.state_dict(), step=step), a.work / 'vae.tmp')
            (a.work / 'vae.tmp').replace(a.work / 'vae.pt')
            M.save(m, folder)
    M.save(m, folder)
    print(f'{(step - first) / (time.time() - start):.2f} steps a second')
