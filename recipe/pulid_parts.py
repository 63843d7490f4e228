"""What the stages of pulid.py share: the portraits' files, and a frozen base with an identity adapter, a quick student and the network that scores the loss."""
import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F

import adapter as A
import identity as I
import models as M
import people
import portraits as P
from data import GRID, LATENT
from pulid_walk import Watch
from student import STEPS as STUDENT_STEPS
from student import load_student
from taming import Training
from world import SIZE

STEPS = 8                         # of the walk where the base has no student
SLOWER = {1: 1., 2: .25, 3: .25}  # of the learning rate, by stage


class Portraits:
    """The files of the portraits stage."""

    def __init__(self, work):
        if not (work / 'portraits.json').exists():
            raise SystemExit('There are no portraits here: run the portraits stage first.')
        self.work = work
        self.latents, self.heads, self.grey, self.who, self.squares, self.ids = (np.load(work / f'portrait-{n}.npy', mmap_mode='r') for n in ('latents', 'heads', 'grey', 'who', 'squares', 'ids'))
        self.read()

    def read(self):
        self.about = json.loads((self.work / 'portraits.json').read_text())  # the portraits stage may still be at work

    def rows(self, r, n):
        return r.integers(self.about['held'], self.about['pictures'], n)

    def looked_at(self, rows, r, other):
        """The pictures whose heads the encoder sees: the same ones, or another of the person. A figure's head is too small: then the person's first picture."""
        looks = self.about['looks']
        anew = rows - rows % looks + (rows + r.integers(1, looks, len(rows))) % looks
        out = np.where(r.random(len(rows)) < other, anew, rows)
        return np.where(self.squares[out, 3] > 0, rows - rows % looks, out)

    def weights(self, rows, share):
        """[B,1,16,16], 1 on average: `share` of a loss is taken within the heads alone, for the rest of a picture says little of who it is."""
        out, k = np.full((len(rows), 1, GRID, GRID), 1 - share, np.float32), SIZE // GRID
        for w, square in zip(out[:, 0], self.squares[rows]):
            left, top, right, bottom = (v // k for v in I.head_box(P.head_square(square[:3].tolist(), square[3])))
            head = w[top:bottom + 1, left:right + 1]
            head += share * w.size / head.size
        return torch.from_numpy(out)

    def word(self, row):
        return people.identity(self.about['people'][row // self.about['looks']]).word


class Pulid(Training):
    """A frozen base, an identity adapter, the student that draws quickly, and the network that scores the loss."""

    def __init__(self, a, stage):
        start = a.start or a.work / 'base'
        width = json.loads((start / 'image_encoder/config.json').read_text())['projection_dim']
        super().__init__(argparse.Namespace(**{**vars(a), 'without': ['tuning'], 'lr': a.lr * SLOWER[stage]}), 'identity', I.WIDTH + width)
        self.who = P.network(I.Scorer, a.work / 'identity-loss', self.device) if stage > 1 or a.smoke else None
        self.fast, self.steps = self.dit, STEPS
        if (start / 'student/pytorch_lora_weights.safetensors').exists():
            self.fast = load_student(argparse.Namespace(folder=start, dit=M.load(M.MMDiT, start / 'transformer'))).dit.to(self.device, torch.bfloat16).requires_grad_(False).eval()
            self.steps = STUDENT_STEPS
        self.steps = a.draw_steps or self.steps
        self.window = a.window if a.window >= 0 else self.steps if self.fast is not self.dit else 2
        self.watch = Watch(self.fast)

    def encode(self, grey, who, nobody=None):
        """Heads as the tower sees them [B,S,S] u8, embeddings [B,128] -> tokens [B,N,·]. nobody [B]: those become the encoder of zeros, the negative end of guidance."""
        there = torch.ones(len(grey)) if nobody is None else torch.from_numpy(~nobody).float()
        return A.encode_heads(self.adapter, self.tower, grey, who, there.to(self.device))

    def ask(self, x, words, sigma, tokens=None, dit=None):
        """One evaluation, by the base or its student; without tokens it is theirs, bit for bit."""
        dit = self.fast if dit is None else dit
        return dit(x.to(torch.bfloat16), *words, sigma * 1000, inject=self.adapter.injection(tokens, sigma)).float()

    def noise(self, n):
        return torch.randn(n, LATENT, GRID, GRID, device=self.device)

    def read(self, prompts):
        return self.words(np.array([self.tokenizer(p) for p in prompts], np.int16))

    def faces(self, latents, squares):
        """Latents -> pixels of the heads [B,3,64,64] of people who stand in those squares (x, y, side), with gradient."""
        pixels, out = self.pixels(latents), []
        for im, square in zip(pixels, squares):
            left, top, right, bottom = I.head_box(square)
            out.append(F.interpolate(im[None, :, top:bottom, left:right], size=I.SIDE, mode='bilinear', antialias=True))
        return torch.cat(out)

    def identity_loss(self, latents, squares, heads):
        """1 - cos(phi(head of the reference), phi(head that was drawn)), by picture."""
        with torch.no_grad():
            wanted = self.who(I.pixels(heads, self.device))
        return 1 - (self.who(self.faces(latents, squares)) * wanted).sum(-1)

    def start_from(self, path):
        """Averaged weights of the stage before."""
        if not path.exists():
            raise SystemExit(f'{path} is missing: this stage goes on from it.')
        saved = torch.load(path, map_location=self.device)['opt']['ema']
        for k in self.opt.master:
            self.opt.master[k].copy_(saved[k]), self.opt.ema[k].copy_(saved[k])
        self.opt.use(self.opt.master)
