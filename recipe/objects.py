"""The stage that makes what a picture adapter learns from: groups of pictures of the same object in different scenes, encoded, and general scenes.

A group is GROUP pictures of one new object (sprites.new_object), as World.elsewhere has it: same drawing and colours, everything else anew. The first of a group shows
it alone and large. Files in --work, groups one after the other, the held-out objects' first (objects.json says how many of what):
    object-latents.npy [n,16,16,16] f16 · object-hidden.npy [n,S,T,tower] bf16 as i16 (the tower on the masked crop) · object-crops.npy [n,64,64,4] u8 (the crop and its mask)
    object-masks.npy [n,16,16] u8 · object-boxes.npy [n,3] f32 (left, top, side of the crop) · object-ids.npy [n,CAPTIONS,24] i16
    general-latents.npy [m,16,16,16] f16 · general-ids.npy [m,CAPTIONS,24] i16
"""
import json
import random
import time
from multiprocessing import Pool

import numpy as np
import torch

import adapter as A
import models as M
import tokenizer as tok
from data import GRID, LATENT, load_tokenizer
from pairs import CAPTIONS, CROP, GROUP, Maker, tower_crop

JOB = 10            # groups or general scenes that are drawn at once
HELD_GROUPS = 2     # of each held-out object
GENERAL_SHARE = .3  # general scenes, of the pictures of objects

_maker = None


def begin(folder, each):
    global _maker
    _maker = Maker(load_tokenizer(folder), each)


def work_on(job):
    """A part of the groups or of the general scenes -> arrays."""
    kind, items, size, masking = job
    m, images, crops, seen, masks, boxes, texts = _maker, [], [], [], [], [], []
    for item in items:
        if kind == 'general':
            image, captions = m.general(item)
            images.append(np.asarray(image)), texts.append(captions)
            continue
        r = random.Random(f'crop {item}')
        for image, mask, one, captions in m.group(*item):
            tower, crop, box = tower_crop(image, one, size, r, masking)
            images.append(np.asarray(image)), texts.append(captions), crops.append(crop), seen.append(tower), boxes.append(box)
            masks.append(mask.reshape(GRID, 8, GRID, 8).mean((1, 3)).round().astype(np.uint8))
    ids = np.array([[m.say.tokenizer(t) for t in ts] for ts in texts], np.int16)
    return kind, np.stack(images), ids, *((np.stack(crops), np.stack(seen).round().astype(np.uint8), np.stack(masks), np.array(boxes, np.float32)) if crops else ())


def plan(count, smoke, maker):
    """Jobs in their order: held-out groups, then groups and general scenes in turn."""
    held = [(f'{n} {k}', n) for k in range(1 if smoke else HELD_GROUPS) for n in (maker.held[:4] if smoke else [*maker.held, *maker.classes])]
    groups = max(4, (count - GROUP * len(held)) // GROUP)
    parts = lambda xs: [xs[i:i + JOB] for i in range(0, len(xs), JOB)]
    objects, general = parts([(str(i), None) for i in range(groups)]), parts(list(range(int(groups * GROUP * GENERAL_SHARE))))
    jobs, g = [('held', part) for part in parts(held)], 0
    for i, part in enumerate(objects):
        jobs.append(('objects', part))
        while g < len(general) and g < (i + 1) * len(general) / len(objects):
            jobs.append(('general', general[g]))
            g += 1
    return jobs, len(held) * GROUP, groups * GROUP, sum(len(p) for p in general)


def objects(a):
    from transformers import CLIPVisionModelWithProjection
    start = a.start or a.work / 'base'
    kind = torch.bfloat16
    ae = M.load(M.TinyAutoencoder, start / 'vae').to(a.device).to(memory_format=torch.channels_last)
    tower = CLIPVisionModelWithProjection.from_pretrained(start / 'image_encoder').to(a.device, kind).eval()
    read, size = list(range(1, tower.config.num_hidden_layers + 1)), tower.config.image_size
    maker = Maker(load_tokenizer(start), 1)
    jobs, held, n, m = plan(96 if a.smoke else a.count, a.smoke, maker)
    shapes = {'object-latents': (np.float16, (held + n, LATENT, GRID, GRID)), 'object-hidden': (np.int16, (held + n, len(read), (size // tower.config.patch_size) ** 2 + 1, tower.config.hidden_size)),
              'object-crops': (np.uint8, (held + n, CROP, CROP, 4)), 'object-masks': (np.uint8, (held + n, GRID, GRID)), 'object-boxes': (np.float32, (held + n, 3)),
              'object-ids': (np.int16, (held + n, CAPTIONS, tok.MAX_LENGTH)), 'general-latents': (np.float16, (m, LATENT, GRID, GRID)), 'general-ids': (np.int16, (m, CAPTIONS, tok.MAX_LENGTH))}
    about, sha = a.work / 'objects.json', A.sha256_of(start)
    state = json.loads(about.read_text()) if a.resume and about.exists() else dict(done=0, objects=0, general=0)
    if state['done'] and (state['sha256'], state['planned']) != (sha, n):
        raise SystemExit('These objects were begun for another base or with another --count: choose another --work, or leave out --resume to make them anew.')
    out = {k: np.lib.format.open_memmap(a.work / f'{k}.npy', mode='r+' if state['done'] else 'w+', **({} if state['done'] else dict(dtype=t, shape=s))) for k, (t, s) in shapes.items()}
    state.update(sha256=sha, planned=n, held=held, layers=read, masking='masking' not in a.without, held_objects=maker.held, held_classes=maker.classes, words=len(maker.say.nouns))
    begun, first = time.time(), state['objects'] + state['general']

    @torch.no_grad()
    def encoded(rows, how):
        return torch.cat([how(torch.from_numpy(np.ascontiguousarray(part)).to(a.device).permute(0, 3, 1, 2).float().div(127.5).sub(1)) for part in np.array_split(rows, max(1, len(rows) // 30))])

    def save():
        for f in out.values():
            f.flush()
        about.write_text(json.dumps(state, indent=1))

    def latents_of(x):
        with torch.autocast(a.device, dtype=kind):
            return ae.encode(x.contiguous(memory_format=torch.channels_last)).float()

    torch.set_num_threads(max(1, a.threads // 2))
    with Pool(a.threads, begin, (start, 6 if a.smoke else 40)) as pool:
        for done, (what, images, ids, *rest) in enumerate(pool.imap(work_on, [(k, items, size, state['masking']) for k, items in jobs[state['done']:]]), state['done'] + 1):
            at, name = (state['general'], 'general') if what == 'general' else (state['objects'], 'object')
            rows = slice(at, at + len(images))
            out[f'{name}-latents'][rows] = encoded(images, latents_of).cpu().numpy()
            out[f'{name}-ids'][rows] = ids
            if rest:
                crops, seen, masks, boxes = rest
                out['object-hidden'][rows] = encoded(seen, lambda x: A.see(tower, x.to(kind), read)[0]).cpu().view(torch.int16).numpy()
                out['object-crops'][rows], out['object-masks'][rows], out['object-boxes'][rows] = crops, masks, boxes
            state['general' if what == 'general' else 'objects'] += len(images)
            state['done'] = done
            if done % 20 == 0:
                save()
                print(f"{state['objects']} pictures of objects, {state['general']} general, {(state['objects'] + state['general'] - first) / (time.time() - begun):.1f} a second", flush=True)
    save()
    print(f"{state['objects']} pictures of objects ({held} of held-out ones), {state['general']} general; {len(maker.names)} glyphs to learn from, {len(maker.say.nouns)} nouns known, general words {'known' if maker.say.knows('thing') else 'not known'}")
