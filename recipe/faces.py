"""Draws a person: bust or standing figure, from an Identity and a Look, as an RGBA sprite in a square.

Flat shapes with soft shading, drawn large and scaled down. Coordinates are hundredths of the square; the head's centre line is x = 50.
"""
import numpy as np
from PIL import Image

import people as P
from hair import SHAPES, hair_back, hair_front
from pen import Pen, shade

DRAWN = 384  # side of the drawing before it is scaled down


def head_outline(who):
    f, c, j, h, chin = SHAPES[who.shape]
    w = who.width
    right = [(f * w * .62, 21), (f * w, 31), (c * w, 45), (j * w, 59), (h * w, chin - 3)]
    return [(50, 18.5), *[(50 + x, y) for x, y in right], (50, chin), *[(50 - x, y) for x, y in reversed(right)]]


def eye(p, who, look, side, skin):
    x, y, s = 50 + side * 9.8 * who.eye_gap, 45.5, who.eye_size
    dark, tilt = (48, 30, 34) if who.skin < 6 else (24, 12, 14), who.eye_tilt * .5 * side
    if look.expression in ('laughing', 'sleeping') or (look.expression == 'winking' and side == who.part):
        sag = 2.2 if look.expression == 'sleeping' else -2.6
        p.bend(x - 4.6 * s, y + .5, x + 4.6 * s, y + .5, sag, dark, 1.3)
        return
    tall = {'surprised': 5.6, 'angry': 3.9, 'sad': 4.2}.get(look.expression, 4.6) * s
    p.oval(x, y, 5. * s, tall, (252, 252, 252))
    p.oval(x, y, 3.6 * s, min(3.9 * s, tall), P.EYE_COLOURS[who.eye_colour])
    p.oval(x, y + .1, 2. * s, 2.1 * s, (20, 14, 18))
    p.oval(x + 1.3 * s, y - 1.5 * s, 1.05 * s, 1.05 * s, (255, 255, 255))
    lid = {'angry': 1.2, 'sad': -.9}.get(look.expression, 0) * side
    p.bend(x - 5 * s, y - tall * .45 + tilt - lid, x + 5 * s, y - tall * .45 - tilt + lid, -tall * .55, dark, 1.25)
    if who.word in ('woman', 'girl'):
        for k in (0, 1):
            p.line([(x + side * (4.4 - k * 1.6) * s, y - tall * (.55 + .3 * k)), (x + side * (6.6 - k * 1.8) * s, y - tall * (.9 + .42 * k))], dark, .9)


def brow(p, who, look, side, colour):
    x, y = 50 + side * 9.8 * who.eye_gap, 36.5 - .6 * who.eye_size
    inner, outer, rise = {'angry': (2.6, -.8, 0), 'sad': (-2., 1.2, 0), 'surprised': (0, 0, -2.6)}.get(look.expression, (0, 0, 0))
    a, b = (x - side * 5, y + inner + rise), (x + side * 5.2, y + outer + rise)
    p.bend(*a, *b, -1.5 * who.brow_arch, colour, 1.55 * who.brow_thick)


def nose(p, who, skin):
    s, line = who.nose_size, shade(skin, .72)
    if who.nose == 'button':
        p.oval(50, 54, 2.4 * s, 1.7 * s, shade(skin, .86))
        p.oval(49.4, 53.4, 1. * s, .7 * s, shade(skin, 1.3))
    elif who.nose == 'straight':
        p.bend(50 - 2.4 * s, 54.5, 50 + 2.4 * s, 54.5, 1.7 * s, line, 1.1)
    elif who.nose == 'wide':
        p.oval(50, 54, 4 * s, 2.2 * s, shade(skin, .87))
        for q in (-1, 1):
            p.oval(50 + q * 2 * s, 55, .85 * s, .6 * s, shade(skin, .6))
    else:
        p.line([(50 + 1.2 * s, 48.5), (50 + 2.6 * s, 54.6), (50 - .8 * s, 55)], line, 1.05)


def mouth(p, who, look, skin):
    w, y, e = 7.2 * who.mouth_width, 61.5, look.expression
    lip = tuple(int(a * .45 + b * .55) for a, b in zip(skin, (196, 62, 78)))
    line, teeth, inside = shade(lip, .66), (253, 252, 250), (118, 30, 42)
    if e == 'laughing':
        p.blob([(50 - w, y - 2), (50 - w * .3, y - 1.4), (50 + w * .3, y - 1.4), (50 + w, y - 2), (50 + w * .66, y + 4), (50, y + 6), (50 - w * .66, y + 4)], inside)
        p.blob([(50 - w * .86, y - 1.3), (50, y - 1), (50 + w * .86, y - 1.3), (50 + w * .7, y + 1), (50, y + 1.6), (50 - w * .7, y + 1)], teeth)
        p.oval(50, y + 4.2, w * .42, 1.4, (232, 106, 112))
    elif e == 'smiling' or e == 'winking':
        p.bend(50 - w, y - 1, 50 + w, y - 1, 3.6, line, 1.5)
        p.bend(50 - w * .5, y + 1.9, 50 + w * .5, y + 1.9, 1.5 * who.lips, lip, 1.7 * who.lips)
    elif e == 'surprised':
        p.oval(50, y + 1.6, 3.5 * who.mouth_width, 4.2, inside, lip, 1.1)
    elif e in ('sad', 'angry'):
        p.bend(50 - w * .8, y + 2.6, 50 + w * .8, y + 2.6, -2.8 if e == 'sad' else -1.9, line, 1.6)
    else:
        p.bend(50 - w * .66, y + .6, 50 + w * .66, y + .6, .5, line, 1.3)
        p.bend(50 - w * .46, y + 2, 50 + w * .46, y + 2, .9 * who.lips, lip, 1.8 * who.lips)


def beard(p, who, colour):
    if who.beard == 'none':
        return
    f, c, j, h, chin = SHAPES[who.shape]
    w, fill = who.width, colour if who.beard != 'stubble' else (*colour, 64)
    if who.beard in ('beard', 'stubble'):
        out = [(c * w + .4, 47), (j * w + .7, 60), (h * w + .9, chin - 2)]
        inner = [(c * w - 3, 48), (j * w - 3.5, 55.5), (5, 57)]
        drop = 3.5 if who.beard == 'beard' else .5
        p.blob([(50 + x, y) for x, y in [*out, (0, chin + drop), *[(-x, y) for x, y in reversed(out)], *[(-x, y) for x, y in inner], (0, 56.6), *[(x, y) for x, y in reversed(inner)]]], fill)
    if who.beard in ('moustache', 'goatee', 'beard'):
        p.blob([(50, 56.8), (55, 57), (58.5, 60.5), (54, 60), (50, 59.3), (46, 60), (41.5, 60.5), (45, 57)], shade(colour, .94))
    if who.beard == 'goatee':
        p.blob([(45.5, 65.5), (54.5, 65.5), (53.6, chin + .5), (50, chin + 3), (46.4, chin + .5)], colour)


def marks(p, who, skin):
    s = who.mark_side
    if who.mark == 'freckles':
        for x, y in [(-14, 53), (-11.5, 55), (-9, 53.4), (-12, 57), (14, 53), (11.5, 55), (9, 53.4), (12, 57)]:
            p.oval(50 + x * who.width, y, .75, .75, shade(skin, .68))
    elif who.mark == 'mole':
        p.oval(50 + s * 9, 58.5, 1.05, 1.05, (74, 42, 34))
    elif who.mark == 'scar':
        p.line([(50 + s * 13, 51), (50 + s * 10.5, 58)], shade(skin, 1.35), 1.2)
    elif who.mark == 'blush':
        for q in (-1, 1):
            p.oval(50 + q * 13.2 * who.width, 54.5, 4.2, 2.7, (238, 110, 110, 105))
    elif who.mark == 'wrinkles':
        for q in (-1, 1):
            p.bend(50 + q * 5.5, 51, 50 + q * 13.5, 51.5, 1.2, shade(skin, .8), .8)
            p.bend(50 + q * 6.5, 56, 50 + q * 9.6, 61, 0, shade(skin, .78), .8)
        p.bend(42, 29.5, 58, 29.5, -1, shade(skin, .82), .8)


def glasses(p, who, look):
    if look.glasses == 'none':
        return
    dark = look.glasses == 'sunglasses'
    frame = (32, 32, 40) if dark else (64, 50, 60)
    x, y, rx, ry = 9.8 * who.eye_gap, 45.8, 7.6, 6.6 if not dark else 6.2
    for q in (-1, 1):
        p.oval(50 + q * x, y, rx, ry, (30, 32, 44, 240) if dark else (225, 240, 255, 60), frame, 1.2)
        p.line([(50 + q * (x + rx), y - 1.5), (50 + q * (SHAPES[who.shape][1] * who.width + .5), y - 2.5)], frame, 1.2)
        if dark:
            p.line([(50 + q * x - 3.6, y - 1), (50 + q * x - .6, y - 3.6)], (190, 200, 220), 1.)
    p.bend(50 - x + rx - .4, y - 1, 50 + x - rx + .4, y - 1, -1.2, frame, 1.3)


def hat(p, who, look):
    if look.hat == 'none':
        return
    w, c, s = SHAPES[who.shape][1] * who.width, P.COLOURS[look.hat_colour], who.part
    dark, light = shade(c, .78), shade(c, 1.2)
    dome = lambda m, top, low: [(50 - w - m, low), (50 - w - m + 1, 24), (50 - w * .62, top + 4), (50, top), (50 + w * .62, top + 4), (50 + w + m - 1, 24), (50 + w + m, low)]
    if look.hat == 'beanie':
        p.blob([*dome(3.4, 6, 30), (50, 32)], c)
        p.box(50 - w - 4, 26, 50 + w + 4, 33.5, 3, dark)
        p.oval(50, 6, 4.6, 4.6, light)
    elif look.hat == 'cap':
        p.blob([*dome(3, 9, 30), (50, 30)], c)
        p.blob([(50 - w * .9, 28.5), (50, 26), (50 + w * .9, 28.5), (50 + w * .9 + 3, 33), (50, 31.6), (50 - w * .9 - 3, 33)], dark)
        p.oval(50, 9.6, 1.7, 1.4, dark)
    elif look.hat == 'hat':
        p.box(50 - w * .84, 4, 50 + w * .84, 29, 5, c)
        p.poly([(50 - w * .84, 22), (50 + w * .84, 22), (50 + w * .84, 27.5), (50 - w * .84, 27.5)], shade(c, .62))
        p.oval(50, 29, w + 13, 4.2, dark)
    else:
        gold, y = (250, 200, 56), 25
        p.poly([(50 - w * .86, y), (50 - w, 6), (50 - w * .48, 15), (50, 3.5), (50 + w * .48, 15), (50 + w, 6), (50 + w * .86, y)], gold)
        p.box(50 - w * .88, y - 5, 50 + w * .88, y + 1.5, 1, (226, 164, 36))
        for x, col in ((-w * .5, (60, 120, 220)), (0, (220, 50, 60)), (w * .5, (60, 170, 90))):
            p.oval(50 + x, y - 1.8, 1.9, 1.9, col)


def clothes(p, look, skin, x0, x1, top, bottom, neck):
    """The upper body between x0 and x1, from the shoulders' height to the bottom; neck: half width of the neck."""
    c, kind = P.COLOURS[look.clothes_colour], look.clothes
    if kind == 'suit':
        c = shade(c, .72)
    dark, mid = shade(c, .78), (x0 + x1) / 2
    p.blob([(x0, bottom + 6), (x0 + 1, top + (bottom - top) * .55), (x0 + 9, top + 4), (mid - neck - 4, top), (mid + neck + 4, top), (x1 - 9, top + 4), (x1 - 1, top + (bottom - top) * .55), (x1, bottom + 6)], c)
    if kind == 'dress':
        p.blob([(mid - neck - 5, top - 2), (mid + neck + 5, top - 2), (mid + neck + 1, top + 8), (mid, top + 11), (mid - neck - 1, top + 8)], skin)
    elif kind == 'sweater':
        p.box(mid - neck - 2.4, top - 6, mid + neck + 2.4, top + 2.5, 2.6, dark)
    elif kind == 'shirt':
        p.oval(mid, top, neck + 3, 5.5, dark)
        p.oval(mid, top - 1, neck + 1.4, 4.6, skin)
    elif kind == 'hoodie':
        p.blob([(mid - neck - 9, top + 3), (mid - neck - 3, top - 3.5), (mid, top + 3), (mid + neck + 3, top - 3.5), (mid + neck + 9, top + 3), (mid, top + 11)], dark)
        p.oval(mid, top, neck + .5, 4.6, skin)
        for q in (-1, 1):
            p.line([(mid + q * 3.5, top + 8), (mid + q * 3.8, top + 15)], (245, 245, 245), 1.2)
    else:
        p.poly([(mid - neck - 3, top - 2), (mid + neck + 3, top - 2), (mid, top + 19)], (248, 248, 250))
        p.poly([(mid - 2.4, top + 4), (mid + 2.4, top + 4), (mid + 3, top + 16), (mid, top + 20), (mid - 3, top + 16)], (200, 52, 62))
        for q in (-1, 1):
            p.poly([(mid + q * (neck + 2), top - 3), (mid + q * (neck + 8), top + 5), (mid, top + 22)], dark)


def head(p, who, look):
    skin, hair = P.SKINS[who.skin], P.HAIR_COLOURS[who.hair_colour]
    w = SHAPES[who.shape][1] * who.width
    covers = look.hat in ('cap', 'beanie', 'hat')
    for q in (-1, 1):
        p.oval(50 + q * (w + .4), 48, 3.6 * who.ears, 5 * who.ears, shade(skin, .92))
        p.oval(50 + q * (w + .8), 48, 1.7 * who.ears, 2.8 * who.ears, shade(skin, .78))
    p.blob(head_outline(who), skin)
    marks(p, who, skin)
    beard(p, who, shade(hair, .9))
    mouth(p, who, look, skin)
    nose(p, who, skin)
    for q in (-1, 1):
        eye(p, who, look, q, skin)
        brow(p, who, look, q, shade(hair, .8) if who.hair_colour not in ('white', 'blond') else shade(hair, .72))
    if not (covers and who.hair in ('spiky', 'curly', 'afro')):
        hair_front(p, who, hair)
    glasses(p, who, look)
    hat(p, who, look)


def lit(image, light):
    """Light from a side, warm or cool, over the whole sprite."""
    if light == 'even':
        return image
    a = np.asarray(image).astype(np.float32)
    across = np.linspace(1, 0, image.width, dtype=np.float32)[None, :, None]
    gain = {'left': .74 + .36 * across, 'right': 1.1 - .36 * across, 'warm': np.array([1.04, .97, .86], np.float32), 'cool': np.array([.92, .97, 1.06], np.float32)}[light]
    rgb = (a[..., :3] * gain).clip(0, 255)
    return Image.fromarray(np.concatenate([rgb, a[..., 3:]], -1).astype(np.uint8), 'RGBA')


def layer():
    return Image.new('RGBA', (DRAWN, DRAWN), (0, 0, 0, 0))


def bust(who, look):
    """-> RGBA square, standing on its lower edge."""
    image, skin = layer(), P.SKINS[who.skin]
    hair, small = P.HAIR_COLOURS[who.hair_colour], who.word in ('girl', 'boy')
    p = Pen(image)
    hair_back(p, who, hair)
    broad = 31 if small else 36 if who.word == 'woman' else 41
    p.box(43, 60, 57, 86, 5, shade(skin, .84))
    clothes(p, look, skin, 50 - broad, 50 + broad, 82, 100, 7)
    if who.hair == 'braids':
        hair_back(p, who, hair)
        p.box(44, 60, 56, 78, 4, shade(skin, .84))
    head(p, who, look)
    return lit(image, look.light)


def figure(who, look):
    """The whole person, standing in the square -> RGBA. The hand on the right is near (72, 69): what is held goes there."""
    image, skin = layer(), P.SKINS[who.skin]
    hair, c = P.HAIR_COLOURS[who.hair_colour], P.COLOURS[look.clothes_colour]
    dress, dark = look.clothes == 'dress', shade(c, .78)
    p, h = Pen(image), Pen(image, .62, 19, -1)  # the body on the whole square, the head over its upper half
    hair_back(h, who, hair)
    legs = skin if dress else (58, 64, 92) if look.clothes_colour != 'black' else (120, 124, 138)
    for q in (-1, 1):
        p.box(50 + q * 5.4 - 3.9, 72, 50 + q * 5.4 + 3.9, 96, 2.5, legs)
        p.box(50 + q * 6.4 - 5, 93, 50 + q * 6.4 + 5, 99.5, 2.8, (70, 48, 44))
        p.line([(50 + q * 11, 52), (50 + q * 17.5, 61), (50 + q * 21, 67.5)], shade(c, .6) if look.clothes == 'suit' else dark, 6.)
        p.oval(50 + q * 22.4, 69.4, 3.4, 3.4, skin)
    p.box(46, 38, 54, 52, 2, shade(skin, .84))
    clothes(p, look, skin, 37.5, 62.5, 48.5, 68, 3.6)
    # below the waist a skirt flares, anything else ends at the hips
    if dress:
        p.poly([(39, 62), (61, 62), (69, 86), (31, 86)], c)
        p.box(31, 84.4, 69, 87.4, 1.4, dark)
    else:
        p.box(37.4, 66, 62.6, 77, 3, shade(c, .72) if look.clothes == 'suit' else c)
        p.box(37.4, 74.6, 62.6, 78, 1.6, shade(c, .58) if look.clothes == 'suit' else dark)
    head(h, who, look)
    return lit(image, look.light)
