"""The stage that trains the object adapter (Taming Encoder, arXiv 2304.02642, on rectified flow): regularised joint training, every part with a switch (--without).

    L = L_dom + beta L_gen + lambda L_idp + mu L_aid
    L_dom   flow loss of a picture given tokens of another picture of the same object (`cross`; without it, of the same picture), weighted towards the object
    L_gen   flow loss of general scenes with the object branch left out (`dropping`; a tenth of the objects' pictures are dropped too): it holds the tuned network to the text
    L_idp   1 - cos(E(x0 estimate, masked), E(reference, masked)) where sigma < .5 (`keeping`); E: the frozen tower's layers, averaged over places
    L_aid   squared error of the reference's crop as a small head reads it out of the tokens: an aid of training alone, so that they carry what the thing looks like and where (ours, not the paper's)
`tuning`: a LoRA on all blocks is trained beside the adapter, and acts only where tokens do. `masking` belongs to the objects stage: crops without background.
Resumable as the flow stage is: work/taming.pt, work/taming.jsonl, work/base/object_adapter/model.safetensors with the averaged weights.
"""
import json
import math
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from transformers import CLIPTextModelWithProjection, CLIPVisionModelWithProjection

import adapter as A
import models as M
from data import GRID, LATENT, load_tokenizer
from flow import condition
from optim import Muon
from pairs import CAPTIONS, GROUP

BETA, KEEP_WEIGHT, KEEP_BELOW = 1., .1, .5   # L_gen's weight, L_idp's, and the sigma below which it is asked for
DROP_OBJECT, DROP_TEXT = .1, .1
KEEP_SHARE = .05      # of the batch at most, for L_idp: the decoder costs more than the transformer
AID_SIDE = 32         # of the crop that is read out of the tokens as an aid
EMPHASIS = 5.         # latents of the object weigh 1 + this


def stratified(n, device, shift=1.):
    """Logit-normal sigmas [n], one of each n-th part; shift: moved towards noise as a scheduler's shift moves them."""
    u = (torch.randperm(n) + torch.rand(n)) / n
    sigma = torch.sigmoid(torch.erfinv((2 * u - 1).clamp(-.9999, .9999)) * math.sqrt(2)).to(device)
    return shift * sigma / (1 + (shift - 1) * sigma)


class Masters(nn.Module):
    """The LoRA's matrices under plain names, for the optimizer."""

    def __init__(self, tuned):
        super().__init__()
        self.names = [f'{n}.{k}' for n in tuned for k in 'ab']
        self.all = nn.ParameterList([getattr(t, k) for t in tuned.values() for k in 'ab'])


class Training:
    """A frozen base, an adapter and its LoRA; bf16 copies of f32 masters."""

    def __init__(self, a, kind, identity=0):
        self.a, self.device, self.start = a, a.device, a.start or a.work / 'base'
        self.dit, self.ae = M.load(M.MMDiT, self.start / 'transformer'), M.load(M.TinyAutoencoder, self.start / 'vae')
        self.tower = CLIPVisionModelWithProjection.from_pretrained(self.start / 'image_encoder')
        self.text, self.tokenizer = CLIPTextModelWithProjection.from_pretrained(self.start / 'text_encoder'), load_tokenizer(self.start)
        self.scale, self.shift = self.ae.config['scaling_factor'], self.ae.config['shift_factor']
        for m in (self.dit, self.ae, self.tower, self.text):
            m.to(self.device, torch.bfloat16).requires_grad_(False).eval()
        blocks = self.dit.config['num_layers']
        layers = list(range(1, self.tower.config.num_hidden_layers + 1))
        self.adapter = A.Adapter(kind, 'embedded', layers, self.tower.config.hidden_size, self.dit.config['caption_projection_dim'], range(0, blocks, 2), a.latents, a.width, a.width, a.width,
                                 self.dit.config['caption_projection_dim'], a.depth, identity).to(self.device)
        self.switch, self.tuned = ({'on': False}, {}) if 'tuning' in a.without else A.tune(self.dit, a.rank)
        self.lora = Masters(self.tuned)
        for t in self.tuned.values():
            t.a.data, t.b.data = t.a.data.float(), t.b.data.float()
        if a.adapter:
            A.restore(self.adapter, self.tuned, a.adapter)
        hidden = lambda k: ('.layers.' in k or '.to_' in k) and k.startswith('0.')
        self.opt = Muon([self.adapter, self.lora], hidden, lr=a.lr, adam_lr=.12 * a.lr)
        self.adapter.to(torch.bfloat16), self.lora.to(torch.bfloat16)
        self.opt.work = {f'{i}.{k}': p for i, m in enumerate((self.adapter, self.lora)) for k, p in m.named_parameters()}
        self.null = np.array(self.tokenizer(''), np.int16)

    def latents(self, rows):
        return (torch.from_numpy(np.asarray(rows, np.float32)).to(self.device) - self.shift) * self.scale

    @torch.no_grad()
    def words(self, ids, dropped=None):
        ids = ids.copy()
        if dropped is not None:
            ids[dropped] = self.null
        return condition(self.text, torch.from_numpy(ids.astype(np.int64)).to(self.device))

    def averaged(self):
        """The averages by the adapter file's names."""
        out = {k[2:]: v for k, v in self.opt.ema.items() if k.startswith('0.')}
        return out | {name: self.opt.ema[f'1.all.{i}'] for i, name in enumerate(self.lora.names)}

    def export(self, path):
        A.save(self.adapter, self.tuned, path, self.averaged(), A.sha256_of(self.start), self.a.gain)

    def velocity(self, x, words, sigma, tokens=None, tuned=True, **options):
        """Tokens for the first pictures, or for none; the LoRA acts on all of them."""
        self.switch['on'] = tuned
        v = self.dit(x.to(torch.bfloat16), *words, sigma * 1000, inject=self.adapter.injection(tokens, sigma, **options)).float()
        self.switch['on'] = False
        return v

    def pixels(self, latents):
        """Scaled latents -> pixels -1..1, with gradient."""
        return self.ae.decode((latents / self.scale + self.shift).to(torch.bfloat16)).float()


def hidden_states(rows, device):
    """bf16 stored as i16 -> bf16."""
    return torch.from_numpy(np.ascontiguousarray(rows)).to(device).view(torch.bfloat16)


def average_view(hidden):
    """Tower's hidden states [B,S,T,·] -> unit vectors [B,S,·]: each layer's patches, averaged. What L_idp compares."""
    return F.normalize(hidden[:, :, 1:].float().mean(2), dim=-1)


def cut(pixels, boxes, masks, size):
    """pixels [B,3,H,W], boxes [B,3] (left, top, side), masks of the crops [B,1,h,w] 0..1 -> crops [B,3,size,size], mid-grey outside the mask; with gradient."""
    side = pixels.shape[-1]
    k, mid = boxes[:, 2] / side, (boxes[:, :2] + boxes[:, 2:] / 2) / side * 2 - 1
    zero = torch.zeros_like(k)
    theta = torch.stack([torch.stack([k, zero, mid[:, 0]], -1), torch.stack([zero, k, mid[:, 1]], -1)], 1)
    crops = F.grid_sample(pixels, F.affine_grid(theta, (len(pixels), 3, size, size), align_corners=False), align_corners=False)
    return crops * F.interpolate(masks, size=size, mode='bilinear')


class Aid(nn.Module):
    """Reads a crop of AID_SIDE pixels out of the tokens: one attention of 64 places to them, and an MLP. It does not ship."""

    def __init__(self, tokens):
        super().__init__()
        self.places, self.norm = nn.Parameter(torch.randn(64, tokens) * .5), nn.LayerNorm(tokens)
        self.look = nn.MultiheadAttention(tokens, 4, batch_first=True)
        self.out = nn.Sequential(nn.LayerNorm(tokens), nn.Linear(tokens, 2 * tokens), nn.GELU(), nn.Linear(2 * tokens, 3 * (AID_SIDE // 8) ** 2))

    def forward(self, tokens):
        """tokens [B,N,.] -> [B,64,48]: the crop in eight rows of eight patches."""
        places, tokens = self.places.expand(len(tokens), -1, -1), self.norm(tokens)
        return self.out(places + self.look(places, tokens, tokens, need_weights=False)[0])

    @staticmethod
    def wanted(crops):
        """crops [B,h,w,4] u8 with their masks -> what forward should say: mid-grey outside the mask."""
        x = torch.from_numpy(crops.astype(np.float32)).permute(0, 3, 1, 2)
        x = F.interpolate((x[:, :3] / 127.5 - 1) * (x[:, 3:] / 255), size=AID_SIDE, mode='area')
        k = AID_SIDE // 8
        return x.unfold(2, k, k).unfold(3, k, k).permute(0, 2, 3, 1, 4, 5).reshape(len(x), 64, -1)


class Objects:
    """The files of the objects stage."""

    def __init__(self, work, device):
        self.about, self.device = json.loads((work / 'objects.json').read_text()), device
        names = ('object-latents', 'object-hidden', 'object-crops', 'object-masks', 'object-boxes', 'object-ids', 'general-latents', 'general-ids')
        self.latents, self.hidden, self.crops, self.masks, self.boxes, self.ids, self.general, self.general_ids = (np.load(work / f'{n}.npy', mmap_mode='r') for n in names)

    def pairs(self, r, n, cross):
        """-> rows to draw and rows to look at: others of the same object, or the same rows. Large objects are drawn more often, and looked at more often still: small ones show little."""
        first = r.integers(self.about['held'] // GROUP, self.about['objects'] // GROUP, n) * GROUP
        side = self.boxes[first[:, None] + np.arange(GROUP), 2]
        pick = lambda odds: (r.random((n, 1)) * odds.sum(1, keepdims=True) >= odds.cumsum(1)).sum(1).clip(max=GROUP - 1)
        drawn = pick(side)
        seen = side ** 2
        seen[np.arange(n), drawn] = 0
        return first + drawn, first + (pick(seen) if cross else drawn)

    def weights(self, rows):
        """[B,1,16,16]: 1 on the background, more on the object, 1 on average."""
        w = 1 + EMPHASIS * torch.from_numpy(self.masks[rows].astype(np.float32)).to(self.device).div(255)[:, None]
        return w / w.mean((2, 3), keepdim=True)


def taming(a):
    torch.manual_seed(a.seed)
    t, o = Training(a, 'object'), Objects(a.work, a.device)
    if o.about['sha256'] != A.sha256_of(t.start):
        raise SystemExit('These objects were encoded for another base: run the objects stage for this one, in another --work.')
    if o.about['masking'] == ('masking' in a.without):
        raise SystemExit('Crops with and without background are made by the objects stage: run it with the same --without, in a --work of its own.')
    cross, dropping, keeping = (x not in a.without for x in ('cross', 'dropping', 'keeping'))
    dropping = dropping and bool(t.tuned)  # without a tuned network there is nothing that general scenes could hold to the text
    batch = 8 if a.smoke else a.batch
    few = max(1, round(batch * a.general)) if dropping else 0
    minutes, every = (.3, 1e9) if a.smoke else (a.minutes, a.save_every * 60)
    seen, spent, log = 0, 0., []
    aid, aided = Aid(a.width).to(a.device), []
    aid_opt = torch.optim.AdamW(aid.parameters(), 1e-3)
    if a.resume and (a.work / 'taming.pt').exists():
        saved = torch.load(a.work / 'taming.pt', map_location=a.device)
        t.opt.load(saved['opt'])
        seen, spent = saved['seen'], saved['spent']
        if 'aid' in saved:
            aid.load_state_dict(saved['aid'])
        print('resumed at', seen, flush=True)
    torch.manual_seed(a.seed + seen)
    r = np.random.default_rng([a.seed, seen])
    print('adapter', round(sum(p.numel() for p in t.adapter.parameters()) / 1e6, 2), 'LoRA', round(sum(p.numel() for p in t.lora.parameters()) / 1e6, 2), 'M;', o.about['objects'], 'pictures of objects,', o.about['general'], 'general', flush=True)

    def step():
        n = batch - few
        rows, looked = o.pairs(r, n, cross)
        keep = n - int((r.random(n) < DROP_OBJECT).sum()) if dropping else n  # the first `keep` have tokens
        which = r.integers(0, CAPTIONS, batch)
        g = r.integers(0, o.about['general'], few)
        x0 = t.latents(np.concatenate([o.latents[rows], o.general[g]]))
        words = t.words(np.concatenate([o.ids[rows, which[:n]], o.general_ids[g, which[n:]]]), r.random(batch) < DROP_TEXT)
        sigma = stratified(batch, t.device, a.shift)
        noise, s = torch.randn_like(x0), sigma[:, None, None, None]
        tokens = t.adapter.encode(hidden_states(o.hidden[looked[:keep]], t.device))
        x = (1 - s) * x0 + s * noise
        v = t.velocity(x, words, sigma, tokens)
        each = (v - (noise - x0)).pow(2)
        domain = (each[:n] * o.weights(rows)).mean()
        loss = domain + (a.beta * each[n:].mean() if few else 0.)
        if a.aid_weight:
            with torch.autocast(t.device, dtype=torch.bfloat16):
                read = aid(tokens)
            off = F.mse_loss(read.float(), Aid.wanted(o.crops[looked[:keep]]).to(t.device))
            aided.append(off.item())
            loss = loss + a.aid_weight * off
        if keeping and a.keep_weight:
            low = (sigma[:keep] < KEEP_BELOW).nonzero()[:max(1, int(batch * KEEP_SHARE)), 0]
            if len(low):
                at = rows[low.cpu().numpy()]
                guess = t.pixels((x - s * v)[low])
                alpha = torch.from_numpy(o.crops[at][..., 3].astype(np.float32)).to(t.device).div(255)[:, None]
                crops = cut(guess, torch.from_numpy(o.boxes[at]).to(t.device), alpha, t.tower.config.image_size)
                out = t.tower(crops.to(torch.bfloat16), output_hidden_states=True)
                mine = average_view(torch.stack([out.hidden_states[i] for i in t.adapter.read], 1))
                theirs = average_view(hidden_states(o.hidden[looked[low.cpu().numpy()]], t.device))
                loss = loss + a.keep_weight * (1 - (mine * theirs).sum(-1)).mean()
        loss.backward()
        aid_opt.step()
        aid_opt.zero_grad(set_to_none=True)
        return domain.item()

    @torch.no_grad()
    def validate():
        """Flow loss on objects: the base's, with tokens of another picture of the object, of another object; on general scenes the base's and the tuned network's without tokens."""
        t.opt.use(t.opt.ema)
        size, out = 12 if a.smoke else min(144, o.about['held'], o.about['objects'] - o.about['held']), {}
        rows = np.arange(size)
        sigma = ((torch.arange(size) * 37 % size + .5) / size).to(t.device)
        s = sigma[:, None, None, None]

        def loss(latents, words, tokens, tuned, weights=1.):
            x0, noise = t.latents(latents), torch.randn(len(latents), LATENT, GRID, GRID, generator=torch.Generator().manual_seed(9)).to(t.device)
            v = t.velocity((1 - s[:len(x0)]) * x0 + s[:len(x0)] * noise, words, sigma[:len(x0)], tokens, tuned)
            return float(((v - (noise - x0)).pow(2) * weights).mean())

        look = lambda at: t.adapter.encode(hidden_states(o.hidden[at], t.device))
        for name, at in (('', rows), ('trained ', rows + o.about['held'])):  # held-out objects, and some that were learned from
            words, w, looked = t.words(o.ids[at, 0]), o.weights(at), at - at % GROUP + (at + 1) % GROUP
            out[name + 'base'] = loss(o.latents[at], words, None, False, w)
            out[name + 'tokens'] = loss(o.latents[at], words, look(looked), True, w)
            out[name + 'wrong'] = loss(o.latents[at], words, look(np.roll(looked, GROUP)), True, w)
        general = np.arange(min(size, o.about['general']))
        general_words = t.words(o.general_ids[general, 0])
        out['general base'], out['general'] = (loss(o.general[general], general_words, None, tuned) for tuned in (False, True))
        t.opt.use(t.opt.master)
        return {k: round(v, 4) for k, v in out.items()}

    def save():
        torch.save(dict(opt=t.opt.state(), aid=aid.state_dict(), seen=seen, spent=spent + time.time() - begun), a.work / 'taming.tmp')
        (a.work / 'taming.tmp').replace(a.work / 'taming.pt')
        t.export(a.work / 'base/object_adapter/model.safetensors')
        line = dict(seen=seen, minutes=round((spent + time.time() - begun) / 60, 1), loss=round(float(np.mean(log[-200:])), 4) if log else None, aid=round(float(np.mean(aided[-200:])), 4) if aided else None, without=a.without, **validate())
        with open(a.work / 'taming.jsonl', 'a') as f:
            f.write(json.dumps(line) + '\n')
        print(line, flush=True)

    begun, last, steps, first = time.time(), time.time(), 0, seen
    while (done := seen / a.samples if a.samples else (spent + time.time() - begun) / (minutes * 60)) < 1:
        steps += 1
        log.append(step())
        t.opt.step(min(1, steps / 60) * (min(1, max(.01, (1 - done) / a.anneal)) if a.anneal else 1))
        seen += batch
        if steps % (5 if a.smoke else 50) == 0:
            o.about = json.loads((a.work / 'objects.json').read_text())  # the objects stage may still be at work
            print(f'taming {steps} {time.time() - begun:.0f}s {(seen - first) / (time.time() - begun):.1f} samples/s seen {seen} loss {np.mean(log[-50:]):.4f} aid {np.mean(aided[-50:] or [0]):.4f}', flush=True)
        if time.time() - last > every:
            save()
            last = time.time()
    save()
    print((a.work / 'base/object_adapter/model.safetensors').stat().st_size / 1e6, 'MB')
