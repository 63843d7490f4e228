"""Draws backgrounds: one random picture of each, and what weather and time of day do to it."""
import math

import numpy as np
from PIL import Image, ImageDraw

from words import PLAIN

SIZE = 128


def _gradient(top, bottom, height, width=SIZE):
    t = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    return np.broadcast_to(np.array(top, np.float32) * (1 - t) + np.array(bottom, np.float32) * t, (height, width, 3)).copy()


def _cloud(d, x, y, s=1.):
    d.ellipse([x - 14 * s, y - 4 * s, x + 14 * s, y + 5 * s], fill=(255, 255, 255))
    d.ellipse([x - 6 * s, y - 9 * s, x + 9 * s, y + 4 * s], fill=(255, 255, 255))


def _mountains(d, r, near, horizon):
    for k, c in ((0, (120, 140, 175)), (1, (90, 112, 150))):
        for _ in range(3):
            x, w, h = r.uniform(-10, 138), r.uniform(34, 52), r.uniform(34, 58) - 14 * k
            d.polygon([(x - w, horizon), (x, horizon - h), (x + w, horizon)], fill=near(c, 8))
            d.polygon([(x - w * .26, horizon - h * .74), (x, horizon - h), (x + w * .26, horizon - h * .74), (x + w * .08, horizon - h * .66), (x - w * .08, horizon - h * .7)], fill=(246, 249, 255))


def _lake(d, r, near, horizon):
    d.ellipse([-30, horizon - 14, 70, horizon + 12], fill=near((88, 150, 84)))
    d.ellipse([60, horizon - 11, 170, horizon + 12], fill=near((104, 165, 92)))
    d.rectangle([0, horizon, SIZE, horizon + 14], fill=near((80, 158, 205), 6))
    for _ in range(9):
        x, y = r.uniform(0, SIZE), r.uniform(horizon + 5, SIZE - 12)
        d.line([x - 8, y, x + 8, y], fill=(150, 205, 235))
    d.rectangle([0, SIZE - 9, SIZE, SIZE], fill=near((110, 165, 85)))


def _sea(d, r, near, horizon):
    for k in range(6):
        y, c = horizon + 6 + k * 11, near((70, 160, 220), 8)
        for x in range(-8 + r.randint(0, 8), SIZE, 18):
            d.arc([x, y - 3, x + 16, y + 5], 190, 350, fill=c, width=2)
    _cloud(d, r.uniform(10, 118), r.uniform(12, horizon * .6))


def _road(d, r, near, horizon):
    x = 64 + r.uniform(-8, 8)
    d.polygon([(x - 5, horizon), (x + 5, horizon), (120, SIZE), (8, SIZE)], fill=near((96, 96, 102), 8))
    for k in range(5):
        y0, y1 = horizon + (SIZE - horizon) * (k / 5) ** 1.5, horizon + (SIZE - horizon) * ((k + .55) / 5) ** 1.5
        d.polygon([(x + (64 - x) * (y0 - horizon) / (SIZE - horizon) + q * (.4 + (y - horizon) * .045), y) for q, y in ((-1, y0), (1, y0), (1, y1), (-1, y1))], fill=(250, 240, 200))


def _park(d, r, near, horizon):
    for x in (r.uniform(4, 30), r.uniform(98, 124)):
        d.rectangle([x - 3, horizon - 14, x + 3, horizon + 8], fill=(120, 82, 50))
        c = near((70, 150, 70))
        for dx, dy in ((-9, -20), (9, -20), (0, -32), (0, -18)):
            d.ellipse([x + dx - 12, horizon + dy - 11, x + dx + 12, horizon + dy + 11], fill=c)
    d.polygon([(56, horizon), (68, horizon), (104, SIZE), (24, SIZE)], fill=near((226, 206, 160), 8))


def _farm(d, r, near, horizon):
    x = r.choice([14, 86])
    d.rectangle([x, horizon - 20, x + 28, horizon], fill=near((190, 52, 44), 10))
    d.polygon([(x - 3, horizon - 19), (x + 14, horizon - 34), (x + 31, horizon - 19)], fill=near((120, 40, 40), 8))
    d.rectangle([x + 9, horizon - 13, x + 19, horizon], fill=(250, 244, 232))
    for k in range(9):
        d.line([(64 + (k - 4) * 8, horizon), (64 + (k - 4) * 34, SIZE)], fill=near((160, 128, 54), 8), width=2)


def _sky(r, near):
    im = Image.fromarray(_gradient(near((80, 160, 240)), near((205, 232, 255)), SIZE).astype(np.uint8))
    d = ImageDraw.Draw(im)
    for _ in range(5):
        _cloud(d, r.uniform(0, SIZE), r.uniform(10, 120), r.uniform(.8, 1.6))
    return im


def _space(r, near):
    im = Image.fromarray(_gradient(near((8, 6, 22), 5), near((28, 14, 54), 8), SIZE).astype(np.uint8))
    d = ImageDraw.Draw(im)
    for _ in range(46):
        x, y, s = r.uniform(0, SIZE), r.uniform(0, SIZE), r.choice([.5, .8, 1.2])
        d.ellipse([x - s, y - s, x + s, y + s], fill=r.choice([(255, 255, 255), (200, 220, 255), (255, 230, 200)]))
    x, y, s, c = r.choice([16, 112]), r.uniform(14, 40), r.uniform(9, 14), near(r.choice([(220, 130, 80), (90, 160, 210), (190, 140, 210)]))
    d.ellipse([x - s, y - s, x + s, y + s], fill=c)
    d.ellipse([x - s * 1.7, y - s * .28, x + s * 1.7, y + s * .28], outline=near((230, 210, 170)), width=2)
    return im


def _kitchen(r, near):
    wall = near((226, 238, 232), 8)
    im = Image.new('RGB', (SIZE, SIZE), wall)
    d = ImageDraw.Draw(im)
    for x in range(0, SIZE, 16):
        d.line([x, 34, x, 84], fill=(205, 220, 214))
    for y in range(36, 84, 12):
        d.line([0, y, SIZE, y], fill=(205, 220, 214))
    c = near(r.choice([(90, 140, 150), (190, 120, 90), (120, 150, 110)]))
    dark = tuple(int(v * .8) for v in c)
    for x in range(0, SIZE, 32):
        d.rectangle([x + 1, 0, x + 30, 30], fill=c, outline=dark)
        d.rectangle([x + 1, 90, x + 30, SIZE], fill=c, outline=dark)
        d.rectangle([x + 25, 20, x + 27, 26], fill=(240, 235, 220))
        d.rectangle([x + 25, 95, x + 27, 101], fill=(240, 235, 220))
    d.rectangle([0, 82, SIZE, 90], fill=near((236, 226, 208), 6))
    return im


def _library(r, near):
    im = Image.new('RGB', (SIZE, SIZE), near((112, 74, 46), 8))
    d = ImageDraw.Draw(im)
    for y in range(0, 112, 28):
        x = 2
        while x < SIZE - 3:
            w, h = r.randint(4, 8), r.randint(17, 23)
            d.rectangle([x, y + 25 - h, x + w - 1, y + 24], fill=near(r.choice([(176, 60, 56), (58, 98, 150), (70, 130, 88), (206, 164, 84), (120, 80, 140), (226, 216, 196)]), 10))
            x += w
        d.rectangle([0, y + 25, SIZE, y + 27], fill=(84, 54, 32))
    d.rectangle([0, 112, SIZE, SIZE], fill=near((146, 104, 70), 8))
    return im


def _stage(r, near):
    c = near((168, 32, 44), 10)
    im = Image.new('RGB', (SIZE, SIZE), near((50, 30, 56), 6))
    d = ImageDraw.Draw(im)
    d.polygon([(46, 0), (82, 0), (118, 104), (10, 104)], fill=(112, 90, 104))
    d.ellipse([10, 92, 118, 118], fill=(226, 206, 160))
    d.rectangle([0, 106, SIZE, SIZE], fill=near((140, 92, 56), 6))
    d.ellipse([16, 98, 112, 120], fill=(236, 216, 172))
    for x in (*range(-4, 22, 7), *range(104, 134, 7)):
        d.rectangle([x, 0, x + 4, 112], fill=c)
        d.rectangle([x + 4, 0, x + 6, 112], fill=tuple(int(v * .72) for v in c))
    d.rectangle([0, 0, SIZE, 9], fill=c)
    return im


WHOLE = {'sky': _sky, 'space': _space, 'kitchen': _kitchen, 'library': _library, 'stage': _stage}
OPEN = {'mountains': _mountains, 'lake': _lake, 'sea': _sea, 'road': _road, 'park': _park, 'farm': _farm}


def draw_background(name, r):
    """One random drawing of a background. r: random.Random."""
    S = SIZE

    def near(c, k=14):
        return tuple(max(0, min(255, int(x + r.uniform(-k, k)))) for x in c)

    if name in PLAIN:
        return Image.new('RGB', (S, S), near(PLAIN[name], 7))
    if name in WHOLE:
        return WHOLE[name](r, near)
    horizon = int(S * r.uniform(.5, .66))

    def sky_and_ground(sky0, sky1, ground0, ground1):
        a = np.concatenate([_gradient(near(sky0), near(sky1), horizon), _gradient(near(ground0), near(ground1), S - horizon)])
        return Image.fromarray(a.astype(np.uint8))

    if name == 'checkerboard':
        ys, xs = np.mgrid[0:S, 0:S]
        odd = (((ys // 16) + (xs // 16) + r.randint(0, 1)) % 2)[..., None]
        return Image.fromarray(np.where(odd, np.array(near((235, 235, 235), 6)), np.array(near((60, 60, 65), 6))).astype(np.uint8))
    if name == 'night':
        im = Image.fromarray(_gradient(near((10, 12, 45), 8), near((40, 38, 95), 8), S).astype(np.uint8))
        d = ImageDraw.Draw(im)
        for _ in range(28):
            x, y, s = r.uniform(0, S), r.uniform(0, S), r.choice([.6, 1, 1.5])
            d.ellipse([x - s, y - s, x + s, y + s], fill=(255, 255, 225))
        x = r.uniform(.12, .88) * S
        d.ellipse([x - 11, 8, x + 11, 30], fill=(250, 240, 190))
        d.ellipse([x - 4, 6, x + 15, 25], fill=(17, 18, 52))
        return im
    if name == 'underwater':
        im = Image.fromarray(_gradient(near((60, 175, 225)), near((8, 55, 120)), S).astype(np.uint8))
        d = ImageDraw.Draw(im)
        for _ in range(14):
            x, y, s = r.uniform(0, S), r.uniform(0, S), r.uniform(1.5, 4.5)
            d.ellipse([x - s, y - s, x + s, y + s], outline=(190, 235, 255))
        for _ in range(5):
            x = r.uniform(0, S)
            d.line([(x + 4 * math.sin(k * .9 + x), S - k * 7) for k in range(r.randint(4, 8))], fill=near((35, 135, 90)), width=4)
        return im
    if name == 'room':
        horizon = int(S * r.uniform(.66, .76))
        wall = near(r.choice([(235, 220, 195), (225, 205, 205), (205, 220, 215)]))
        im = Image.fromarray(np.concatenate([_gradient(wall, wall, horizon), _gradient(near((165, 110, 65)), near((140, 90, 50)), S - horizon)]).astype(np.uint8))
        d = ImageDraw.Draw(im)
        d.rectangle([0, horizon - 3, S, horizon], fill=(250, 248, 240))
        x = r.choice([14, 84])
        d.rectangle([x, 14, x + 30, 46], fill=(165, 215, 250), outline=(250, 250, 250), width=3)
        d.line([x + 15, 14, x + 15, 46], fill=(250, 250, 250), width=2)
        for y in range(horizon + 8, S, 10):
            d.line([0, y, S, y], fill=(120, 75, 40))
        return im
    ground = {
        'beach': ((120, 195, 250), (200, 232, 255), (245, 225, 165), (225, 195, 130)),
        'grass': ((135, 205, 250), (215, 238, 255), (110, 195, 80), (60, 150, 50)),
        'snow': ((175, 200, 225), (220, 232, 245), (250, 252, 255), (222, 232, 245)),
        'city': ((150, 185, 220), (225, 225, 230), (85, 85, 92), (70, 70, 76)),
        'desert': ((250, 190, 110), (255, 225, 165), (230, 170, 90), (205, 135, 65)),
        'forest': ((165, 210, 190), (200, 230, 205), (75, 120, 55), (50, 90, 40)),
        'sunset': ((70, 40, 110), (255, 140, 70), (60, 45, 85), (30, 25, 55)),
        'mountains': ((110, 170, 235), (205, 230, 250), (120, 165, 95), (85, 130, 70)),
        'lake': ((140, 205, 245), (220, 240, 250), (70, 150, 200), (40, 105, 165)),
        'sea': ((130, 200, 250), (210, 236, 255), (30, 120, 195), (10, 65, 140)),
        'road': ((140, 200, 245), (220, 238, 250), (130, 185, 95), (95, 155, 70)),
        'park': ((140, 208, 250), (222, 240, 255), (140, 200, 95), (95, 165, 65)),
        'farm': ((150, 208, 250), (225, 240, 250), (214, 190, 100), (180, 150, 70)),
    }
    im = sky_and_ground(*ground[name])
    d = ImageDraw.Draw(im)
    if name == 'beach':
        d.rectangle([0, horizon - 16, S, horizon + 2], fill=near((30, 140, 205)))
        d.line([0, horizon + 3, S, horizon + 3], fill=(240, 250, 255), width=2)
        x = r.uniform(.1, .9) * S
        d.ellipse([x - 9, 8, x + 9, 26], fill=(255, 235, 120))
    elif name == 'grass':
        for _ in range(26):
            x, y = r.uniform(0, S), r.uniform(horizon + 3, S)
            d.line([x, y, x + r.uniform(-2, 2), y - 5], fill=near((40, 125, 35)), width=1)
        for _ in range(2):
            x, y = r.uniform(0, S), r.uniform(8, horizon * .5)
            d.ellipse([x - 14, y - 4, x + 14, y + 5], fill=(255, 255, 255))
            d.ellipse([x - 6, y - 9, x + 9, y + 4], fill=(255, 255, 255))
    elif name == 'snow':
        for _ in range(2):
            x, w = r.uniform(0, S), r.uniform(24, 44)
            d.polygon([(x - w, horizon), (x, horizon - r.uniform(25, 42)), (x + w, horizon)], fill=near((150, 172, 205)))
        for _ in range(34):
            x, y = r.uniform(0, S), r.uniform(0, S)
            d.ellipse([x - 1.3, y - 1.3, x + 1.3, y + 1.3], fill=(255, 255, 255))
    elif name == 'city':
        x = 0
        while x < S:
            w, h = r.randint(13, 24), r.randint(28, 62)
            d.rectangle([x, horizon - h, x + w - 1, horizon], fill=near(r.choice([(110, 115, 135), (150, 130, 120), (95, 110, 120)])))
            for y in range(horizon - h + 4, horizon - 4, 8):
                for wx in range(x + 3, x + w - 4, 6):
                    d.rectangle([wx, y, wx + 2, y + 3], fill=(250, 230, 150) if r.random() < .6 else (60, 65, 80))
            x += w
        for x in range(4, S, 24):
            d.rectangle([x, (horizon + S) // 2, x + 12, (horizon + S) // 2 + 2], fill=(235, 235, 235))
    elif name == 'desert':
        x = r.uniform(0, S)
        d.ellipse([x - 60, horizon - 14, x + 60, horizon + 30], fill=near((222, 155, 78)))
        x, c = r.choice([r.uniform(8, 30), r.uniform(98, 120)]), near((60, 140, 70))
        for box in ([x - 3, -22, x + 3, 10], [x - 10, -12, x + 10, -8], [x - 10, -18, x - 6, -8], [x + 6, -20, x + 10, -8]):
            d.rectangle([box[0], horizon + box[1], box[2], horizon + box[3]], fill=c)
    elif name == 'forest':
        for i in range(9):
            x, h, w, c = (i + r.uniform(.1, .9)) * S / 9, r.uniform(34, 62), r.uniform(9, 14), near((30, 95, 50), 18)
            d.rectangle([x - 2, horizon - 6, x + 2, horizon + 5], fill=(90, 60, 35))
            for k in range(3):
                half, base = w * (1 - k * .22), horizon - 4 - k * h * .26
                d.polygon([(x - half, base), (x, horizon - 4 - h * (.5 + k * .25)), (x + half, base)], fill=c)
    elif name in OPEN:
        OPEN[name](d, r, near, horizon)
    elif name == 'sunset':
        x = r.uniform(.25, .75) * S
        d.pieslice([x - 20, horizon - 20, x + 20, horizon + 20], 180, 360, fill=(255, 215, 110))
        for _ in range(6):
            y, wx = r.uniform(horizon + 3, S - 3), x + r.uniform(-26, 26)
            d.line([wx - 10, y, wx + 10, y], fill=(230, 130, 90), width=1)
    return im


def at_time(im, time):
    """An outdoor picture at night or at dusk."""
    a = np.asarray(im).astype(np.float32)
    if time == 'night':
        a = a * np.array([.26, .3, .5], np.float32) + np.array([4, 6, 26], np.float32)
    elif time == 'dusk':
        down = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None, None]
        a = a * np.array([.86, .6, .62], np.float32) + (1 - abs(down - .45) * 2).clip(0, 1) * np.array([70, 34, 10], np.float32) + np.array([14, 0, 22], np.float32)
    return Image.fromarray(a.clip(0, 255).astype(np.uint8))


def behind(im, weather):
    """What weather does to what lies behind the objects."""
    a, veil = np.asarray(im).astype(np.float32), {'fog': (.72, (222, 226, 230)), 'rain': (.42, (112, 124, 142)), 'snowfall': (.34, (214, 222, 234))}
    if weather not in veil:
        return im
    k, c = veil[weather]
    return Image.fromarray((a * (1 - k) + np.array(c, np.float32) * k).astype(np.uint8))


def in_front(im, weather, r):
    """What falls before everything."""
    d = ImageDraw.Draw(im, 'RGBA')
    for _ in range({'rain': 44, 'snowfall': 38}.get(weather, 0)):
        x, y = r.uniform(-4, SIZE), r.uniform(-8, SIZE)
        if weather == 'rain':
            d.line([x, y, x - 3, y + 10], fill=(196, 216, 240, 190), width=1)
        else:
            s = r.uniform(1, 2.2)
            d.ellipse([x - s, y - s, x + s, y + s], fill=(255, 255, 255, 235))
    return im
