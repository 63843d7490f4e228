"""Who is drawn: an identity (what stays with a person) and a look (what changes from picture to picture), both plain numbers and words.

identity(i) is the same person for ever: every number below comes from a generator seeded with i.
"""
import random
from dataclasses import asdict, dataclass

IDENTITIES = 2400  # the last 200 never appear in training
HELD_OUT_IDENTITIES = range(2200, 2400)
SKINS = [(255, 224, 200), (250, 210, 178), (241, 194, 155), (228, 172, 130), (206, 146, 104), (172, 114, 76), (138, 88, 58), (104, 66, 46)]
HAIR_COLOURS = {'black': (42, 36, 40), 'brown': (105, 66, 40), 'blond': (236, 196, 104), 'red': (196, 82, 40), 'gray': (160, 160, 166), 'white': (236, 234, 230), 'pink': (240, 120, 170), 'blue': (70, 110, 205)}
EYE_COLOURS = {'brown': (104, 62, 32), 'blue': (62, 128, 205), 'green': (70, 142, 84), 'gray': (112, 122, 134), 'black': (42, 32, 32)}
HAIR_WORDS = {'short': 'short', 'long': 'long', 'curly': 'curly', 'wavy': 'wavy', 'bob': 'straight', 'spiky': 'spiky', 'side': 'short', 'buzz': 'short'}  # "... hair"
HAIR_NOUNS = {'bun': 'a bun', 'ponytail': 'a ponytail', 'braids': 'braids', 'afro': 'an afro'}  # "a bun", after the colour: "a brown bun"
FORMS = {'woman': ['long', 'wavy', 'bob', 'bun', 'ponytail', 'curly', 'afro', 'braids', 'side'], 'man': ['short', 'side', 'buzz', 'bald', 'curly', 'spiky', 'afro', 'long', 'bun'],
         'girl': ['long', 'bob', 'ponytail', 'braids', 'bun', 'curly', 'wavy'], 'boy': ['short', 'side', 'spiky', 'curly', 'buzz', 'afro']}
EXPRESSIONS = {'smiling': 'smiling', 'laughing': 'laughing', 'neutral': '', 'sad': 'sad', 'surprised': 'surprised', 'angry': 'angry', 'winking': 'winking', 'sleeping': 'sleeping'}
GLASSES = {'none': '', 'glasses': 'glasses', 'sunglasses': 'sunglasses'}
HATS = {'none': '', 'cap': 'cap', 'beanie': 'beanie', 'hat': 'hat', 'crown': 'crown'}
CLOTHES = ['shirt', 'sweater', 'hoodie', 'suit', 'dress']
COLOURS = {'red': (214, 58, 56), 'blue': (58, 108, 216), 'green': (62, 158, 88), 'yellow': (246, 200, 62), 'purple': (140, 82, 196), 'pink': (244, 140, 180), 'orange': (240, 136, 52), 'white': (240, 240, 240), 'black': (56, 56, 64)}
LIGHTS = ['even', 'left', 'right', 'warm', 'cool']


@dataclass(frozen=True)
class Identity:
    id: int
    word: str          # woman, man, girl, boy
    skin: int          # index into SKINS
    hair: str
    hair_colour: str
    shape: str         # round, oval, square, heart, long
    width: float       # of the face, about 1
    eye_colour: str
    eye_size: float
    eye_gap: float
    eye_tilt: float
    brow_thick: float
    brow_arch: float
    nose: str          # button, straight, wide, pointed
    nose_size: float
    mouth_width: float
    lips: float
    ears: float
    beard: str         # none, stubble, moustache, beard, goatee
    mark: str          # none, freckles, mole, blush, scar, wrinkles
    mark_side: int     # -1 or 1
    part: int          # side on which the hair parts, -1 or 1


@dataclass(frozen=True)
class Look:
    expression: str = 'neutral'
    glasses: str = 'none'
    hat: str = 'none'
    hat_colour: str = 'red'
    clothes: str = 'shirt'
    clothes_colour: str = 'blue'
    light: str = 'even'


def identity(i):
    r = random.Random(f'identity {i}')
    word = r.choices(['woman', 'man', 'girl', 'boy'], [.36, .36, .14, .14])[0]
    child = word in ('girl', 'boy')
    hair = r.choice(FORMS[word])
    old = not child and r.random() < .18
    colour = r.choice(['gray', 'white']) if old else r.choices(['black', 'brown', 'blond', 'red', 'pink', 'blue'], [.3, .27, .18, .15, .05, .05])[0]
    beard = r.choice(['none', 'none', 'stubble', 'moustache', 'beard', 'goatee']) if word == 'man' else 'none'
    marks = ['none', 'none', 'freckles', 'mole', 'blush', 'scar']
    return Identity(
        i, word, r.randrange(len(SKINS)), hair, colour, r.choice(['round', 'oval', 'square', 'heart', 'long']), r.uniform(.92, 1.06) * (1.04 if child else 1),
        r.choice(list(EYE_COLOURS)), r.uniform(.88, 1.14) * (1.14 if child else 1), r.uniform(.92, 1.1), r.uniform(-1, 1), r.uniform(.7, 1.5) * (.8 if word in ('woman', 'girl') else 1.15), r.uniform(.2, 1.2),
        r.choice(['button', 'straight', 'wide', 'pointed']), r.uniform(.85, 1.2) * (.85 if child else 1), r.uniform(.85, 1.2), r.uniform(.6, 1.4) * (1.15 if word == 'woman' else .9), r.uniform(.85, 1.2),
        beard, 'wrinkles' if old and r.random() < .7 else r.choice(marks), r.choice([-1, 1]), r.choice([-1, 1]))


def random_look(r, plain=False):
    """plain: a look that hides nothing (no hat, no sunglasses)."""
    return Look(
        r.choices(list(EXPRESSIONS), [.3, .12, .26, .08, .08, .08, .04, .04])[0],
        'none' if plain else r.choices(list(GLASSES), [.68, .22, .1])[0],
        'none' if plain else r.choices(list(HATS), [.64, .1, .1, .1, .06])[0],
        r.choice(list(COLOURS)), r.choice(CLOTHES), r.choice(list(COLOURS)), r.choices(LIGHTS, [.6, .1, .1, .1, .1])[0])


def facts(who, look):
    """Everything about the person as words and numbers."""
    return {**asdict(who), **asdict(look)}


def hair_phrase(who, r):
    """'red curly hair', 'a black bun', 'a bald head'."""
    if who.hair == 'bald':
        return 'a bald head'
    if who.hair in HAIR_NOUNS:
        noun = HAIR_NOUNS[who.hair]
        return f'{who.hair_colour} {noun}' if noun == 'braids' else f'a {who.hair_colour} {noun.split()[1]}'
    k = r.random()
    return f'{who.hair_colour} hair' if k < .3 else f'{who.hair_colour} {HAIR_WORDS[who.hair]} hair' if k < .85 else f'{HAIR_WORDS[who.hair]} hair'


def describe(who, look, r, hat_known=False):
    """Phrases that follow the word for the person, in order; the caller drops from the end what is too long. -> (before the noun, [after it])."""
    after, face = [], []
    if r.random() < .7:
        face.append(hair_phrase(who, r))
    if who.beard in ('beard', 'moustache', 'goatee') and r.random() < .6:
        face.append('a ' + who.beard)
    if who.mark == 'freckles' and r.random() < .5:
        face.append('freckles')
    if face:
        after.append('with ' + ' and '.join(face[:2]))
    if EXPRESSIONS[look.expression] and r.random() < .88:
        after.append(EXPRESSIONS[look.expression])
    worn = []
    if look.glasses != 'none':
        worn.append(GLASSES[look.glasses])
    if look.hat != 'none':
        worn.append('a crown' if look.hat == 'crown' else f'{"an" if look.hat_colour == "orange" else "a"} {look.hat_colour} {HATS[look.hat]}')
    if r.random() < .45 and len(worn) < 2:
        worn.append(f'{"an" if look.clothes_colour == "orange" else "a"} {look.clothes_colour} {look.clothes}')
    if worn and r.random() < .92:
        after.append('wearing ' + ' and '.join(worn))
    before = 'old ' if who.mark == 'wrinkles' and r.random() < .6 else ''
    return before, after
