"""What other tools draw with a LoRA that was learned in the app: golden latents for fixtures/sd3.

    npm run parity -- --train-lora fixtures/sd3                    # learns it anew and writes trained_lora.safetensors and trained_lora_kohya.safetensors
    python recipe/lora_golden.py --fixtures fixtures/sd3           # writes trained_lora.io.safetensors

Nothing here is the app's: transformer models.py, LoRA by PEFT's rule (W + alpha/r B A, alpha and rank from the header, on the named layers), sampling by diffusers'
flow-match Euler with shift and classifier-free guidance, from the noise, prompts and numbers of e2e.io. Before it writes anything it draws without a LoRA, which must
give the latents of e2e.io, and applies the file in kohya's layout by sd-scripts' rule, which must give the same weights.
trained_lora.io.safetensors, for each of e2e.io's ways to do with and without T5:
    <way>.elsewhere [1,16,h,w]: guidance's empty prompt goes through the LoRA too, as in other tools · <way>.here: it goes through the untouched base
"""
import argparse
import copy
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import models as M

# rows of the text that are left as they are; behind them stand zeros, or nothing
WAYS = dict(with_t5=lambda e, clip: e, without_t5=lambda e, clip: torch.cat([e[:, :clip], torch.zeros_like(e[:, clip:])], 1), clip_only=lambda e, clip: e[:, :clip])
OWN = 'lamina_lora_'  # concept rows, which no other tool reads


def sigmas(steps, shift):
    """diffusers' FlowMatchEulerDiscreteScheduler: the table of training is shifted, what is drawn from its ends is shifted again."""
    shifted = lambda s: shift * s / (1 + (shift - 1) * s)
    return torch.cat([shifted(torch.linspace(1, shifted(torch.tensor(1 / 1000)).item(), steps)), torch.zeros(1)])


def peft(dit, path):
    """A copy of the transformer with the file's layers added."""
    with safe_open(path, 'pt') as f:
        tensors, config = {k: f.get_tensor(k) for k in f.keys() if not k.startswith(OWN)}, json.loads(f.metadata()['lora_adapter_metadata'])
    ask = lambda name: config['transformer.' + name]
    dit, named = copy.deepcopy(dit), set()
    for key in [k for k in tensors if k.endswith('.lora_A.weight')]:
        name = key.removeprefix('transformer.').removesuffix('.lora_A.weight')
        a, b = tensors.pop(key), tensors.pop(key.replace('lora_A', 'lora_B'))
        rank, alpha = ask('rank_pattern').get(name, ask('r')), ask('alpha_pattern').get(name, ask('lora_alpha'))
        assert a.shape[0] == b.shape[1] == rank and name in ask('target_modules'), name
        dit.get_submodule(name).weight.data += alpha / rank * b @ a
        named.add(name)
    assert not tensors and named == set(ask('target_modules')), [*tensors, *(set(ask('target_modules')) - named)]
    return dit


def kohya(dit, path, keymap):
    """The same from sd-scripts' layout, where q, k and v are one matrix and the last modulations have their halves exchanged."""
    dit, tensors = copy.deepcopy(dit), {k: v for k, v in load_file(path).items() if not k.startswith(OWN)}
    for i in range(len(dit.transformer_blocks)):
        for group, rules in keymap.items():
            for to, source, op, *part in rules if group != 'note' else []:
                module, name = 'lora_unet_' + source.replace('{i}', str(i)).removesuffix('.weight').replace('.', '_'), to.replace('{i}', str(i)).removesuffix('.weight')
                if not to.endswith('.weight') or f'{module}.lora_up.weight' not in tensors:
                    continue
                up, down, alpha = (tensors[f'{module}.{n}'] for n in ('lora_up.weight', 'lora_down.weight', 'alpha'))
                delta = alpha / down.shape[0] * up @ down
                delta = dict(copy=lambda: delta, rows=lambda: delta.chunk(3)[part[0]], swap=lambda: torch.cat(delta.chunk(2)[::-1]))[op]()
                dit.get_submodule(name).weight.data += delta
    return dit


def sample(positive, negative, noise, context, pooled, levels, guidance):
    """positive and negative: the transformer that reads row 0, and the one that reads row 1."""
    x = noise
    for now, then in zip(levels, levels[1:]):
        v, v0 = (dit(x, context[i:i + 1], pooled[i:i + 1], now[None] * 1000) for i, dit in enumerate((positive, negative)))
        x = x + (then - now) * (v0 + guidance * (v - v0))
    return x


@torch.no_grad()
def golden(folder):
    M.FeedForward.approximate = 'tanh'
    c = json.loads((folder / 'config.json').read_text())
    m, shift = c['mmditx'], c['sampler']['shift']
    dit = M.MMDiT(m['pos_embed_max_size'] * m['patch_size'], m['in_channels'], m['depth'], m['head_dim'], m['num_heads'], m['context_dim'], m['pooled_dim'], m['pos_embed_max_size'], m['patch_size'], m['dual_attention_layers'])
    dit.load_state_dict(load_file(folder / 'mmditx.diffusers.safetensors'))
    io, clip = load_file(folder / 'e2e.io.safetensors'), c['clip_l']['max_position_embeddings']
    with safe_open(folder / 'e2e.io.safetensors', 'pt') as f:
        steps, guidance = int(f.metadata()['steps']), float(f.metadata()['cfg_scale'])
    levels = sigmas(steps, shift)
    tuned, other = peft(dit, folder / 'trained_lora.safetensors'), kohya(dit, folder / 'trained_lora_kohya.safetensors', json.loads((folder / 'keymap_mmdit.json').read_text()))
    off = max((a - b).abs().max().item() for a, b in zip(tuned.state_dict().values(), other.state_dict().values()))
    assert off < 1e-6, f'the two layouts part by {off}'
    out = {}
    for way, text in WAYS.items():
        draw = lambda positive, negative: sample(positive, negative, io['noise'], text(io['with_t5.prompt_embeds'], clip), io['pooled'], levels, guidance)
        plain = draw(dit, dit)
        off = (plain - io[f'{way}.latent']).abs().max().item()
        assert off < 1e-4, f'{way} without a LoRA parts from e2e.io by {off}'
        out |= {f'{way}.elsewhere': draw(tuned, tuned), f'{way}.here': draw(tuned, dit)}
        print(f'{way}: parts from e2e.io by {off:.1e}; the LoRA moves the latent by up to {(out[way + ".elsewhere"] - plain).abs().max():.2f}, seen by the empty prompt too by {(out[way + ".elsewhere"] - out[way + ".here"]).abs().max():.2f}')
    save_file(out, folder / 'trained_lora.io.safetensors', metadata=dict(steps=str(steps), cfg_scale=str(guidance), shift=str(shift), noise='e2e.io.safetensors'))


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--fixtures', type=Path, default=Path('../fixtures/sd3'))
    golden(p.parse_args().fixtures)
