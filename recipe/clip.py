"""The stage that trains the CLIP image tower against the frozen text tower.

Backgrounds are learned from captions alone, nouns are not: a batch holds few captions that differ in nothing but the noun. So each caption is also set against itself with another noun in its place
(`Swaps`), and heads that do not ship ask the embedding for every fact and each patch for what it shows."""
import json
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from transformers import CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModelWithProjection

import world as W
from data import CAPTIONS, HELD, SIZES, load_tokenizer
from flow import LayoutHead
from optim import Muon

ASKED = [k for k in W.FACTS if k not in ('noun', 'second', 'identity')]  # each has a head; nouns have one together, for a picture may show several


def vision_config(size, **more):
    """Of the image tower of a base of this size."""
    s = SIZES[size]
    return CLIPVisionConfig(
        hidden_size=s['vision'], intermediate_size=4 * s['vision'], num_hidden_layers=s['vision_layers'], num_attention_heads=s['vision'] // 48 if s['vision'] % 64 else s['vision'] // 64,
        image_size=W.SIZE, patch_size=16, hidden_act='quick_gelu', **more)


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


class Swaps:
    """Captions with another noun in the place of one of theirs."""

    def __init__(self, tokens):
        self.of = np.full(len(tokens.ids), -1)  # token -> noun
        for forms in (lambda n: [n], lambda n: [W.plural(n)], lambda n: [*W.CLASSES[n][0], *map(W.plural, W.CLASSES[n][0])]):
            for k, n in enumerate(W.NOUNS):
                for form in forms(n):
                    ids = tokens.word(form) if ' ' not in form else []
                    if len(ids) == 1 and self.of[ids[0]] < 0:
                        self.of[ids[0]] = k
        one, many = [tokens.word(n) for n in W.NOUNS], [tokens.word(W.plural(n)) for n in W.NOUNS]
        self.known = [k for k in range(len(W.NOUNS)) if len(one[k]) == len(many[k]) == 1]
        self.one, self.many = (np.array([ids[k][0] for k in self.known]) for ids in (one, many))

    def __call__(self, ids, squares, r, count):
        """ids [B,24], squares [B,4,4] -> (rows [N,24], whose [N]): up to `count` a caption, none that names what its picture shows."""
        rows, whose = [], []
        for i, row in enumerate(ids):
            at = np.flatnonzero(self.of[row] >= 0)
            if not len(at):
                continue
            at, shown = at[0], set(squares[i, :, 0] - 1) | set(self.of[row[at]])  # the first is what the caption is about
            others = self.many if row[at] in self.many and row[at] not in self.one else self.one
            for k in r.choice(len(self.known), count, replace=False):
                if self.known[k] not in shown:
                    rows.append(np.where(np.arange(len(row)) == at, others[k], row))
                    whose.append(i)
        return np.array(rows), np.array(whose)


def clip(a):
    text = CLIPTextModelWithProjection.from_pretrained(a.work / 'base/text_encoder').float().eval().to(a.device)
    width = text.config.projection_dim
    vision = CLIPVisionModelWithProjection(vision_config(a.size, projection_dim=width))
    if a.start:
        vision = CLIPVisionModelWithProjection.from_pretrained(a.start / 'image_encoder').float()
    text.set_attn_implementation('eager'), vision.set_attn_implementation('eager')  # of few tokens: the fused one is slower on a CPU
    vision.to(a.device, torch.bfloat16), text.to(torch.bfloat16)
    scale = torch.nn.ParameterList([torch.tensor(math.log(14.), device=a.device)])
    heads, patches, swaps = Heads(width).to(a.device), LayoutHead(vision.config.hidden_size).to(a.device), Swaps(load_tokenizer(a.work / 'base'))
    trained = [vision, heads, patches, scale]
    opt = Muon(trained, lambda k: k.startswith('0.') and 'encoder.layers' in k, lr=a.lr, adam_lr=.12 * a.lr)
    pixels, ids = np.load(a.work / 'pixels.npy', mmap_mode='r'), np.load(a.work / 'ids.npy')
    squares, facts = (torch.from_numpy(np.load(a.work / f'{n}.npy')) for n in ('squares', 'facts'))
    minutes, batch = (.25, 32) if a.smoke else (a.minutes, a.batch)
    start, step, r, hits, right = time.time(), 0, np.random.default_rng(3), [], []
    while (done := (time.time() - start) / (minutes * 60)) < 1:
        step += 1
        pick = np.sort(r.integers(0, len(pixels) - HELD, batch))
        img = torch.from_numpy(pixels[pick]).to(a.device).permute(0, 3, 1, 2).to(torch.bfloat16).div(127.5).sub(1)
        said = np.asarray(ids[pick, step % CAPTIONS], np.int64)
        swapped, whose = swaps(said, np.asarray(squares[pick]), r, 3)
        with torch.no_grad():
            t, other = F.normalize(text(torch.from_numpy(np.concatenate([said, swapped])).to(a.device)).text_embeds.float(), dim=-1).split([batch, len(swapped)])
        seen = vision(img)
        v = F.normalize(seen.image_embeds.float(), dim=-1)
        logits, y, whose = scale[0].exp() * v @ t.t(), torch.arange(len(pick), device=a.device), torch.from_numpy(whose).to(a.device)
        nouns, known = heads(v, squares[pick].to(a.device), facts[pick].to(a.device))
        layout = patches(seen.last_hidden_state[:, 1:].float(), squares[pick].to(a.device))
        # each picture's own caption against the same with another noun: softmax over it and its swaps
        wrong = scale[0].exp() * (v[whose] * other).sum(1)
        own = logits.diagonal()
        total = torch.zeros(batch, device=a.device).index_add(0, whose, (wrong - own[whose]).clamp(max=60).exp())
        noun = torch.log1p(total)[total > 0].mean()
        loss = (F.cross_entropy(logits, y) + F.cross_entropy(logits.t(), y)) / 2 + noun + 10 * nouns + .5 * known + .5 * layout
        loss.backward()
        opt.step(min(1, step / 60) * max(.01, min(1, 1.5 * (1 - done))))
        hits.append((logits.argmax(1) == y).float().mean().item())
        right.append((wrong < own[whose]).float().mean().item())
        if step % 50 == 0:
            print(f'clip {step} {time.time() - start:.0f}s loss {loss.item():.3f} nouns {nouns.item():.4f} patches {layout.item():.3f} facts {known.item():.3f} own noun above another {np.mean(right[-50:]):.3f} top-1 of {batch}: {np.mean(hits[-50:]):.3f} scale {scale[0].exp().item():.1f}', flush=True)
    vision.float()
    opt.use(opt.ema)
    vision.save_pretrained(a.work / 'base/image_encoder')
    (a.work / 'base/image_encoder/logit_scale.json').write_text(json.dumps({'logit_scale': scale[0].exp().item()}))
