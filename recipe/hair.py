"""Draws hair: what lies behind the head and what falls over it, fitted to the shape of the face."""
import math

from pen import shade

# half widths of the face at forehead, cheeks, jaw and chin, and the height of the chin
SHAPES = {'round': (19.5, 22, 18.5, 9.5, 69), 'oval': (19, 20.5, 16, 7.5, 71), 'square': (20, 21, 19, 11.5, 70), 'heart': (20.5, 21, 14.5, 5.5, 71), 'long': (18, 19, 15.5, 8, 74)}


def hair_back(p, who, colour):
    w, dark = who.width * SHAPES[who.shape][1], shade(colour, .82)
    if who.hair in ('long', 'wavy'):
        waves = 2.2 if who.hair == 'wavy' else 0
        side = [(w + 4, 34), (w + 5.5 + waves, 48), (w + 5 - waves, 60), (w + 6.5 + waves, 72), (w + 4.5 - waves, 84), (w - 3, 90)]
        p.blob([(50, 10), *[(50 + x, y) for x, y in side], (50, 84), *[(50 - x, y) for x, y in reversed(side)]], dark)
    elif who.hair == 'bob':
        side = [(w + 4.5, 34), (w + 6.5, 52), (w + 6, 66), (w - 2, 71)]
        p.blob([(50, 10), *[(50 + x, y) for x, y in side], (50, 66), *[(50 - x, y) for x, y in reversed(side)]], dark)
    elif who.hair == 'afro':
        for k in range(14):
            a = math.pi * (.86 + 1.28 * k / 13)
            p.oval(50 + math.cos(a) * (w + 5), 38 + math.sin(a) * 23, 9.5, 9.5, dark)
        p.oval(50, 34, w + 8, 26, dark)
    elif who.hair == 'curly':
        for k in range(15):
            a = math.pi * (.78 + 1.44 * k / 14)
            p.oval(50 + math.cos(a) * (w + 3), 41 + math.sin(a) * 25, 6.4, 6.4, dark if k % 2 else shade(colour, .92))
        p.oval(50, 36, w + 3, 23, dark)
    elif who.hair == 'ponytail':
        s = who.part
        p.blob([(50 + s * (w - 4), 24), (50 + s * (w + 10), 26), (50 + s * (w + 14), 42), (50 + s * (w + 10), 62), (50 + s * (w + 5), 70), (50 + s * (w + 4), 54), (50 + s * (w + 2), 40)], dark)
    elif who.hair == 'bun':
        p.oval(50, 9.5, 9, 8.5, dark)
    elif who.hair == 'braids':
        for s in (-1, 1):
            for k in range(6):
                p.oval(50 + s * (w + 2.5 + k * .5), 52 + 6.4 * k, 4.6 - .25 * k, 4.4, dark if k % 2 else shade(colour, .92))
            p.oval(50 + s * (w + 5.4), 90, 2.6, 3.4, (228, 92, 120))


def hair_front(p, who, colour):
    f, w, part, light = SHAPES[who.shape][0] * who.width, SHAPES[who.shape][1] * who.width, who.part, shade(colour, 1.16)
    top = lambda m: [(-w - m * .7, 43), (-w - m, 32), (-f * .8 - m * .6, 20.5 - m * .8), (0, 15.5 - m), (f * .8 + m * .6, 20.5 - m * .8), (w + m, 32), (w + m * .7, 43)]
    cap = lambda m, fringe, fill=colour: p.blob([(50 + x, y) for x, y in [*top(m), *fringe]], fill)
    form = who.hair
    if form == 'bald':
        p.oval(50 - part * 7, 25, 5, 2.6, (255, 255, 255, 70))
        return
    if form == 'buzz':
        cap(.9, [(f - 1, 31), (f * .5, 26), (0, 25), (-f * .5, 26), (1 - f, 31)], (*shade(colour, .95), 225))
        return
    if form in ('short', 'bob'):
        low = 33 if form == 'bob' else 30
        cap(2.4, [(f - .5, 36), (f * .7, low), (0, low - 1), (-f * .7, low), (.5 - f, 36)])
    elif form == 'spiky':
        cap(1.5, [(f - .5, 35), (f * .5, 28), (0, 27), (-f * .5, 28), (.5 - f, 35)])
        for k in range(7):
            x = -f - 1 + k * (2 * f + 2) / 6
            h = 11 - 1.1 * abs(k - 3) ** 1.3
            base = 20 + .012 * x * x * 1.6
            p.poly([(50 + x - 5.4, base + 5), (50 + x + part * 2.5, base - h), (50 + x + 5.4, base + 5)], colour)
    elif form in ('curly', 'afro'):
        for k in range(7):
            x = -f + k * 2 * f / 6
            p.oval(50 + x, 24 + .011 * x * x * 2, 5.4, 5.2, colour if k % 2 else light)
        p.blob([(50 + x, y) for x, y in [*top(2)[1:-1], (f * .8, 25), (0, 23), (-f * .8, 25)]], colour)
    else:  # long, wavy, bun, ponytail, braids, side: swept from a parting
        m = 3.4 if form == 'side' else 2.4
        fringe = [(w - 1.5, 44), (f - 2, 35), (f * .35, 27), (-f * .3, 23), (-f * .7, 27), (-f + 1, 35), (1.5 - w, 44)]
        if form in ('long', 'wavy'):
            fringe = [(w + .5, 60), (w - 2.5, 46), *fringe[1:-1], (2.5 - w, 46), (-w - .5, 60)]
        elif form in ('bun', 'braids'):
            fringe = [(w - 1, 42), (f - 1, 33), (f * .5, 26), (0, 23), (-f * .5, 26), (1 - f, 33), (1 - w, 42)]
        p.blob([(50 + part * x, y) for x, y in [*top(m), *fringe]], colour)
        if form in ('bun', 'braids'):
            p.line([(50, 13.5), (50, 23)], shade(colour, .8), .7)
    x = 50 - part * f * .42
    p.bend(x - 6, 20.5, x + 6, 19, -1.6, light, 1.5)
