"""The stages that train the identity adapter (PuLID, arXiv 2404.16022, on rectified flow), whose training code was never released.

    pulid-1   L_diff: flow loss of portraits given tokens of the head in the same picture (--other-look: the share that gets another picture of the person)
    pulid-2   + L_id = 1 - cos(phi(reference), phi(picture)): the picture is drawn from pure noise in few steps, decoded, and asked who it is; gradient through the last --window
              steps, the adapter and the decoder. --ablation naive: phi looks at the estimate of x0 in the flow loss instead -> pulid-2-naive
    pulid-3   + L_align = .6 L_sem + .1 L_layout (pulid_walk.py) between the walks with and without identity, from the same noise and prompt.
              --ablation teacher-forced: the base is asked at the states of the walk with identity -> pulid-3-teacher-forced
phi is work/identity-loss; work/identity is inside the encoder; work/judge-identity only measures. Only encoder and cross-attention change: there is no LoRA.
Few steps: the four-step student's where the base has one, else eight Euler steps without guidance. Resumable as the other stages: work/NAME.pt, work/NAME.jsonl,
work/adapters/NAME.safetensors with the averaged weights; what is no ablation also becomes work/base/identity_adapter/model.safetensors, with work/identity as identity_encoder beside it.
"""
import json
import random
import shutil
import time

import numpy as np
import torch

import adapter as A
import identity as I
import portrait_words
import portraits as P
import pulid_checks
from data import GRID, LATENT
from pairs import CAPTIONS, Speaker
from pulid_parts import Portraits, Pulid
from pulid_walk import aligned_walks, walk
from taming import stratified

DROP_TEXT, DROP_WHO, DROP_BOTH = .05, .05, .05
TERMS = {1: ('flow',), 2: ('flow', 'identity'), 3: ('flow', 'identity', 'sem', 'layout')}


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
        x0, words, sigma = t.latents(o.latents[rows]), t.words(o.ids[rows, r.integers(0, CAPTIONS, batch)], no_text), stratified(batch, t.device, a.shift)
        noise, s = torch.randn_like(x0), sigma[:, None, None, None]
        x = (1 - s) * x0 + s * noise
        v = t.ask(x, words, sigma, t.encode(o.grey[looked], o.who[looked], nobody), t.dit)
        out = dict(flow=((v - (noise - x0)).pow(2) * o.weights(rows, a.head_share).to(t.device)).mean())
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
        end = walk(t, t.read([portrait_words.portrait(w, words_r, say) for w in called]), t.noise(few), tokens, t.window)
        return dict(identity=t.identity_loss(end, [portrait_words.HUGE] * few, o.heads[rows]).mean())

    def aligned():
        """Both walks from the same noise and prompt."""
        _, tokens, called = somebody()
        words = t.read([portrait_words.revealing(w, words_r, say) for w in called])
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
        weights = o.weights(rows, a.head_share).to(t.device)
        off = lambda at: None if at is None else t.encode(o.grey[at], o.who[at])
        out = {k: float(((t.ask((1 - s) * x0 + s * noise, words, sigma, off(at), t.dit) - (noise - x0)).pow(2) * weights).mean()) for k, at in (('base', None), ('tokens', looked), ('wrong', np.roll(looked, looks)))}
        firsts = np.arange(0, o.about['held'], looks)[:4 if a.smoke else 24]
        tokens, fixed = t.encode(o.grey[firsts], o.who[firsts]), random.Random(5)
        first_noise = torch.randn(len(firsts), LATENT, GRID, GRID, generator=g).to(t.device)
        if (a.work / 'judge-identity/model.safetensors').exists():
            judge = P.network(I.Judge, a.work / 'judge-identity', t.device)
            end = walk(t, t.read([portrait_words.portrait(o.word(i), fixed, say) for i in firsts]), first_noise, tokens, 0)
            out['cosine'] = float((judge(t.faces(end, [portrait_words.HUGE] * len(firsts))) * judge(I.pixels(o.heads[firsts], t.device))).sum(-1).mean())
        prompts = t.read([portrait_words.revealing(o.word(i), fixed, say) for i in firsts])
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
            shutil.copytree(a.work / 'identity', a.work / 'base/identity_encoder', dirs_exist_ok=True)  # its embeddings are what this adapter reads
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
