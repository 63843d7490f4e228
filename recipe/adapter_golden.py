"""Golden numbers of a picture adapter: what an app that runs the same weights must reproduce. Weights are random (nothing is trained); to_out is not zero, so that it acts.

    python adapter_golden.py --base ../public/base --out ../fixtures/adapter

Two folders: `embedded` (kind object; the base's own tower and transformer, with a LoRA of rank 2 on some layers) and `wide` (kind identity; other sizes of everything, its tower and transformer
in the folder too). model.safetensors is the adapter. golden.safetensors, computed in float32 from f16 weights and inputs, tanh GELU in the transformer:
    picture [1,3,S,S] the masked crop, -1..1 · identity [1,E] (wide only) · embedding [1,P] the tower's, length 1 · hidden [1,S,T,dv] · tokens [1,N,dt] · tokens_zero: those of a picture of zeros (and zeros for
    the embeddings) · x [2,C,H,W], context [2,L,·], pooled [2,·], sigma [2], region [1,H·W/4,1]
    velocity_off: the base · velocity: weight 1 · velocity_weight: .6 · velocity_zero: 12 zero tokens · velocity_region: on the region alone ·
    velocity_ortho, velocity_ortho_v2: with 3 zero tokens (wide only) · velocity_two: tokens and tokens_zero one after the other (wide only) · velocity_untuned: weight 1 without the LoRA (embedded only)
"""
import argparse
import json
from pathlib import Path

import torch
import torch.nn as nn
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModelWithProjection

import adapter as A
import models as M
from flow import condition
from data import load_tokenizer

SIGMAS = (.9, .3)
OPTIONS = {'velocity': {}, 'velocity_weight': dict(weight=.6), 'velocity_zero': dict(zero_tokens=12), 'velocity_ortho': dict(ortho='ortho', zero_tokens=3), 'velocity_ortho_v2': dict(ortho='ortho_v2', zero_tokens=3)}


def scattered(module, gain=1.):
    """Random weights of a plain kind for everything, f16 values: matrices keep the size of what they carry, norms stay near 1."""
    for name, p in module.named_parameters():
        if p.ndim > 1:
            nn.init.normal_(p, std=gain * p[0].numel() ** -.5)
        else:
            nn.init.normal_(p, 1. if 'norm' in name and name.endswith('weight') else 0., .1)
    return module.half().float()


@torch.no_grad()
def golden(out, adapter, switch, dit, tower, x, context, pooled, identity=None, sha256='', tuned=None):
    g = torch.Generator().manual_seed(4)
    side = tower.config.image_size
    ys, xs = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing='ij')
    picture = torch.stack([torch.sin(5 * xs + 2 * ys), torch.cos(7 * ys * xs), xs * ys]) * (xs ** 2 + ys ** 2 < .7)  # an object on mid-grey
    picture = picture[None].half().float()
    A.save(adapter, tuned or {}, out / 'model.safetensors', sha256=sha256)
    hidden, embedding = A.see(tower, picture, adapter.read)
    none, _ = A.see(tower, torch.zeros_like(picture), adapter.read)
    asked = (torch.cat([identity, embedding], -1), torch.zeros(1, identity.shape[1] + embedding.shape[1])) if identity is not None else (None, None)
    tokens, tokens_zero = adapter.encode(hidden, asked[0]), adapter.encode(none, asked[1])
    sigma, n = torch.tensor(SIGMAS), (x.shape[-1] // 2) ** 2
    region = (torch.arange(n) % (x.shape[-1] // 2) / (x.shape[-1] // 2 - 1)).view(1, n, 1)
    x, context, pooled, region = (t.half().float() for t in (x, context, pooled, region))
    run = lambda t, **o: A.velocity(dit, adapter, switch, x, context, pooled, sigma, None if t is None else t.expand(2, -1, -1), **o)
    result = dict(picture=picture, embedding=embedding, hidden=hidden, tokens=tokens, tokens_zero=tokens_zero, x=x, context=context, pooled=pooled, sigma=sigma, region=region, velocity_off=run(None),
                  velocity_region=run(tokens, region=region))
    for name, options in OPTIONS.items():
        if identity is not None or 'ortho' not in name:  # the small one has them all
            result[name] = run(tokens, **options)
    if identity is not None:
        result.update(identity=identity, velocity_two=run(torch.cat([tokens, tokens_zero], 1)))
    if tuned:
        kept = {n: t.b.data for n, t in tuned.items()}
        for t in tuned.values():
            t.b.data = torch.zeros_like(t.b)
        result['velocity_untuned'] = run(tokens)
        for n, t in tuned.items():
            t.b.data = kept[n]
    inputs = ('picture', 'identity', 'x', 'context', 'pooled', 'region')  # f16 values
    save_file({k: v.contiguous().half() if k in inputs else v.contiguous() for k, v in result.items()}, out / 'golden.safetensors', metadata={'options': json.dumps(OPTIONS)})
    base = result['velocity_off']
    print(out.name, 'differences from the base', {k: round(float((v - base).norm() / base.norm()), 3) for k, v in result.items() if k.startswith('velocity')}, round(sum(f.stat().st_size for f in out.rglob('*') if f.is_file()) / 1e6, 2), 'MB')


def embedded(a):
    torch.manual_seed(1)
    dit = M.load(M.MMDiT, a.base / 'transformer').float()
    tower = CLIPVisionModelWithProjection.from_pretrained(a.base / 'image_encoder').float().eval()
    text, tk = CLIPTextModelWithProjection.from_pretrained(a.base / 'text_encoder').float().eval(), load_tokenizer(a.base)
    adapter = scattered(A.Adapter('object', 'embedded', [2, 4], tower.config.hidden_size, dit.config['caption_projection_dim'], [0, 4], latents=8, width=64, tokens=96, time=32, inner=64, depth=3))
    switch, tuned = A.tune(dit, 2, {'0.attn.to_q', '0.attn.add_v_proj', '2.ff.net.2', '5.attn.to_out.0'})
    for t in tuned.values():
        t.a.data, t.b.data = t.a.data.half().float(), torch.randn_like(t.b).mul(.1).half().float()
    with torch.no_grad():
        context, pooled = condition(text, torch.tensor([tk(p) for p in ('a big dog on a beach', 'a cat in a room')]))
    golden(a.out / 'embedded', adapter, switch, dit, tower, torch.randn(2, dit.channels, 16, 16), context, pooled, sha256=A.sha256_of(a.base), tuned=tuned)


def wide(a):
    torch.manual_seed(2)
    out = a.out / 'wide'
    dit = scattered(M.MMDiT(8, 16, 3, 16, 3, 40, 56, 10), .8)
    tower = CLIPVisionModelWithProjection(CLIPVisionConfig(hidden_size=32, intermediate_size=128, num_hidden_layers=4, num_attention_heads=2, image_size=32, patch_size=8, projection_dim=24, hidden_act='gelu'))
    scattered(tower).eval()
    adapter = scattered(A.Adapter('identity', 'embedded', [1, 3], 32, 48, [0, 2], latents=6, width=128, tokens=96, time=32, inner=128, depth=2, identity=20 + 24))
    half = lambda m: {k: v.half() for k, v in m.state_dict().items()}
    M.save(dit, out / 'transformer')
    tower.save_pretrained(out / 'image_encoder')
    for f in (out / 'transformer/diffusion_pytorch_model.safetensors', out / 'image_encoder/model.safetensors'):
        save_file({k: v.half().contiguous() for k, v in load_file(f).items() if not k.endswith('position_ids')}, f, metadata={'format': 'pt'})
    dit.load_state_dict(half(dit))
    golden(out, adapter, {'on': False}, dit, tower, torch.randn(2, 16, 8, 8), torch.randn(2, 7, 40), torch.randn(2, 56), torch.nn.functional.normalize(torch.randn(1, 20), dim=-1).half().float(), A.sha256_of(out))


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--base', type=Path, default=Path('../public/base'))
    p.add_argument('--out', type=Path, default=Path('../fixtures/adapter'))
    a = p.parse_args()
    M.FeedForward.approximate = 'tanh'
    torch.set_num_threads(1)
    embedded(a)
    wide(a)
