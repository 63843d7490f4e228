"""The stage that trains the CLIP image tower against the frozen text tower, with heads for what a scene shows as aids that do not ship."""
import json
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from transformers import CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModelWithProjection

import world as W
from data import CAPTIONS, HELD, SIZES

ASKED = [k for k in W.FACTS if k not in ('noun', 'second', 'identity')]  # each has a head; nouns have one together, for a picture may show several


class Heads(torch.nn.Module):
    """Nouns and facts read from the normalised embedding."""

    def __init__(self, width):
        super().__init__()
        self.nouns = torch.nn.Linear(width, len(W.SHOWN) + 1)
        self.facts = torch.nn.ModuleDict({k: torch.nn.Linear(width, len(W.FACTS[k])) for k in ASKED})

    def forward(self, v, squares, facts):
        """v [B,width] normalised, squares [B,4,4], facts [B,FACTS] -> losses of nouns and of facts."""
        v = v * 14
        shown = torch.zeros(len(v), len(W.SHOWN) + 1, device=v.device).scatter_(1, squares[..., 0].long(), 1.)
        shown[:, 0] = 0
        nouns = F.binary_cross_entropy_with_logits(self.nouns(v), shown)
        known = [F.cross_entropy(head(v), facts[:, list(W.FACTS).index(k)].long(), ignore_index=-1) for k, head in self.facts.items() if (facts[:, list(W.FACTS).index(k)] >= 0).any()]
        return nouns, torch.stack(known).mean()


def clip(a):
    s = SIZES[a.size]
    text = CLIPTextModelWithProjection.from_pretrained(a.work / 'base/text_encoder').float().eval().to(a.device)
    width = text.config.projection_dim
    vision = CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=s['vision'], intermediate_size=4 * s['vision'], num_hidden_layers=s['vision_layers'], num_attention_heads=s['vision'] // 48 if s['vision'] % 64 else s['vision'] // 64,
        image_size=W.SIZE, patch_size=16, projection_dim=width, hidden_act='quick_gelu'))
    if a.start:
        vision = CLIPVisionModelWithProjection.from_pretrained(a.start / 'image_encoder').float()
    vision.to(a.device)
    scale, heads = torch.nn.Parameter(torch.tensor(math.log(14.), device=a.device)), Heads(width).to(a.device)
    opt = torch.optim.AdamW([*vision.parameters(), *heads.parameters(), scale], 1e-3, betas=(.9, .98), weight_decay=.05)
    pixels, ids = np.load(a.work / 'pixels.npy', mmap_mode='r'), np.load(a.work / 'ids.npy')
    squares, facts = (torch.from_numpy(np.load(a.work / f'{n}.npy')) for n in ('squares', 'facts'))
    minutes, batch = (.25, 32) if a.smoke else (a.minutes, a.batch)
    start, step, r, hits = time.time(), 0, np.random.default_rng(3), []
    while (done := (time.time() - start) / (minutes * 60)) < 1:
        step += 1
        for g in opt.param_groups:
            g['lr'] = 1e-3 * min(1, step / 100) * max(.02, 1 - done)
        pick = np.sort(r.integers(0, len(pixels) - HELD, batch))
        img = torch.from_numpy(pixels[pick]).to(a.device).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        with torch.no_grad():
            t = F.normalize(text(torch.from_numpy(ids[pick, step % CAPTIONS].astype(np.int64)).to(a.device)).text_embeds, dim=-1)
        with torch.autocast(a.device, dtype=torch.bfloat16):
            v = vision(img).image_embeds
        v = F.normalize(v.float(), dim=-1)
        logits, y = scale.exp() * v @ t.t(), torch.arange(len(pick), device=a.device)
        nouns, known = heads(v, squares[pick].to(a.device), facts[pick].to(a.device))
        loss = (F.cross_entropy(logits, y) + F.cross_entropy(logits.t(), y)) / 2 + 10 * nouns + .5 * known
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        hits.append((logits.argmax(1) == y).float().mean().item())
        if step % 50 == 0:
            print(f'clip {step} {time.time() - start:.0f}s loss {loss.item():.3f} nouns {nouns.item():.4f} facts {known.item():.3f} top-1 of {batch}: {np.mean(hits[-50:]):.3f} scale {scale.exp().item():.1f}', flush=True)
    vision.save_pretrained(a.work / 'base/image_encoder')
    (a.work / 'base/image_encoder/logit_scale.json').write_text(json.dumps({'logit_scale': scale.exp().item()}))
