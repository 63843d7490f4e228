"""What a picture adapter learns from: every glyph of the font that is not held out, recoloured and recombined without end, and what each is called.

Held out: 60 objects (drawings that no base has seen, each unlike its nearest neighbour in the font) and five whole classes, all their drawings.
"""
import colorsys
import random

import numpy as np
from PIL import Image, ImageDraw

import world as W
from reader import squared
from styles import tinted
from words import CLASSES, KIND, TINTS

HELD_CLASSES, HELD = ('tiger', 'rabbit', 'cake', 'house', 'fish'), 60
ALWAYS_HELD = ('GUIDE DOG',)  # a sample set of the app shows it
KINDS = {  # words in a glyph's name -> what it is in general; what has none of them is a thing
    'food': 'DOG TACO BURRITO CHESTNUT PEPPER RICE AUBERGINE MELON TANGERINE MEAT POULTRY CURRY SPAGHETTI POTATO DANGO ODEN SUSHI SHRIMP ICE CHOCOLATE CANDY LOLLIPOP CUSTARD HONEY BENTO FOOD COOKING AVOCADO CUCUMBER '
            'BACON SALAD FLATBREAD PEANUTS KIWIFRUIT PANCAKES DUMPLING COOKIE COCONUT BROCCOLI PIE PRETZEL GREEN MANGO BAGEL GARLIC ONION FALAFEL WAFFLE BUTTER BLUEBERRIES OLIVE TAMALE FONDUE BEANS',
    'drink': 'SAKE COCKTAIL DRINK MUGS BOTTLE GLASS GLASSES TEA TEAPOT CUP',
    'animal': 'OX BUFFALO LEOPARD DRAGON GOAT BOAR BUG ANT BIRD HAMSTER CAT MONKEY SCORPION TURKEY GORILLA LIZARD RHINOCEROS SQUID CRICKET KANGAROO LLAMA PEACOCK HIPPOPOTAMUS RACCOON LOBSTER MOSQUITO BADGER MAMMOTH '
              'DODO SLOTH OTTER ORANGUTAN SKUNK OYSTER BEAVER BISON SEAL FLY WORM BEETLE COCKROACH DOVE',
    'plant': 'SEEDLING HERB CLOVER LEAF SHAMROCK TREE FLOWER BOUQUET PLANT LOTUS ROSETTE',
    'vehicle': 'FERRY CAR TRAIN METRO RAIL TRAM TROLLEYBUS MINIBUS ENGINE TAXI AUTOMOBILE MONORAIL RAILWAY CABLEWAY TRAMWAY ROWBOAT SPEEDBOAT BOAT AIRPLANE SCOOTER CANOE SLED RICKSHAW SATELLITE WHEELCHAIR',
    'building': 'SHRINE BUILDING BUILDINGS STADIUM OFFICE HOSPITAL BANK HOTEL STORE SCHOOL FACTORY MOSQUE SYNAGOGUE TOWER TEMPLE HUT KAABA STATION',
    'clothing': 'HAT KIMONO BIKINI CLOTHES SANDAL BOOTS NECKTIE SARI COAT BOOT GLOVES SOCKS SHOES SWIMSUIT BRIEFS SHORTS VEST HELMET EYEGLASSES GOGGLES',
    'tool': 'PICK RULER NUT HOCHO DAGGER WRENCH SCREWDRIVER LADDER HOOK PLUNGER NEEDLE BUCKET TOOLBOX SPOON FORK CHOPSTICKS PEN CRAYON NIB PAPERCLIP PUSHPIN RAZOR TOOTHBRUSH MAGNET',
    'toy': 'DOLLS PUZZLE YO-YO PINATA GAME BALL JOYSTICK',
    'person': 'BOY GIRL MAN WOMAN FAMILY OFFICER BRIDE PERSON BABY WORKER PRINCESS GUARDSMAN DANCER PRINCE CHILD ADULT NINJA MAGE FAIRY VAMPIRE ELF GENIE ZOMBIE SUPERHERO SUPERVILLAIN RUNNER SURFER SWIMMER GOLFER',
}
_kind_of = {w: kind for kind, names in KINDS.items() for w in names.split()}


def called(name):
    """Unicode name of a glyph -> (noun of the vocabulary or '', kind)."""
    for noun, (_, glyph) in CLASSES.items():
        if glyph == name or name in W.HELD_OUT.get(noun, ()):
            return noun, KIND[noun]
    head = name.partition(' WITH ')[0].split()
    nouns = [w.lower() for w in head if w.lower() in CLASSES] if name != 'HOT DOG' else []
    kinds = [_kind_of[w] for w in head if w in _kind_of]
    return (nouns[-1], KIND[nouns[-1]]) if nouns else ('', kinds[-1] if kinds else 'thing')


def split(path=W.FONT):
    """-> sprites of all glyphs by name, names to train on, names held out, names of the held-out classes."""
    others, further = W.material(path)
    unknown = [g for gs in others.values() for g in gs] + further
    sprites = W.load_glyphs([g for _, g in CLASSES.values()] + unknown, path)
    sprites = {n: s for n, s in sprites.items() if (np.asarray(s)[..., 3] > 127).mean() > .04}  # a few are hardly there
    in_class = lambda n: called(n)[0] in HELD_CLASSES or any(w in HELD_CLASSES for w in n.lower().split())
    classes = [n for n in sprites if in_class(n)]
    small = np.stack([np.asarray(squared(s).resize((24, 24), Image.BOX)).astype(np.float32).ravel() for s in sprites.values()])
    square = (small ** 2).sum(1)
    away = square[:, None] + square[None] - 2 * small @ small.T
    np.fill_diagonal(away, np.inf)
    nearest = dict(zip(sprites, away.min(1)))
    middle = float(np.median(list(nearest.values())))
    lone = sorted(n for n in unknown if n not in classes and n not in ALWAYS_HELD and nearest[n] > middle)
    held = [*ALWAYS_HELD, *random.Random(12).sample(lone, HELD - len(ALWAYS_HELD))]
    kept = set(held) | set(classes)
    return sprites, [n for n in sprites if n not in kept], held, classes


# ------------------------------------------------------------ new objects from old ones

def _rgb(r):
    return tuple(int(255 * c) for c in colorsys.hsv_to_rgb(r.random(), r.uniform(.25, 1), r.uniform(.25, 1)))


def turned(sprite, r):
    """Hue turned, saturation and brightness changed."""
    h, s, v = (np.asarray(c).astype(np.float32) for c in sprite.convert('RGB').convert('HSV').split())
    h, s, v = (h + r.uniform(25, 230)) % 256, (s * r.uniform(.55, 1.3)).clip(0, 255), 255 * (v / 255) ** r.uniform(.7, 1.5)
    rgb = Image.merge('HSV', [Image.fromarray(c.astype(np.uint8)) for c in (h, s, v)]).convert('RGB')
    rgb.putalpha(sprite.getchannel('A'))
    return rgb


def remapped(sprite, r):
    """Light and dark given other colours."""
    a = np.asarray(sprite).astype(np.float32)
    light = (a[..., :3] @ np.array([.3, .59, .11], np.float32) / 255)[..., None]
    dark, mid, bright = (np.array(_rgb(r), np.float32) for _ in range(3))
    a = np.concatenate([np.where(light < .5, dark + (mid - dark) * light * 2, mid + (bright - mid) * (light * 2 - 1)), a[..., 3:]], -1)
    return Image.fromarray(a.clip(0, 255).astype(np.uint8), 'RGBA')


def patterned(sprite, r):
    """Stripes, dots or checks of two colours in the object's outline, shaded as it is."""
    w, h = sprite.size
    ground, ink, k = _rgb(r), _rgb(r), r.randint(8, 22)
    im = Image.new('RGB', (w, h), ground)
    d, way = ImageDraw.Draw(im), r.choice(['stripes', 'slanted', 'dots', 'checks'])
    for i in range(-h, w + h, 2 * k):
        if way in ('stripes', 'slanted'):
            lean = h if way == 'slanted' else 0
            d.polygon([(i, 0), (i + k, 0), (i + k - lean, h), (i - lean, h)], fill=ink)
        else:
            for j in range(0, h, 2 * k):
                if way == 'dots':
                    d.ellipse([i, j, i + k, j + k], fill=ink)
                else:
                    d.rectangle([i, j, i + k - 1, j + k - 1], fill=ink)
                    d.rectangle([i + k, j + k, i + 2 * k - 1, j + 2 * k - 1], fill=ink)
    a = np.asarray(sprite).astype(np.float32)
    light = (a[..., :3] @ np.array([.3, .59, .11], np.float32) / 255)[..., None]
    out = np.concatenate([np.asarray(im).astype(np.float32) * (.45 + .65 * light), a[..., 3:]], -1)
    return Image.fromarray(out.clip(0, 255).astype(np.uint8), 'RGBA')


def joined(a, b, r):
    """Two objects made one: the other as a badge, on top, or as the lower half."""
    a, b, way = squared(a), squared(b), r.choice(['badge', 'badge', 'top', 'halves'])
    if way == 'badge':
        k = r.randint(44, 66)
        out = a.copy()
        small = b.resize((k, k), Image.LANCZOS)
        out.paste(small, (r.choice([0, 64 - k // 2, 128 - k]), r.choice([0, 64 - k // 2, 128 - k])), small)
    elif way == 'top':
        out = Image.new('RGBA', (128, 128))
        for sprite, k, y in ((a, 84, 44), (b, 54, 0)):
            small = sprite.resize((k, k), Image.LANCZOS)
            out.paste(small, (64 - k // 2, y), small)
    else:
        x, y = np.asarray(a), np.asarray(b)
        cut = r.randint(48, 80)
        out = Image.fromarray(np.concatenate([x[:cut], y[cut:]]) if r.random() < .6 else np.concatenate([x[:, :cut], y[:, cut:]], 1))
    box = out.getbbox()
    return out.crop(box) if box else a


def new_object(sprites, names, r):
    """-> (sprite, name of its main glyph, tint word or '')."""
    name, tint = r.choice(names), ''
    sprite, k = sprites[name], r.random()
    if k > .78:
        sprite = joined(sprite, sprites[r.choice(names)], r)
    if .42 < k < .9:
        way = r.choice(['tint', 'turn', 'turn', 'map', 'pattern'])
        if way == 'tint':
            tint = r.choice(list(TINTS))
            sprite = tinted(sprite, TINTS[tint])
        else:
            sprite = {'turn': turned, 'map': remapped, 'pattern': patterned}[way](sprite, r)
    return sprite, name, tint


def colours(sprite):
    """The tagger: words of the one or two colours that most of the object has, the larger first."""
    small = np.asarray(sprite.resize((24, 24), Image.BOX))
    seen = {}
    for red, green, blue, alpha in small.reshape(-1, 4).tolist():
        if alpha > 127:
            h, s, v = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
            h *= 360
            if v < .27:
                word = 'black'
            elif s < .16:
                word = 'white' if v > .8 else 'gray'
            elif 15 <= h < 45:
                word = 'brown' if v < .68 else 'orange'
            else:
                word = next(w for w, end in (('red', 15), ('golden', 68), ('green', 165), ('turquoise', 192), ('blue', 255), ('purple', 292), ('pink', 345), ('red', 361)) if h < end)
                word = 'pink' if word == 'red' and s < .55 and v > .75 else word
            seen[word] = seen.get(word, 0) + 1
    total = sum(seen.values())
    ranked = sorted(seen, key=seen.get, reverse=True)
    return [w for w in ranked[:2] if seen[w] > .2 * total]
