"""The stages that teach a four-step student: a LoRA on the transformer that covers a quarter of the teacher's guided way in one step.

`ways` walks the teacher from noise to picture as the page does (16 steps of DPM++ 2M, guidance 3) and keeps the latents at sigma 1, 3/4, 1/2, 1/4, 0:
for captions of the world, and, with --objects and --portraits (folders of those stages), with the tokens of a picture in one of the base's adapters at strength 1.
`student` learns, at each of the four sigmas, the mean velocity to the teacher's next latent: guidance is folded in, so that a picture costs four evaluations
instead of 32. It starts from where its own steps have brought it, more often than from where the teacher was, so that it mends what it did before.
Saved as base/student/pytorch_lora_weights.safetensors in diffusers' names; measure.py and the page draw with it.
"""
import json
import math
import random
import time

import numpy as np
import torch
import torch.nn as nn
from safetensors.torch import load_file, save_file

import adapter as A
import joint
import world as W
from data import GRID, LATENT
from sampling import Base, grid

STEPS, FINE, GUIDANCE, RANK = 4, 4, 3., 32  # the student's steps; the teacher's for each of them; guidance; rank of the LoRA
KINDS = ('plain', 'object', 'identity')
SHARES = (.55, .27, .18)                    # of the ways, and of the student's batches, where all kinds are there
OF_THE_TEACHER = .3                         # of the latents that the student starts a later step from; the rest are its own
SITES = ('to_q', 'to_k', 'to_v', 'add_q_proj', 'add_k_proj', 'add_v_proj', 'to_add_out', 'to_out.0', 'net.0.proj', 'net.2', 'norm1.linear')


class Lora(nn.Module):
    """Around a linear layer, or one that already has an adapter's LoRA; f32 matrices, whatever the layer is."""

    def __init__(self, linear, rank):
        super().__init__()
        plain = linear.linear if isinstance(linear, A.Tuned) else linear
        self.linear = linear.requires_grad_(False)
        self.a, self.b = nn.Parameter(torch.randn(rank, plain.in_features, device=plain.weight.device) / math.sqrt(plain.in_features)), nn.Parameter(torch.zeros(plain.out_features, rank, device=plain.weight.device))

    def forward(self, x):
        return self.linear(x) + x @ self.a.to(x.dtype).t() @ self.b.to(x.dtype).t()


def attach(dit, rank=RANK):
    """Puts a LoRA on every site of every block -> {diffusers name: Lora}."""
    out = {}
    for name, m in [(n, m) for n, m in dit.transformer_blocks.named_modules() if isinstance(m, (nn.Linear, A.Tuned)) and n.endswith(SITES)]:
        parent, leaf = dit.transformer_blocks.get_submodule(name.rpartition('.')[0]), name.rpartition('.')[2]
        out[f'transformer.transformer_blocks.{name}'] = Lora(m, rank)
        if leaf.isdigit():
            parent[int(leaf)] = out[f'transformer.transformer_blocks.{name}']
        else:
            setattr(parent, leaf, out[f'transformer.transformer_blocks.{name}'])
    return out


def load_student(base):
    """The base with its student's weights added to the transformer: draw with 4 steps, guidance 1."""
    saved = load_file(base.folder / 'student/pytorch_lora_weights.safetensors')
    state = dict(base.dit.named_parameters())
    for key in {k.rpartition('.lora_')[0] for k in saved}:
        w = state[key.removeprefix('transformer.') + '.weight']
        w.data += (saved[f'{key}.lora_B.weight'].float() @ saved[f'{key}.lora_A.weight'].float()).to(w)
    return base


class Teacher:
    """A base with its picture adapters, in bf16 on a CPU too, and how it is asked: kind, words and tokens."""

    def __init__(self, base, kinds):
        self.base, self.adapters, self.switch = base, {}, {'on': False}
        for kind in kinds[1:]:
            adapter, switch, tuned = A.load(base.folder / f'{kind}_adapter/model.safetensors', base.dit)
            self.adapters[kind] = adapter.to(base.device, torch.bfloat16).requires_grad_(False)
            self.switch = switch if tuned else self.switch
        base.dit.to(torch.bfloat16).requires_grad_(False)

    def read(self, ids):
        """ids [B,L] -> words in bf16."""
        from flow import condition
        with torch.no_grad():
            return [x.to(torch.bfloat16) for x in condition(self.base.text, torch.from_numpy(np.asarray(ids, np.int64)).to(self.base.device))]

    def ask(self, kind, x, words, sigma, tokens=None):
        """One evaluation; sigma [B]. Tokens may be fewer than pictures: the later ones see nothing then, but the adapter's own LoRA acts on all."""
        self.switch['on'] = kind == 'object' and tokens is not None
        inject = None if tokens is None else self.adapters[kind].injection(tokens, sigma)
        v = self.base.dit(x.to(torch.bfloat16), *words, sigma * 1000, inject=inject).float()
        self.switch['on'] = False
        return v

    @torch.no_grad()
    def way(self, kind, noise, words, nothing, tokens=None, nobody=None):
        """[B,STEPS + 1,...]: from noise to picture at strength 1, where the terms without tokens cancel: v0 + 3 [v(words, tokens) - v0], v0 on nothing and, of an identity, nobody."""
        x, before, out = noise, None, [noise]
        sigmas = torch.linspace(1, 0, STEPS * FINE + 1).tolist()
        for i, (now, then) in enumerate(zip(sigmas, sigmas[1:])):
            s = torch.full((len(x),), now, device=x.device)
            if kind == 'object':  # its own LoRA acts where tokens do
                v0, v = self.ask('plain', x, nothing, s), self.ask(kind, x, words, s, tokens)
            else:
                both = [torch.cat(w) for w in zip(words, nothing)]
                v, v0 = self.ask(kind, torch.cat([x, x]), both, s.repeat(2), None if tokens is None else torch.cat([tokens, nobody])).chunk(2)
            clean = x - now * (v0 + GUIDANCE * (v - v0))
            ahead = math.log(now / then) / (2 * math.log(before[1] / now)) if before and then else 0.
            towards = clean if before is None else (1 + ahead) * clean - ahead * before[0]
            x, before = then / now * x + (1 - then / now) * towards, (clean, now)
            if (i + 1) % FINE == 0:
                out.append(x)
        return torch.stack(out, 1)


class Subjects:
    """What the ways are of: ids and tokens of some of the pictures that the adapters' stages have made, and captions of the world."""

    def __init__(self, a, teacher):
        self.t, self.r, self.random = teacher, np.random.default_rng(a.seed), random.Random(a.seed)
        self.world, self.device = W.World(backgrounds_each=1), a.device
        if 'object' in teacher.adapters:
            from taming import Objects
            self.objects = Objects(a.objects, a.device)
        if 'identity' in teacher.adapters:
            from transformers import CLIPVisionModelWithProjection

            from pulid_parts import Portraits
            self.portraits, start = Portraits(a.portraits), a.start or a.work / 'base'
            self.tower = CLIPVisionModelWithProjection.from_pretrained(start / 'image_encoder').to(a.device, torch.bfloat16).eval()
            self.nobody = self.faces(self.portraits.grey[:1], self.portraits.who[:1], False)

    @torch.no_grad()
    def faces(self, grey, who, there=True):
        return A.encode_heads(self.t.adapters['identity'], self.tower, grey, who, torch.full((len(grey),), float(there), device=self.device))

    @torch.no_grad()
    def some(self, kind, n):
        """-> ids [n,L], tokens [n,N,width] or None."""
        from pairs import CAPTIONS
        which = self.r.integers(0, CAPTIONS, n)
        if kind == 'object':
            from taming import hidden_states
            rows, looked = self.objects.pairs(self.r, n, True)
            return self.objects.ids[rows, which], self.t.adapters['object'].encode(hidden_states(self.objects.hidden[looked], self.device))
        if kind == 'identity':
            rows = self.portraits.rows(self.r, n)
            looked = self.portraits.looked_at(rows, self.r, .5)
            return self.portraits.ids[rows, which], self.faces(self.portraits.grey[looked], self.portraits.who[looked])
        return np.array([self.t.base.tokenizer(W.caption(self.world.random_scene(self.random), self.random)) for _ in range(n)], np.int16), None


def kinds_of(a):
    return tuple(k for k, there in zip(KINDS, (True, a.objects, a.portraits)) if there)


def ways(a):
    """work/ways.npy [N,5,16,16,16] f16, ways-ids.npy [N,24], ways-tokens.npy [N,32,192] f16 (zeros where there are none) and ways.json: how many, and the kind of each part of them. --resume goes on."""
    base, kinds = Base(a.start or a.work / 'base', a.device), kinds_of(a)
    teacher = Teacher(base, kinds)
    subjects = Subjects(a, teacher)
    n, size = (24, 8) if a.smoke else (a.count, 64 if a.device == 'cpu' else 512)
    tokens_shape = next(((len(t.resampler.latents), t.resampler.proj_out.out_features) for t in teacher.adapters.values()), (1, 1))
    names = dict(ways=(np.float16, (STEPS + 1, LATENT, GRID, GRID)), ids=(np.int16, (len(base.tokenizer('')),)), tokens=(np.float16, tokens_shape))
    file = lambda k: a.work / (f'ways-{k}.npy' if k != 'ways' else 'ways.npy')
    about = json.loads((a.work / 'ways.json').read_text()) if a.resume and (a.work / 'ways.json').exists() else dict(done=0, size=size, kinds=[])
    if not about['done']:
        for k, (dtype, shape) in names.items():
            np.lib.format.open_memmap(file(k), mode='w+', dtype=dtype, shape=(n, *shape)).flush()
    out = {k: np.load(file(k), mmap_mode='r+') for k in names}
    subjects.r, subjects.random = np.random.default_rng(a.seed + about['done']), random.Random(a.seed + about['done'])
    shares, start, first = SHARES[:1] if len(kinds) == 1 else [SHARES[KINDS.index(k)] for k in kinds], time.time(), about['done']
    for i in range(about['done'], n, size):
        m, counts = min(size, n - i), [about['kinds'].count(k) for k in kinds]
        kind = kinds[int(np.argmax([s / (c + 1) for s, c in zip(shares, counts)]))]  # whichever is most behind its share
        ids, tokens = subjects.some(kind, m)
        noise = base.noise(m, a.seed + i)
        nobody = subjects.nobody.expand(m, -1, -1) if kind == 'identity' else None
        out['ways'][i:i + m] = teacher.way(kind, noise, teacher.read(ids), teacher.read(np.array([base.tokenizer('')] * m)), tokens, nobody).cpu().numpy()
        out['ids'][i:i + m] = ids
        if tokens is not None:
            out['tokens'][i:i + m] = tokens.float().cpu().numpy()
        about['kinds'].append(kind)
        about['done'] = i + m
        if (i // size) % 10 == 9 or i + m == n:
            [x.flush() for x in out.values()]
            (a.work / 'ways.json').write_text(json.dumps(about))
            print(f'{i + m} ways, {(i + m - first) / (time.time() - start):.2f} a second', flush=True)


def student(a):
    """Learns from the ways that are there; --resume goes on. Ends with work/student.png: rows of teacher and student, eight held-out ways of each kind."""
    about, base = json.loads((a.work / 'ways.json').read_text()), Base(a.start or a.work / 'base', a.device)
    kinds = tuple(k for k in KINDS if k in about['kinds'])
    teacher = Teacher(base, kinds)
    way, ids, tokens = (np.load(a.work / f'{n}.npy', mmap_mode='r') for n in ('ways', 'ways-ids', 'ways-tokens'))
    of = {k: np.concatenate([np.arange(i * about['size'], min((i + 1) * about['size'], about['done'])) for i, x in enumerate(about['kinds']) if x == k]) for k in kinds}
    held = {k: v[-max(4, min(64, len(v) // 10)):] for k, v in of.items()}
    of = {k: v[:-len(held[k])] for k, v in of.items()}
    torch.manual_seed(0)
    sites = attach(base.dit)
    weights = {f'{n}.{k}': getattr(s, k) for n, s in sites.items() for k in 'ab'}
    mean = {k: p.detach().clone() for k, p in weights.items()}
    opt = torch.optim.AdamW(weights.values(), 1e-3, weight_decay=0., betas=(.9, .97))
    part, minutes, r = (2, .3, np.random.default_rng(int(time.time()))) if a.smoke else (a.batch // STEPS, a.minutes, np.random.default_rng(int(time.time())))
    step, spent, begun = 0, 0., time.time()
    if a.resume and (a.work / 'student.pt').exists():
        saved = torch.load(a.work / 'student.pt', map_location=a.device)
        opt.load_state_dict(saved['opt'])
        step, spent = saved['step'], saved['spent']
        with torch.no_grad():
            for k, p in weights.items():
                p.copy_(saved['weights'][k]), mean[k].copy_(saved['mean'][k])

    if a.device == 'cpu':
        joint.compiled()  # so that its minute is not the training's
        begun = time.time()
    latents = lambda rows, k: torch.from_numpy(way[rows, k].astype(np.float32)).to(a.device)
    seen = lambda kind, rows: None if kind == 'plain' else torch.from_numpy(tokens[rows]).to(a.device, torch.bfloat16)

    def ask(kind, x, rows, k):
        return teacher.ask(kind, x, teacher.read(ids[rows]), torch.from_numpy(1 - k / STEPS).float().to(a.device), seen(kind, rows))

    @torch.no_grad()
    def walked(kind, rows):
        x = latents(rows, 0)
        for k in range(STEPS):
            x = x - ask(kind, x, rows, np.full(len(rows), k)) / STEPS
        return x

    @torch.no_grad()
    def validate():
        """Root mean square of the difference to the teacher's picture over the picture's own, by kind, with the averaged weights."""
        now = {k: p.detach().clone() for k, p in weights.items()}
        [p.copy_(mean[k]) for k, p in weights.items()]
        out = {kind: round(float((walked(kind, rows) - (end := latents(rows, STEPS))).pow(2).mean().sqrt() / end.pow(2).mean().sqrt()), 4) for kind, rows in held.items()}
        [p.copy_(now[k]) for k, p in weights.items()]
        return out

    def save():
        torch.save(dict(opt=opt.state_dict(), weights=weights, mean=mean, step=step, spent=spent + time.time() - begun), a.work / 'student.tmp')
        (a.work / 'student.tmp').replace(a.work / 'student.pt')
        folder = a.work / 'base/student'
        folder.mkdir(parents=True, exist_ok=True)
        save_file({f'{n}.lora_{k.upper()}.weight': mean[f'{n}.{k}'].cpu().half().contiguous() for n in sites for k in 'ab'}, folder / 'pytorch_lora_weights.safetensors',
                  metadata={'format': 'pt', 'steps': str(STEPS), 'guidance': '1', 'lamina.base_sha256': A.sha256_of(base.folder)})
        print(f'student {step} {time.time() - begun:.0f}s, of the teacher\'s picture', validate(), flush=True)

    print('rank', RANK, round(sum(p.numel() for p in weights.values()) / 1e6, 2), 'M;', {k: len(v) for k, v in of.items()}, 'ways; before', validate(), flush=True)
    fresh = lambda kind: r.choice(of[kind], part)
    slots = {kind: [] for kind in kinds}  # of each kind, pictures that are at step 0, 1, 2, 3 of their way
    shares = np.array([SHARES[KINDS.index(k)] for k in kinds])
    last, log = time.time(), []
    while (done := (spent + time.time() - begun) / (minutes * 60)) < 1:
        step += 1
        kind = r.choice(kinds, p=shares / shares.sum())
        slots[kind] = [(rows, x) for rows, x in slots[kind]][-(STEPS - 1):] + [(rows := fresh(kind), latents(rows, 0))]
        at = np.repeat(np.arange(len(slots[kind]))[::-1], part)  # the oldest is furthest
        rows, x = np.concatenate([s[0] for s in slots[kind]]), torch.cat([s[1] for s in slots[kind]])
        goal = torch.from_numpy(way[rows, at + 1].astype(np.float32)).to(a.device)
        v = ask(kind, x, rows, at)
        loss = (v - (x - goal) * STEPS).pow(2).mean()
        for g in opt.param_groups:
            g['lr'] = 1e-3 * min(1, step / 50) * max(.01, min(1, (1 - done) / .6))
        opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(weights.values(), 1.)
        opt.step()
        with torch.no_grad():
            own = (x - v / STEPS).split(part)
            slots[kind] = [(s[0], goal[i * part:(i + 1) * part] if r.random() < OF_THE_TEACHER else own[i]) for i, s in enumerate(slots[kind])]
            for k, p in weights.items():
                mean[k].lerp_(p, 1 - min(.997, 1 - 1 / (step / 5 + 2)))
        log.append(loss.item())
        if step % (5 if a.smoke else 50) == 0:
            print(f'student {step} {time.time() - begun:.0f}s loss {np.mean(log[-50:]):.4f}', flush=True)
        if time.time() - last > a.save_every * 60:
            save()
            last = time.time()
    save()
    with torch.no_grad():
        [p.copy_(mean[k]) for k, p in weights.items()]
        grid(torch.cat([base.decode(x).cpu() for kind, rows in held.items() for x in (latents(rows[:8], STEPS), walked(kind, rows[:8]))]), a.work / 'student.png')
