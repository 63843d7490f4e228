"""The stage that makes what the identity adapter learns from: pictures of people, in words that say little of who they are (portrait_words.py).

Rows stand LOOKS by LOOKS, a person's together, those of held-out people first (portraits.json says how many). Files in --work:
    portrait-latents.npy [n,16,16,16] f16 · portrait-heads.npy [n,64,64,3] u8 (the head as identity networks see it) · portrait-grey.npy [n,S,S] u8 (as the tower sees it)
    portrait-who.npy [n,128] f16 (embedding of work/identity) · portrait-squares.npy [n,4] i16 (x, y, side, standing) · portrait-ids.npy [n,CAPTIONS,24] i16
The tower is shown the head alone, hair with it, in grey on white: background, clothes, neck and hat are painted over before anything is resized, so that no colour of theirs leaks in.
"""
import json
import random
import time
from multiprocessing import Pool

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import adapter as A
import faces
import identity as I
import models as M
import people as P
import tokenizer as tok
import world as W
from data import GRID, LATENT, load_tokenizer
from hair import hair_back
from pairs import CAPTIONS, Speaker, rough
from pen import Pen
from portrait_words import sentence
from words import STYLES

LOOKS, HELD_PEOPLE, JOB = 12, 24, 4  # pictures of a person; held-out people that training measures itself on; people drawn at once
STANDING, STYLED = .1, .1            # of the pictures


def head_alpha(who, look):
    """Mask [DRAWN,DRAWN] (L) of a bust's head: face, ears, hair and glasses; no neck, clothes or hat."""
    def drawn(*parts):
        image = faces.layer()
        for part in parts:
            part(Pen(image))
        return np.asarray(image.getchannel('A'), np.float32) / 255
    skin, colour = (0, 0, 0), (0, 0, 0)
    broad = 31 if who.word in ('girl', 'boy') else 36 if who.word == 'woman' else 41
    back = drawn(lambda p: hair_back(p, who, colour))
    if who.hair != 'braids':
        back = back * (1 - drawn(lambda p: p.box(43, 60, 57, 86, 5, skin), lambda p: faces.clothes(p, look, skin, 50 - broad, 50 + broad, 82, 100, 7)))
    front = drawn(lambda p: faces.head(p, who, look))
    return Image.fromarray((np.maximum(back, front) * (1 - drawn(lambda p: faces.hat(p, who, look))) * 255).round().astype(np.uint8))


def head_mask(who, look, square):
    """[SIZE,SIZE] u8 of a bust that stands in (x, y, side)."""
    x, y, side = square
    out = Image.new('L', (W.SIZE, W.SIZE))
    out.paste(head_alpha(who, look).resize((side, side), Image.LANCZOS), (x, y))
    return np.asarray(out)


def grey_head(image, mask, size, r=None):
    """Picture and mask of the head -> what the tower sees [size,size] u8: grey, white around it. r: as training sees it, moved and roughly masked."""
    box, soft = A.box_of(mask), mask
    if r:
        soft = np.asarray(rough(mask, r))
        left, top, side = box
        k, dx, dy = r.uniform(.95, 1.18), r.uniform(-.04, .04), r.uniform(-.04, .04)
        box = left + side * (dx + (1 - k) / 2), top + side * (dy + (1 - k) / 2), side * k
    a = soft.astype(np.float32) / 255
    clean = np.asarray(image.convert('RGB'), np.float32) @ np.array([.299, .587, .114], np.float32) * a + 255 * (1 - a)
    left, top, side = box
    # white around the picture too
    wide = Image.new('L', (3 * W.SIZE, 3 * W.SIZE), 255)
    wide.paste(Image.fromarray(clean.round().astype(np.uint8)), (W.SIZE, W.SIZE))
    return np.asarray(wide.resize((size, size), Image.BILINEAR, box=(left + W.SIZE, top + W.SIZE, left + side + W.SIZE, top + side + W.SIZE)))


def head_square(square, standing):
    """The square of a bust whose head would lie where this person's does: a figure's head is smaller and stands over its upper half."""
    x, y, side = square
    return (x + .19 * side, y - .01 * side, .62 * side) if standing else square


def scene_of(who, world, r, say, standing=False, style=STYLED, plain=False):
    """Somebody somewhere in a random look, large enough to have a face."""
    while True:
        s = world.around(W.Scene([W.Thing(who.word, who=who, look=P.random_look(r, plain), standing=standing)]), r)
        s.style = r.choice(list(STYLES)) if r.random() < style else ''
        s.size, s.place = r.choices(['', 'big', 'huge'], [.25, .4, .35])[0], 'center'
        if say.fits(s):
            return s


def picture(who, world, r, say, size, k):
    """-> (image, head for identity networks, head for the tower, [x, y, side, standing], captions). The first of a person is no figure; a figure's own head is too small for the tower."""
    while True:
        s = scene_of(who, world, r, say, k > 0 and r.random() < STANDING)
        captions = [sentence(s, r, say) for _ in range(CAPTIONS)]
        if None in captions:
            continue
        t, image = s.things[0], world.draw(s)
        square = s.squares[0][1:]
        if t.standing:
            grey = np.full((size, size), 255, np.uint8)
        else:
            mask = head_mask(who, t.look, square)
            if r.random() < .3:  # as a person marks it: an oval about the head, with what lies in it
                box = [int(v) for v in (square[0] + .2 * square[2], square[1] + .08 * square[2], square[0] + .8 * square[2], square[1] + .78 * square[2])]
                whole = Image.new('L', image.size)
                Pen(whole, 100 / W.SIZE).d.ellipse(box, fill=255)
                ink = Image.new('L', image.size)
                ink.paste(world.sprite(t, None, r).getchannel('A').resize((square[2],) * 2), square[:2])
                mask = np.minimum(np.asarray(whole), np.asarray(ink))
            grey = grey_head(image, mask, size, r)
        return np.asarray(image), I.head_crop(image, head_square(square, t.standing), r), grey, [*square, t.standing], captions


_maker = None


def begin(folder, each):
    global _maker
    _maker = Speaker(load_tokenizer(folder)), W.World(backgrounds_each=each)


def work_on(job):
    ids, looks, size = job
    say, world = _maker
    rows = [picture(P.identity(i), world, r, say, size, k) for i in ids for r in [random.Random(f'portrait {i}')] for k in range(looks)]
    images, heads, greys, squares, texts = zip(*rows)
    return np.stack(images), np.stack(heads), np.stack(greys), np.array(squares, np.int16), np.array([[say.tokenizer(t) for t in ts] for ts in texts], np.int16)


def network(cls, folder, device):
    """An identity network that a stage saved, frozen, in float32."""
    if not (folder / 'model.safetensors').exists():
        raise SystemExit(f'{folder} is missing: run the {folder.name} stage first.')
    model = cls()
    model.load_state_dict({k: v.float() for k, v in load_file(folder / 'model.safetensors').items()})
    return model.to(device).eval().requires_grad_(False)


def portraits(a):
    start = a.start or a.work / 'base'
    say = Speaker(load_tokenizer(start))
    if not say.people:
        raise SystemExit('This base has no words for people: train one of version 3.')
    size = json.loads((start / 'image_encoder/config.json').read_text())['image_size']
    ae = M.load(M.TinyAutoencoder, start / 'vae').to(a.device).to(memory_format=torch.channels_last).eval()
    who = network(I.Encoder, a.work / 'identity', a.device)
    looks, held = (3, 4) if a.smoke else (LOOKS, HELD_PEOPLE)
    ids = [*P.HELD_OUT_IDENTITIES[:held], *range(16 if a.smoke else min(a.count // looks, P.HELD_OUT_IDENTITIES.start))]
    n = len(ids) * looks
    shapes = {'latents': (np.float16, (n, LATENT, GRID, GRID)), 'heads': (np.uint8, (n, I.SIDE, I.SIDE, 3)), 'grey': (np.uint8, (n, size, size)), 'who': (np.float16, (n, I.WIDTH)),
              'squares': (np.int16, (n, 4)), 'ids': (np.int16, (n, CAPTIONS, tok.MAX_LENGTH))}
    about, sha = a.work / 'portraits.json', A.sha256_of(start)
    state = json.loads(about.read_text()) if a.resume and about.exists() else dict(done=0)
    if state['done'] and (state['sha256'], state['planned']) != (sha, n):
        raise SystemExit('These portraits were begun for another base or with another --count: choose another --work, or leave out --resume to make them anew.')
    out = {k: np.lib.format.open_memmap(a.work / f'portrait-{k}.npy', mode='r+' if state['done'] else 'w+', **({} if state['done'] else dict(dtype=t, shape=s))) for k, (t, s) in shapes.items()}
    state.update(sha256=sha, planned=n, held=held * looks, looks=looks, people=ids, size=size)
    jobs, begun = [(ids[i:i + JOB], looks, size) for i in range(0, len(ids), JOB)], time.time()
    first = state['done']

    def save():
        for f in out.values():
            f.flush()
        state['pictures'] = min(n, state['done'] * JOB * looks)
        about.write_text(json.dumps(state))

    @torch.no_grad()
    def encoded(images, heads):
        x = I.pixels(images, a.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(a.device, dtype=torch.bfloat16):
            z = torch.cat([ae.encode(p) for p in x.split(24)]).float()
        return z.cpu().numpy(), who(I.pixels(heads, a.device)).cpu().numpy()

    with Pool(a.threads, begin, (start, 4 if a.smoke else 40)) as pool:
        for done, (images, heads, greys, squares, words) in enumerate(pool.imap(work_on, jobs[first:]), first):
            rows = slice(done * JOB * looks, done * JOB * looks + len(images))
            out['latents'][rows], out['who'][rows] = encoded(images, heads)
            out['heads'][rows], out['grey'][rows], out['squares'][rows], out['ids'][rows] = heads, greys, squares, words
            state['done'] = done + 1
            if done % 20 == 0:
                save()
                print(f"{state['pictures']} portraits, {(done + 1 - first) * JOB * looks / (time.time() - begun):.1f} a second", flush=True)
    save()
    print(f"{n} portraits of {len(ids)} people, {held} of them held out; {sum(f.nbytes for f in out.values()) / 1e6:.0f} MB")
