"""The stages that train the identity adapter (PuLID, arXiv 2404.16022, on rectified flow), whose training code was never released.

    pulid-1   L_diff: flow loss of portraits given tokens of the head in the same picture (--other-look: the share that gets another picture of the person)
    pulid-2   + L_id = 1 - cos(phi(reference), phi(picture)): the picture is drawn from pure noise in few steps, decoded, and asked who it is; gradient through the last --window
              steps, the adapter and the decoder. --ablation naive: phi looks at the estimate of x0 in the flow loss instead -> pulid-2-naive
    pulid-3   + L_align = .6 L_sem + .1 L_layout (pulid_walk.py) between the walks with and without identity, from the same noise and prompt.
              --ablation teacher-forced: the base is asked at the states of the walk with identity -> pulid-3-teacher-forced
phi is work/identity-loss; work/identity is inside the encoder; work/judge-identity only measures. Only encoder and cross-attention change: there is no LoRA.
Few steps: the four-step student's where the base has one, else eight Euler steps without guidance. Resumable as the other stages: work/NAME.pt, work/NAME.jsonl,
work/adapters/NAME.safetensors with the averaged weights; what is no ablation also becomes work/base/identity_adapter/model.safetensors.
"""
import argparse
import json
import random
import shutil
import time

import numpy as np
import torch
import torch.nn.functional as F

import adapter as A
import identity as I
import models as M
import people
import portraits as P
import pulid_checks
from data import GRID, LATENT
from pairs import CAPTIONS, Speaker
from pulid_walk import Watch, aligned_walks, walk
from student import STEPS as STUDENT_STEPS
from student import load_student
from taming import Training, stratified
from world import SIZE

STEPS = 8                                   # of the walk where the base has no student
DROP_TEXT, DROP_WHO, DROP_BOTH = .05, .05, .05
TERMS = {1: ('flow',), 2: ('flow', 'identity'), 3: ('flow', 'identity', 'sem', 'layout')}
SLOWER = {1: 1., 2: .25, 3: .25}            # of the learning rate, by stage


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
        x = torch.from_numpy(np.ascontiguousarray(grey)).to(self.device).float().div(127.5).sub(1)[:, None].expand(-1, 3, -1, -1)
        who = torch.from_numpy(np.asarray(who, np.float32)).to(self.device)
        there = torch.ones(len(x), device=self.device) if nobody is None else torch.from_numpy(~nobody).to(self.device).float()
        hidden, seen = A.see(self.tower, (x * there[:, None, None, None]).to(torch.bfloat16), self.adapter.read)
        return self.adapter.encode(hidden, (torch.cat([who, seen.float()], 1) * there[:, None]).to(torch.bfloat16))

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
        for im, (x, y, side) in zip(pixels, squares):
            left, top, k = x + I.HEAD[0] * side, y + I.HEAD[1] * side, I.HEAD[2] * side
            box = [int(round(v)) for v in (max(0, left), max(0, top), min(SIZE, left + k), min(SIZE, top + k))]
            out.append(F.interpolate(im[None, :, box[1]:box[3], box[0]:box[2]], size=I.SIDE, mode='bilinear', antialias=True))
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


def name_of(stage, a):
    return f'pulid-{stage}' + (f'-{a.ablation}' if a.ablation else '')


def train(a, stage):
    if a.ablation not in {1: ('',), 2: ('', 'naive'), 3: ('', 'teacher-forced')}[stage]:
        raise SystemExit(f'The ablation {a.ablation} belongs to another stage.')
    torch.manual_seed(int(time.time()))
    t, o, name, terms = Pulid(a, stage), Portraits(a.work), name_of(stage, a), TERMS[stage]
    if o.about['sha256'] != A.sha256_of(t.start):
        raise SystemExit('These portraits were made for another base: run the portraits stage for this one, in another --work.')
    checkpoint = a.work / f'{name}.pt'
    say, r, words_r = Speaker(t.tokenizer), np.random.default_rng(int(time.time())), random.Random(time.time())
    batch, few = (4, 2) if a.smoke else (a.batch, a.few)
    minutes, every, seen, spent, log = (.15, 1e9, 0, 0., []) if a.smoke else (a.minutes, a.save_every * 60, 0, 0., [])
    if a.resume and checkpoint.exists():
        saved = torch.load(checkpoint, map_location=a.device)
        t.opt.load(saved['opt'])
        seen, spent = saved['seen'], saved['spent']
        print('resumed at', seen, flush=True)
    elif stage > 1:
        t.start_from(a.work / f'pulid-{stage - 1}.pt')
    print(name, 'adapter', round(sum(p.numel() for p in t.adapter.parameters()) / 1e6, 2), 'M;', o.about['pictures'], 'portraits; terms', *terms, a.ablation, f'; {t.steps} steps, gradient through {t.window}', flush=True)

    def flow():
        """-> flow loss; naive: with the identity of the estimate of x0 beside it."""
        rows, k = o.rows(r, batch), r.random(batch)
        looked = o.looked_at(rows, r, a.other_look)
        no_text, nobody = (k < DROP_TEXT + DROP_BOTH), (k > DROP_TEXT) & (k < DROP_TEXT + DROP_BOTH + DROP_WHO)
        x0, words, sigma = t.latents(o.latents[rows]), t.words(o.ids[rows, r.integers(0, CAPTIONS, batch)], no_text), stratified(batch, t.device)
        noise, s = torch.randn_like(x0), sigma[:, None, None, None]
        x = (1 - s) * x0 + s * noise
        v = t.ask(x, words, sigma, t.encode(o.grey[looked], o.who[looked], nobody), t.dit)
        out = dict(flow=(v - (noise - x0)).pow(2).mean())
        if a.ablation == 'naive':
            at = np.flatnonzero(~nobody)[:few]
            out['identity'] = t.identity_loss((x - s * v)[at], [P.head_square(o.squares[i, :3], o.squares[i, 3]) for i in rows[at]], o.heads[looked[at]]).mean()
        return out

    def somebody():
        rows = o.looked_at(o.rows(r, few), r, 0.)
        return rows, t.encode(o.grey[rows], o.who[rows]), [o.word(i) for i in rows]

    def accurate():
        """Identity of finished pictures that began as pure noise."""
        rows, tokens, called = somebody()
        end = walk(t, t.read([P.portrait(w, words_r, say) for w in called]), t.noise(few), tokens, t.window)
        return dict(identity=t.identity_loss(end, [P.HUGE] * few, o.heads[rows]).mean())

    def aligned():
        """Both walks from the same noise and prompt."""
        _, tokens, called = somebody()
        words = t.read([P.revealing(w, words_r, say) for w in called])
        steps = range(t.steps) if t.window >= t.steps else [int(r.integers(t.steps))]
        return aligned_walks(t, words, t.noise(few), tokens, steps, a.ablation == 'teacher-forced', a.reduction)

    def step():
        losses = flow()
        if 'identity' in terms and a.ablation != 'naive':
            losses |= accurate()
        if 'sem' in terms:
            losses |= aligned()
        weights = dict(flow=1., identity=a.id_weight, sem=a.sem_weight, layout=a.layout_weight)
        sum(weights[k] * v for k, v in losses.items()).backward()
        return {k: v.item() for k, v in losses.items()}

    @torch.no_grad()
    def validate():
        """On held-out people: flow loss of the base, with tokens, with tokens of somebody else; who the drawn portraits are (the judge); how far the walks part."""
        t.opt.use(t.opt.ema)
        n, looks = min(4 if a.smoke else 96, o.about['held']), o.about['looks']
        rows, g = np.arange(n), torch.Generator().manual_seed(9)
        sigma = ((torch.arange(n) * 37 % n + .5) / n).to(t.device)
        s, x0, words = sigma[:, None, None, None], t.latents(o.latents[rows]), t.words(o.ids[rows, 0])
        noise = torch.randn(n, LATENT, GRID, GRID, generator=g).to(t.device)
        looked = o.looked_at(rows, np.random.default_rng(0), 1.)
        off = lambda at: None if at is None else t.encode(o.grey[at], o.who[at])
        out = {k: float((t.ask((1 - s) * x0 + s * noise, words, sigma, off(at), t.dit) - (noise - x0)).pow(2).mean()) for k, at in (('base', None), ('tokens', looked), ('wrong', np.roll(looked, looks)))}
        firsts = np.arange(0, o.about['held'], looks)[:4 if a.smoke else 24]
        tokens, fixed = t.encode(o.grey[firsts], o.who[firsts]), random.Random(5)
        first_noise = torch.randn(len(firsts), LATENT, GRID, GRID, generator=g).to(t.device)
        if (a.work / 'judge-identity/model.safetensors').exists():
            judge = P.network(I.Judge, a.work / 'judge-identity', t.device)
            end = walk(t, t.read([P.portrait(o.word(i), fixed, say) for i in firsts]), first_noise, tokens, 0)
            out['cosine'] = float((judge(t.faces(end, [P.HUGE] * len(firsts))) * judge(I.pixels(o.heads[firsts], t.device))).sum(-1).mean())
        prompts = t.read([P.revealing(o.word(i), fixed, say) for i in firsts])
        out |= {f'held {k}': float(v) for k, v in aligned_walks(t, prompts, first_noise, tokens, range(t.steps), False, a.reduction).items()}
        t.opt.use(t.opt.master)
        return {k: round(v, 4) for k, v in out.items()}

    def save():
        temporary = checkpoint.with_suffix('.tmp')
        torch.save(dict(opt=t.opt.state(), seen=seen, spent=spent + time.time() - begun), temporary)
        temporary.replace(checkpoint)
        path = a.work / f'adapters/{name}.safetensors'
        t.export(path)
        if not a.ablation:
            (a.work / 'base/identity_adapter').mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, a.work / 'base/identity_adapter/model.safetensors')
        mean = {k: round(float(np.mean([x[k] for x in log[-200:]])), 4) for k in (log[-1] if log else {})}
        line = dict(seen=seen, minutes=round((spent + time.time() - begun) / 60, 1), **mean, **validate())
        with open(a.work / f'{name}.jsonl', 'a') as f:
            f.write(json.dumps(line) + '\n')
        print(line, flush=True)

    begun, last, steps, first = time.time(), time.time(), 0, seen
    while (done := (spent + time.time() - begun) / (minutes * 60)) < 1 or (a.smoke and steps < 3):
        steps += 1
        log.append(step())
        t.opt.step(min(1, steps / (2 if a.smoke else 60)) * (min(1, max(.01, (1 - done) / a.anneal)) if a.anneal else 1))
        seen += batch
        if steps % 50 == 0:
            o.read()
            print(f'{name} {steps} {time.time() - begun:.0f}s {(seen - first) / (time.time() - begun):.1f} portraits/s seen {seen}', {k: round(float(np.mean([x[k] for x in log[-50:]])), 4) for k in log[-1]}, flush=True)
        if time.time() - last > every:
            save()
            last = time.time()
    if a.smoke:
        pulid_checks.run(t, o, say, few)
    save()
    print(round((a.work / f'adapters/{name}.safetensors').stat().st_size / 1e6, 2), 'MB')


def pulid_1(a):
    train(a, 1)


def pulid_2(a):
    train(a, 2)


def pulid_3(a):
    train(a, 3)
