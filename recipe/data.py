"""The stages that make training data: scenes -> pixels, captions and facts; pixels -> latents.

Files in --work: pixels.npy [N,128,128,3] u8 · squares.npy [N,4,4] i16 (SHOWN index + 1, then x, y, side in cells; 0: none) ·
facts.npy [N, FACTS] i16 (-1: the scene has none) · ids.npy [N, captions, 24] i16 · latents.npy [N,16,16,16] f16. The last 512 scenes are for validation.
"""
import json
import random
import shutil
from multiprocessing import Pool

import numpy as np
import torch

import models as M
import tokenizer as tok
import world as W

# widths and depths of the models, for two CPU cores or for one GPU
SIZES = {
    'cpu': dict(width=256, heads=4, layers=6, text=192, text_layers=4, vae=48, vision=192, vision_layers=4),
    'gpu': dict(width=384, heads=6, layers=12, text=256, text_layers=6, vae=64, vision=256, vision_layers=6),
}
LATENT = 16          # channels, as SD3
GRID = W.SIZE // 8   # latent side
CAPTIONS = 4         # of each scene
HELD = 512           # scenes at the end of the data, for validation


def render(job):
    work, start, count, seed, world = job
    r = random.Random(seed)
    world = W.World(**world)
    pixels, squares, facts = (np.lib.format.open_memmap(work / f'{n}.npy', mode='r+') for n in ('pixels', 'squares', 'facts'))
    texts = []
    for i in range(start, start + count):
        scene = world.random_scene(r)
        pixels[i] = np.asarray(world.draw(scene))
        for k, (shown, x, y, side) in enumerate(scene.squares):
            squares[i, k] = W.SHOWN.index(shown) + 1, x // W.CELL, y // W.CELL, side // W.CELL
        facts[i] = list(W.facts(scene).values())
        texts.append([W.caption(scene, r) for _ in range(CAPTIONS)])
    return texts


def load_tokenizer(folder):
    lines = (folder / 'tokenizer/merges.txt').read_text().splitlines()[1:]
    return tok.Tokenizer([tuple(x.split()) for x in lines])


def data(a):
    n = 1500 if a.smoke else a.count
    for name, kind, shape in (('pixels', np.uint8, (n, W.SIZE, W.SIZE, 3)), ('squares', np.int16, (n, 4, 4)), ('facts', np.int16, (n, len(W.FACTS)))):
        np.lib.format.open_memmap(a.work / f'{name}.npy', mode='w+', dtype=kind, shape=shape).flush()
    (a.work / 'encoded.json').unlink(missing_ok=True)
    world = dict(old_weight=a.old_weight, backgrounds_each=8 if a.smoke else 60)
    jobs = [(a.work, s, min(1000, n - s), a.seed + s, world) for s in range(0, n, 1000)]
    with Pool(a.threads) as pool:
        texts = [t for part in pool.imap(render, jobs) for t in part]
    known = load_tokenizer(a.start).merges if a.start else load_tokenizer(a.work / 'base').merges if (a.work / 'base/tokenizer/merges.txt').exists() else []
    # every word of the vocabulary, its plural too, becomes one token; words that an earlier tokenizer knows keep their ids
    said = [t for four in texts[:40000] for t in four] + [w for n in W.NOUNS for w in (n, W.plural(n), *W.CLASSES[n][0], *map(W.plural, W.CLASSES[n][0]))] + list(W.KIND.values())
    tk = tok.Tokenizer(tok.train(said, known=known))
    tk.save(a.work / 'base/tokenizer')
    np.save(a.work / 'ids.npy', np.array([[tk(t) for t in four] for four in texts], np.int16))
    (a.work / 'facts.json').write_text(json.dumps({k: list(v) for k, v in W.FACTS.items()}))
    print(len(texts), 'scenes,', len(tk.ids), 'tokens,', len(known), 'merges known before')


def encoded(work):
    """How many scenes, from the first, have latents."""
    path = work / 'encoded.json'
    return json.loads(path.read_text()) if path.exists() else 0


@torch.no_grad()
def encode(a):
    """Goes on where an earlier run ended; --limit ends it early, and the flow then learns from what there is. The validation scenes come first."""
    if a.start and not (a.work / 'base/vae').exists():  # no autoencoder was trained on: the start's own
        shutil.copytree(a.start / 'vae', a.work / 'base/vae')
    m = M.load(M.TinyAutoencoder, a.work / 'base/vae').to(a.device).to(memory_format=torch.channels_last)
    pixels, first = np.load(a.work / 'pixels.npy', mmap_mode='r'), encoded(a.work)
    shape = (len(pixels), LATENT, GRID, GRID)
    out = np.lib.format.open_memmap(a.work / 'latents.npy', mode='r+' if first else 'w+', **({} if first else dict(dtype=np.float16, shape=shape)))
    end = min(len(pixels) - HELD, a.limit or len(pixels))
    size = 32 if a.device == 'cpu' else 512  # on a CPU small batches stay in the cache
    for i in ([] if first else list(range(len(pixels) - HELD, len(pixels), size))) + list(range(first, end, size)):
        rows = pixels[i:min(i + size, len(pixels))]
        img = torch.from_numpy(np.array(rows)).to(a.device).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        with torch.autocast(a.device, dtype=torch.bfloat16):
            out[i:i + len(rows)] = m.encode(img).float().cpu().numpy()
        if i < len(pixels) - HELD and i % (size * 64) == 0:
            out.flush()
            (a.work / 'encoded.json').write_text(json.dumps(i + size))
    (a.work / 'encoded.json').write_text(json.dumps(end))
    z = out[-HELD:].astype(np.float32)
    if not a.start:  # a base that is trained on keeps its scaling: its transformer knows no other
        m.config.update(scaling_factor=float(1 / z.std()), shift_factor=float(z.mean()))
        M.save(m, a.work / 'base/vae')
    print(end, 'scenes; latent std per channel', z.std((0, 2, 3)).round(2), 'mean', z.mean((0, 2, 3)).round(2))
