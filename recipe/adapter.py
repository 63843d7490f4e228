"""Picture adapters in plain PyTorch: a resampler turns the tower's view of one picture into a few tokens; cross-attention behind every second block
of a frozen transformer reads them. Kind `object` (Taming Encoder) and `identity` (PuLID) are one architecture and one file format.

The tokens are a pure function of picture and mask: sigma enters only where they are injected, so that they can be kept.
x <- x + weight · to_out(attention(to_q(LN(x)), to_kv(e))), e = LN(tokens)·(1 + scale) + shift, (shift, scale) = modulation(SiLU(time(1000 sigma)))
"""
import hashlib
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

import models as M

HEAD, EPS = 64, 1e-5
IDENTITY_TOKENS = 5
GLOBAL_TOKENS = 5   # whose attention says, in ortho_v2, how much of the identity a place takes up
MARGIN = 1.1        # side of the crop over the longer side of the mask's box
TUNED = ('to_q', 'to_k', 'to_v', 'add_q_proj', 'add_k_proj', 'add_v_proj', 'to_add_out', 'to_out.0', 'net.0.proj', 'net.2')


def attend(q, k, v):
    """q [B,N,w], k and v [B,M,w] -> [B,N,w], heads of 64."""
    q, k, v = (t.view(*t.shape[:2], -1, HEAD).transpose(1, 2) for t in (q, k, v))
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    return (((q * HEAD ** -.5) @ k.transpose(-1, -2)).softmax(-1) @ v).transpose(1, 2).flatten(2)


def looking(*layers):
    """Queries and keys begin so large that attention tells places apart from the first step: at the usual size every latent sees the same average, and stays what the others are for long."""
    for layer in layers:
        nn.init.normal_(layer.weight, std=1.3 * layer.in_features ** -.5)


class ResamplerLayer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm_context, self.norm_latents, self.norm_ff = (nn.LayerNorm(width, EPS) for _ in range(3))
        self.to_q, self.to_kv, self.to_out = nn.Linear(width, width, bias=False), nn.Linear(width, 2 * width, bias=False), nn.Linear(width, width, bias=False)
        self.ff = nn.ModuleList([nn.Linear(width, 4 * width, bias=False), nn.GELU(), nn.Linear(4 * width, width, bias=False)])
        looking(self.to_q, self.to_kv)

    def forward(self, z, context):
        """z [B,N,width] reads context [B,M,width] and itself."""
        n = self.norm_latents(z)
        k, v = self.to_kv(torch.cat([self.norm_context(context), n], 1)).chunk(2, -1)
        z = z + self.to_out(attend(self.to_q(n), k, v))
        return z + self.ff[2](self.ff[1](self.ff[0](self.norm_ff(z))))


class Resampler(nn.Module):
    """Hidden states of the tower's layers -> tokens. Layer i of L reads scale floor(i·S/L)."""

    def __init__(self, tower, scales, latents, width, tokens, layers, identity=0):
        """tower: width of its hidden states; latents: how many tokens; tokens: width of one; identity: length of [identity embedding, image embedding], 0 for objects."""
        super().__init__()
        self.latents = nn.Parameter(torch.randn(latents, width) * .5)
        self.norm_in = nn.ModuleList([nn.LayerNorm(tower, EPS) for _ in range(scales)])
        self.proj_in = nn.ModuleList([nn.Linear(tower, width) for _ in range(scales)])
        self.identity = nn.ModuleList([nn.Linear(identity, width), nn.LayerNorm(width, EPS), nn.GELU(), nn.Linear(width, IDENTITY_TOKENS * width)]) if identity else None
        self.layers = nn.ModuleList([ResamplerLayer(width) for _ in range(layers)])
        self.norm_out, self.proj_out = nn.LayerNorm(width, EPS), nn.Linear(width, tokens)

    def forward(self, hidden, identity=None):
        """hidden [B,S,T,tower]; identity [B,·] for kind identity -> [B,N,tokens]."""
        n, scales = len(self.latents), len(self.proj_in)
        contexts = [proj(norm(hidden[:, s])) for s, (norm, proj) in enumerate(zip(self.norm_in, self.proj_in))]
        z = self.latents.expand(len(hidden), -1, -1)
        if self.identity is not None:
            first, norm, gelu, last = self.identity
            who = last(gelu(norm(first(identity)))).view(len(hidden), IDENTITY_TOKENS, -1)
            z, contexts = torch.cat([z, who], 1), [torch.cat([who, c], 1) for c in contexts]
        for i, layer in enumerate(self.layers):
            z = layer(z, contexts[i * scales // len(self.layers)])
        return self.proj_out(self.norm_out(z[:, :n]))


class CrossAttention(nn.Module):
    def __init__(self, hidden, inner, tokens, time):
        super().__init__()
        self.norm_image, self.norm_tokens = nn.LayerNorm(hidden, EPS), nn.LayerNorm(tokens, EPS)
        self.modulation = nn.Linear(time, 2 * tokens)
        self.to_q, self.to_kv, self.to_out = nn.Linear(hidden, inner, bias=False), nn.Linear(tokens, 2 * inner, bias=False), nn.Linear(inner, hidden, bias=False)
        looking(self.to_q, self.to_kv)
        for p in (*self.modulation.parameters(), self.to_out.weight):
            nn.init.zeros_(p)

    def forward(self, x, tokens, level, zero_tokens=0, ortho='none'):
        """x [B,N,hidden], tokens [B,M,·], level [B,time] -> what is added to x, before its weight."""
        shift, scale = self.modulation(level).unsqueeze(1).chunk(2, -1)
        k, v = self.to_kv(self.norm_tokens(tokens) * (1 + scale) + shift).chunk(2, -1)
        if zero_tokens:
            k, v = (F.pad(t, (0, 0, 0, zero_tokens)) for t in (k, v))
        q = self.to_q(self.norm_image(x))
        out = self.to_out(attend(q, k, v))
        if ortho == 'none':
            return out
        size = x.pow(2).sum(1, keepdim=True)  # the projection is taken over all tokens, channel by channel
        along = (x * out).sum(1, keepdim=True) / (size + 1e-6 * size.mean(-1, keepdim=True) + 1e-12) * x
        if ortho == 'ortho':
            return out - along
        q, k = (t.view(*t.shape[:2], -1, HEAD).transpose(1, 2) for t in (q, k))
        share = (q @ k.transpose(-1, -2) * HEAD ** -.5).softmax(-1)[..., :min(GLOBAL_TOKENS, tokens.shape[1])].sum(-1).mean(1)
        return out + (share.unsqueeze(-1) - 1) * along


class Adapter(nn.Module):
    """Encoder and injection of one kind, for a transformer of `hidden` width; `blocks`: behind which of its blocks it acts."""

    def __init__(self, kind, base, layers, tower, hidden, blocks, latents=16, width=192, tokens=192, time=192, inner=256, depth=4, identity=0):
        """layers: the tower's layers that are read, from 1; base: id of the base that it belongs to."""
        super().__init__()
        self.kind, self.base, self.read = kind, base, list(layers)
        self.resampler = Resampler(tower, len(self.read), latents, width, tokens, depth, identity)
        self.time = nn.ModuleDict(dict(linear_1=nn.Linear(256, time), linear_2=nn.Linear(time, time)))
        self.cross = nn.ModuleDict({str(b): CrossAttention(hidden, inner, tokens, time) for b in blocks})

    def encode(self, hidden, identity=None):
        return self.resampler(hidden, identity)

    def injection(self, tokens, sigma, weight=1., zero_tokens=0, ortho='none', region=None):
        """tokens [B,M,·], sigma [B] -> what MMDiT.forward takes as inject. region: 0..1 on image tokens, [1 or B, N, 1]. Without tokens or weight: None.
        When there are fewer tokens' rows than pictures, the later pictures get nothing."""
        if tokens is None or (not torch.is_tensor(weight) and weight == 0):
            return None
        n, kind = len(tokens), tokens.dtype
        level = F.silu(self.time['linear_2'](F.silu(self.time['linear_1'](M.timestep_embedding(sigma[:n] * 1000).to(kind)))))

        def inject(i, x):
            if str(i) not in self.cross:
                return x
            out = self.cross[str(i)](x[:n], tokens, level, zero_tokens, ortho) * weight
            out = out if region is None else out * region
            return x + out if n == len(x) else torch.cat([x[:n] + out, x[n:]])

        return inject


class Tuned(nn.Module):
    """A frozen linear layer with a LoRA that acts only while it is switched on; the switch is shared by all layers."""

    def __init__(self, linear, switch, rank):
        super().__init__()
        self.linear, self.switch = linear.requires_grad_(False), switch
        self.a = nn.Parameter(torch.randn(rank, linear.in_features, device=linear.weight.device) / math.sqrt(linear.in_features))
        self.b = nn.Parameter(torch.zeros(linear.out_features, rank, device=linear.weight.device))

    def forward(self, x):
        return self.linear(x) + x @ self.a.t() @ self.b.t() if self.switch['on'] else self.linear(x)


def tune(dit, rank, sites=None):
    """Puts a switched LoRA on the layers of every block, or on the named ones -> (switch, {diffusers name: Tuned})."""
    switch, out = {'on': False}, {}
    for name, m in [(n, m) for n, m in dit.transformer_blocks.named_modules() if isinstance(m, nn.Linear) and (n.endswith(TUNED) if sites is None else n in sites)]:
        parent, leaf = dit.transformer_blocks.get_submodule(name.rpartition('.')[0]), name.rpartition('.')[2]
        tuned = out[f'transformer.transformer_blocks.{name}'] = Tuned(m, switch, rank)
        if leaf.isdigit():
            parent[int(leaf)] = tuned
        else:
            setattr(parent, leaf, tuned)
    return switch, out


def save(adapter, tuned, path, weights=None, sha256='', gain=1.):
    """One f16 file with everything about the adapter. weights: other values for parameters, by their names here; sha256: of the base's transformer; gain: how much more than it was
    trained to the cross-attention adds, in whoever loads the file. It is multiplied into to_out, and the header has it for who trains on."""
    weights = weights or {}
    tensors = {k: weights.get(k, p) * (gain if k.endswith('.to_out.weight') and k.startswith('cross.') else 1) for k, p in adapter.named_parameters()}
    for name, t in tuned.items():
        tensors.update({f'{name}.lora_{n}.weight': weights.get(f'{name}.{n.lower()}', getattr(t, n.lower())) for n in 'AB'})
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().half().cpu().contiguous() for k, v in tensors.items()}, path,
              metadata={'format': 'pt', 'lamina.adapter': adapter.kind, 'lamina.layers': ','.join(map(str, adapter.read)), 'lamina.base': adapter.base, 'lamina.base_sha256': sha256, **({} if gain == 1 else {'lamina.gain': str(gain)})})


def load(path, dit):
    """-> (Adapter in float32, switch of its LoRA, its Tuned layers by name); sizes are read from the shapes. The LoRA is put on `dit`."""
    with safe_open(path, 'pt') as f:
        meta, t = f.metadata(), {k: f.get_tensor(k).float() for k in f.keys()}
    count = lambda before, after: len({k.removeprefix(before).partition('.')[0] for k in t if k.startswith(before) and k.endswith(after)})
    blocks = sorted({int(k.split('.')[1]) for k in t if k.startswith('cross.')})
    first = f'cross.{blocks[0]}.'
    (latents, width), inner = t['resampler.latents'].shape, t[first + 'to_q.weight'].shape[0]
    adapter = Adapter(meta['lamina.adapter'], meta['lamina.base'], [int(x) for x in meta['lamina.layers'].split(',')], t['resampler.norm_in.0.weight'].shape[0], t[first + 'to_q.weight'].shape[1], blocks,
                      latents, width, t['resampler.proj_out.weight'].shape[0], t['time.linear_1.weight'].shape[0], inner, count('resampler.layers.', 'to_q.weight'),
                      t['resampler.identity.0.weight'].shape[1] if 'resampler.identity.0.weight' in t else 0)
    adapter.load_state_dict({k: v for k, v in t.items() if '.lora_' not in k})
    names = {k.rpartition('.lora_')[0] for k in t if '.lora_' in k}
    switch, tuned = {'on': False}, {}
    if names:
        rank = t[f'{min(names)}.lora_A.weight'].shape[0]
        switch, tuned = tune(dit, rank, {n.removeprefix('transformer.transformer_blocks.') for n in names})
        for n, m in tuned.items():
            m.a.data, m.b.data = t[f'{n}.lora_A.weight'], t[f'{n}.lora_B.weight']
    return adapter.eval(), switch, tuned


def restore(adapter, tuned, path):
    """The values of a saved adapter into one of the same sizes and its LoRA, so that training goes on from what ships. One of the other kind has a resampler and an injection to begin
    with, too: what looks at the identity begins anew then, and a LoRA is left behind."""
    with safe_open(path, 'pt') as f:
        meta, t = f.metadata(), {k: f.get_tensor(k).float() for k in f.keys()}
    kind, gain = meta['lamina.adapter'], float(meta.get('lamina.gain', 1))
    pairs = {f'{name}.lora_{n}.weight': getattr(m, n.lower()) for name, m in tuned.items() for n in 'AB'}
    wanted = {**dict(adapter.named_parameters()), **pairs}
    own = (lambda k: False) if kind == adapter.kind else lambda k: k.startswith('resampler.identity.') or '.lora_' in k
    other = [k for k in wanted if not own(k) and (k not in t or t[k].shape != wanted[k].shape)] + [k for k in t if not own(k) and k not in wanted]
    if other:
        raise SystemExit(f'{path} has other sizes than asked for, at {other[0]}: give the --latents, --width, --depth and --rank that it was trained with.')
    for k, p in wanted.items():
        if not own(k):
            p.data.copy_(t[k] / (gain if k.startswith('cross.') and k.endswith('.to_out.weight') else 1))


def velocity(dit, adapter, switch, x, context, pooled, sigma, tokens=None, **options):
    """One evaluation. Without tokens, or with weight 0, it is the base's own, bit for bit: nothing is added and the LoRA is off."""
    inject = adapter.injection(tokens, sigma, **options)
    switch['on'] = inject is not None
    try:
        return dit(x, context, pooled, sigma * 1000, inject=inject)
    finally:
        switch['on'] = False


# ------------------------------------------------------------ what the tower sees

def box_of(mask):
    """mask [H,W] u8 -> the square (left, top, side) around what is over half: MARGIN times the longer side of its box, with the same centre; None when nothing is."""
    ys, xs = (mask > 127).any(1).nonzero()[0], (mask > 127).any(0).nonzero()[0]
    if not len(ys):
        return None
    top, bottom, left, right = ys[0], ys[-1] + 1, xs[0], xs[-1] + 1
    side = MARGIN * max(bottom - top, right - left)
    return (left + right - side) / 2, (top + bottom - side) / 2, side


def crop(image, mask, size, box=None, ground=127.5):
    """RGB image and mask (PIL) -> the square crop [size,size,3] in 0..255 with `ground` outside the mask (and outside the picture), and the mask's own crop in 0..1.
    Without a mask (None) only what lies outside the picture is `ground`."""
    left, top, side = box or box_of(np.asarray(mask))
    inside = mask or Image.new('L', image.size, 255)
    alpha = inside.transform((size, size), Image.AFFINE, (side / size, 0, left, 0, side / size, top), Image.BILINEAR)
    colour = image.transform((size, size), Image.AFFINE, (side / size, 0, left, 0, side / size, top), Image.BILINEAR)
    a = np.asarray(alpha, np.float32)[..., None] / 255
    return np.asarray(colour, np.float32) * a + ground * (1 - a), a


@torch.no_grad()
def see(tower, pixels, layers):
    """CLIP image tower and pixels [B,3,H,W] in -1..1 -> hidden states [B,S,T,·] after those layers (from 1; before the last norm), embeddings [B,·] of length 1."""
    out = tower(pixels, output_hidden_states=True)
    return torch.stack([out.hidden_states[i] for i in layers], 1), F.normalize(out.image_embeds, dim=-1)


def encode_heads(adapter, tower, grey, who, there):
    """Heads as the tower sees them [B,S,S] u8, identity embeddings [B,·], there [B] 0 or 1 -> tokens [B,N,·] in bf16. Where there is 0: the encoder of zeros, the negative end of guidance."""
    x = torch.from_numpy(np.ascontiguousarray(grey)).to(there.device).float().div(127.5).sub(1)[:, None].expand(-1, 3, -1, -1)
    who = torch.from_numpy(np.asarray(who, np.float32)).to(there.device)
    hidden, seen = see(tower, (x * there[:, None, None, None]).to(torch.bfloat16), adapter.read)
    return adapter.encode(hidden, (torch.cat([who, seen.float()], 1) * there[:, None]).to(torch.bfloat16))


def sha256_of(folder):
    """Of the transformer's file: the base that an adapter belongs to."""
    return hashlib.sha256((Path(folder) / 'transformer/diffusion_pytorch_model.safetensors').read_bytes()).hexdigest()
