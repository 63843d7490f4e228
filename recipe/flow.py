"""The stage that trains transformer and text tower on rectified flow, from scratch or on from a base whose words it keeps.

Resumable: work/flow.pt holds masters, averages and optimizer, replaced as a whole every --save-every minutes; work/base holds the averaged weights
after each save; work/flow.jsonl gains a line a save: pictures seen, validation over all held scenes and over old nouns, new nouns and people.
"""
import copy
import json
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

import models as M
import tokenizer as tok
import world as W
from data import GRID, HELD, LATENT, SIZES, encoded, load_tokenizer
from optim import Muon

EMBEDDING_STD = .3  # of a new word's row
# Below this sigma one sees where the objects are, and their squares may weigh more without moving what is learned; above it, where the
# caption leaves a place open, more weight where an object is would teach that there is one everywhere.
SEEN = .6


def build(a):
    s, v = SIZES[a.size], len(load_tokenizer(a.work / 'base').ids)
    text = CLIPTextModelWithProjection(CLIPTextConfig(
        vocab_size=v, hidden_size=s['text'], intermediate_size=4 * s['text'], num_hidden_layers=s['text_layers'], num_attention_heads=s['text'] // 48 if s['text'] % 64 else s['text'] // 64,
        max_position_embeddings=tok.MAX_LENGTH, projection_dim=s['text'], hidden_act='quick_gelu', bos_token_id=v - 2, eos_token_id=v - 1, pad_token_id=v - 1))
    torch.nn.init.normal_(text.text_model.embeddings.token_embedding.weight, std=EMBEDDING_STD)
    dit = M.MMDiT(GRID, LATENT, s['layers'], s['width'] // s['heads'], s['heads'], s['text'], s['text'], GRID)
    return text, dit


def condition(text, ids):
    """ids [B,L] -> context [B,L,text] (last hidden state but one, as SD3 takes it), pooled [B,text] (projected)."""
    out = text(ids, output_hidden_states=True)
    return out.hidden_states[-2], out.text_embeds


def grown(text, known, tk):
    """A text tower whose table has a row for each word of tk; words of the tokenizer `known` keep theirs, and the two markers."""
    old, new = text.text_model.embeddings.token_embedding.weight.data, torch.randn(len(tk.ids), text.config.hidden_size) * EMBEDDING_STD
    for piece, i in known.ids.items():
        new[tk.ids[piece]] = old[i]
    config = copy.deepcopy(text.config)
    config.vocab_size, config.bos_token_id, config.eos_token_id, config.pad_token_id = len(tk.ids), tk.bos, tk.eos, tk.eos
    config.dtype = torch.float32  # a shipped base says float16
    out = CLIPTextModelWithProjection(config).float()
    state = text.state_dict()
    state[next(k for k in state if k.endswith('token_embedding.weight'))] = new
    out.load_state_dict(state)
    return out


class LayoutHead(torch.nn.Module):
    """Reads from the image tokens of a middle block what each shows and where in its square: an aid to training that does not ship."""

    def __init__(self, width):
        super().__init__()
        self.out = torch.nn.Linear(width, len(W.SHOWN) + 1 + 3)

    def forward(self, tokens, squares):
        """tokens [B,N,width], squares [B,4,4] (SHOWN index + 1, x, y, side in cells; later ones in front) -> scalar loss."""
        side = W.SIZE // W.CELL
        ys, xs = torch.meshgrid(*[torch.arange(side, device=tokens.device)] * 2, indexing='ij')
        noun, where = torch.zeros(len(squares), side, side, dtype=torch.long, device=tokens.device), torch.zeros(len(squares), side, side, 3, device=tokens.device)
        for k in range(squares.shape[1]):
            n, x, y, s = (squares[:, k, i, None, None].long() for i in range(4))
            u, v = (xs - x), (ys - y)
            inside = (n > 0) & (u >= 0) & (u < s) & (v >= 0) & (v < s)
            noun = torch.where(inside, n, noun)
            d = s.clamp(min=1)
            here = torch.stack([(u + .5) / d * 2 - 1, (v + .5) / d * 2 - 1, (d / 7).expand_as(u + v)], -1)
            where = torch.where(inside[..., None], here, where)
        out = self.out(tokens).float()
        noun, where = noun.flatten(1), where.flatten(1, 2)
        shown = (noun > 0)[..., None]
        return F.cross_entropy(out[..., :-3].flatten(0, 1), noun.flatten()) + ((out[..., -3:] - where).pow(2) * shown).sum() / (shown.sum() * 3 + 1)


def inside(squares):
    """squares [B,4,4] in cells -> [B,GRID,GRID], 1 where a latent lies in an object's square."""
    at = torch.arange(GRID, device=squares.device) * W.SIZE // GRID // W.CELL
    noun, x, y, side = (squares[..., i, None, None].long() for i in range(4))
    within = (noun > 0) & (at >= x) & (at < x + side) & (at[:, None] >= y) & (at[:, None] < y + side)
    return within.any(1).float()


def groups(facts):
    """Rows of the validation scenes by what they show."""
    noun = facts[:, list(W.FACTS).index('noun')]
    old = [W.SHOWN.index(n) for n in W.FIRST]
    return {'old': np.isin(noun, old), 'new': ~np.isin(noun, old) & (noun < len(W.NOUNS)), 'people': noun >= len(W.NOUNS)}


def flow(a):
    torch.manual_seed(int(time.time()))
    tk = load_tokenizer(a.work / 'base')
    text, dit = build(a)
    if a.start:
        text = grown(CLIPTextModelWithProjection.from_pretrained(a.start / 'text_encoder').float(), load_tokenizer(a.start), tk)
        dit = M.load(M.MMDiT, a.start / 'transformer').float()
    text.set_attn_implementation('eager')  # of 24 words: the fused one is slower on a CPU
    text, dit, layout = text.to(a.device), dit.to(a.device), LayoutHead(dit.config['caption_projection_dim']).to(a.device)
    trained = [dit, layout] if a.freeze_text else [dit, layout, text]
    text.requires_grad_(not a.freeze_text)
    opt = Muon(trained, lambda k: ('transformer_blocks' in k or 'encoder.layers' in k) and 'norm' not in k, lr=a.lr, adam_lr=.12 * a.lr,
               gentle=lambda k: a.text_share if k.startswith('2.') and 'token_embedding' not in k else 1.)
    kind = torch.bfloat16
    text.to(kind), dit.to(kind), layout.to(kind)
    opt.work = {f'{i}.{k}': p for i, m in enumerate(trained) for k, p in m.named_parameters()}
    print('parameters', sum(p.numel() for p in dit.parameters()) / 1e6, sum(p.numel() for p in text.parameters()) / 1e6, 'M; muon', len(opt.hidden), flush=True)
    seen = 0
    if a.resume and (a.work / 'flow.pt').exists():
        saved = torch.load(a.work / 'flow.pt', map_location=a.device)
        opt.load(saved['opt'])
        seen = saved['seen']
        print('resumed at', seen, flush=True)
    vae_cfg = json.loads((a.work / 'base/vae/config.json').read_text())
    latents, ids = np.load(a.work / 'latents.npy', mmap_mode='r'), np.load(a.work / 'ids.npy')
    squares, facts = np.load(a.work / 'squares.npy'), np.load(a.work / 'facts.npy', mmap_mode='r')
    here = torch.from_numpy(np.asarray(latents)).to(a.device) if a.device != 'cpu' else None  # a GPU holds them all
    null, n, held = np.array(tk(''), np.int16), encoded(a.work), len(latents) - HELD
    batch, goal = (16 if a.smoke else a.batch), (seen + 160 if a.smoke else a.pictures)
    r, start, step, log, first = np.random.default_rng(seen), time.time(), 0, [], seen

    old = groups(facts[:n])['old']
    chances = np.cumsum(np.where(old, a.old_again, 1.))
    chances /= chances[-1]

    def losses(pick, which, sigma, noise, drop, aid=0.):
        """-> flow loss of each picture, the same within its objects' squares, and the aid's."""
        rows = here[torch.from_numpy(pick).to(a.device)].float() if here is not None else torch.from_numpy(latents[pick].astype(np.float32))
        x0 = (rows - vae_cfg['shift_factor']) * vae_cfg['scaling_factor']
        words = ids[pick, which].copy()
        words[drop] = null
        context, pooled = condition(text, torch.from_numpy(words.astype(np.int64)).to(a.device))
        s = sigma[:, None, None, None]
        v, middle = dit(((1 - s) * x0 + s * noise).to(kind), context, pooled, sigma * 1000, tap=a.tap)
        error, shown = (v.float() - (noise - x0)).pow(2).mean(1), torch.from_numpy(squares[pick]).to(a.device)
        here_shown = inside(shown)
        objects = (error * here_shown).sum((1, 2)) / here_shown.sum((1, 2)).clamp(min=1)
        return error.mean((1, 2)), objects, layout(middle, shown) * aid if aid else 0.

    @torch.no_grad()
    def validate():
        opt.use(opt.ema)
        g, out, objects = torch.Generator().manual_seed(9), [], []
        for i in range(held, held + (128 if a.smoke else HELD), 128):
            sigma = ((torch.arange(128) * 37 % 128 + .5) / 128).to(a.device)  # every sigma once in each 128, in no order that the groups could follow
            all_of_it, within, _ = losses(np.arange(i, i + 128), np.zeros(128, int), sigma, torch.randn(128, LATENT, GRID, GRID, generator=g).to(a.device), np.zeros(128, bool))
            out.append(all_of_it.cpu())
            objects.append(within.cpu())
        opt.use(opt.master)
        each = torch.cat(out).numpy()
        return dict(validation=float(each.mean()), objects=float(torch.cat(objects).mean()), **{k: float(each[rows[:len(each)]].mean()) for k, rows in groups(facts[held:]).items()})

    def averaged(model, i):
        """A copy in float32 with the averages of its weights, which bf16 would round."""
        out = copy.deepcopy(model).float()
        out.load_state_dict({k.partition('.')[2]: v for k, v in opt.ema.items() if k.startswith(f'{i}.')}, strict=False)
        return out

    def save():
        torch.save(dict(opt=opt.state(), seen=seen), a.work / 'flow.tmp')
        (a.work / 'flow.tmp').replace(a.work / 'flow.pt')
        averaged(text, 2).save_pretrained(a.work / 'base/text_encoder')
        M.save(averaged(dit, 0), a.work / 'base/transformer')
        line = dict(seen=seen, seconds=round(time.time() - start), loss=float(np.mean(log[-200:])) if log else None, **validate())
        with open(a.work / 'flow.jsonl', 'a') as f:
            f.write(json.dumps(line) + '\n')
        print(line, flush=True)

    last = time.time()
    while seen < goal:
        step += 1
        done = seen / goal
        scale = min(1, step / 60) * (min(1, max(.01, (1 - done) / a.anneal)) if a.anneal else 1)
        pick = np.sort(np.searchsorted(chances, r.random(batch)))
        u = (torch.randperm(batch) + torch.rand(batch)) / batch  # stratified, then logit-normal
        sigma = torch.sigmoid(torch.erfinv((2 * u - 1).clamp(-.9999, .9999)) * math.sqrt(2)).to(a.device)
        loss, objects, aid = losses(pick, r.integers(0, ids.shape[1], batch), sigma, torch.randn(batch, LATENT, GRID, GRID, device=a.device), r.random(batch) < .1, aid=a.aid * (1 - done))
        share = a.object_share * (sigma < SEEN)
        (((1 - share) * loss + share * objects).mean() + aid).backward()
        opt.step(scale)
        seen += batch
        log.append(loss.mean().item())
        if step % 50 == 0:
            print(f'flow {step} {time.time() - start:.0f}s {(seen - first) / (time.time() - start):.1f} img/s seen {seen} loss {np.mean(log[-50:]):.4f} aid {float(aid):.4f}', flush=True)
        if time.time() - last > a.save_every * 60:
            save()
            last = time.time()
    save()
