"""Groups of pictures of one object in different scenes, in words that a given base knows; the crops that the tower sees of them."""
import copy
import random

import numpy as np
from PIL import Image, ImageFilter

import adapter as A
import sprites as S
import tokenizer as tok
import world as W
from words import BACKGROUNDS, STYLES, TIMES, WEATHER

GROUP, CAPTIONS, CROP = 3, 2, 64  # pictures of an object, captions of a picture, side of the crops that are kept


class Speaker:
    """What a base has words for: which scenes it can be told of, and what it may call an object."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.nouns = [n for n in W.NOUNS if self.knows(n)]
        self.people = self.knows('woman')

    def knows(self, text):
        return all(len(self.tokenizer.word(w)) == 1 for w in tok.WORD.findall(text))

    def fits(self, s):
        words = [BACKGROUNDS[s.background][0], s.size, *(STYLES[s.style][:1] if s.style else ()), *(WEATHER[s.weather][:1] if s.weather else ()), *(TIMES[s.time][:1] if s.time else ())]
        return all(self.knows(w) for w in words) and all(self.knows(f'{t.cls} {t.tint}') for t in s.things)

    def name(self, noun, kind, r):
        """What the object is called: its noun, mostly; a general word; a noun drawn at random where the base knows neither."""
        if noun in self.nouns and r.random() < .75:
            return noun
        general = [w for w in (kind, kind, 'thing') if self.knows(w) and w != 'drink']
        return r.choice(general) if general else noun if noun in self.nouns else r.choice(self.nouns)

    def caption(self, s, r):
        """A sentence of the world's grammar in known words; None when none is found."""
        for _ in range(30):
            text = W.caption(s, r)
            if self.knows(text):
                return text
        return None


class Maker:
    """Draws groups and general scenes for one base."""

    def __init__(self, tokenizer, backgrounds_each=40):
        self.say, self.world = Speaker(tokenizer), W.World(backgrounds_each=backgrounds_each)
        self.sprites, self.names, self.held, self.classes = S.split()
        self.world.weights = [1. if n in self.say.nouns else 0. for n in W.NOUNS]

    def scene(self, cls, r, first):
        """A scene whose things[0] is the object, called cls; None if the base cannot be told of it."""
        s, k = self.world.placed(self.world.around(W.Scene([W.Thing(cls, 'given')]), r), r), r.random()
        if first:
            s.size, s.place = r.choice(['', 'big', 'big']), 'center'
            s.style = s.style if r.random() < .3 else ''
        elif k > .9:
            s.size = s.place = ''
            s.count = r.choice([2, 3, 4])
        elif k > .76:
            other = self.world.thing(r)
            if other.cls == cls:
                return None
            s.size = s.place = ''
            s.things, s.relation = [s.things[0], other], r.choice(['beside', 'beside', 'on', 'front'])
        return s if self.say.fits(s) else None

    def picture(self, sprite, noun, kind, tint, tags, r, first=False):
        """-> (image, mask of the object, mask of the one that is cropped, captions)."""
        while True:
            s = self.scene(self.say.name(noun, kind, r), r, first)
            if s is None:
                continue
            said = copy.copy(s)
            said.things = [copy.copy(t) for t in s.things]
            captions = []
            for _ in range(CAPTIONS):
                words = tint if tint and self.say.knows(tint) else ''
                if not words and tags and r.random() < .35:  # the tagger's attribute words
                    words = ' and '.join(tags[:r.choice([1, 2, 2])])
                    words = words if self.say.knows(words) else ''
                said.things[0].tint = words if r.random() < .7 else ''
                captions.append(self.say.caption(said, r))
            if None in captions:
                continue
            image = self.world.draw(s, r, {'given': sprite}, masks=True)
            masks = [m for m, (shown, *_) in zip(s.masks, s.squares) if shown == s.things[0].shown]
            one = max(masks, key=lambda m: int(m.sum()))
            if (one > 127).sum() > 60:  # something is left to look at
                return image, np.max(masks, 0), one, captions

    def group(self, seed, name=None):
        """GROUP pictures of one object, new, or of the named glyph as it is."""
        r = random.Random(f'object {seed}')
        sprite, name, tint = (self.sprites[name], name, '') if name else S.new_object(self.sprites, self.names, r)
        noun, kind = S.called(name)
        tags = S.colours(sprite)
        return [self.picture(sprite, noun, kind, tint, tags, r, k == 0) for k in range(GROUP)]

    def general(self, seed):
        r = random.Random(f'general {seed}')
        while True:
            s = self.world.random_scene(r, .34 if self.say.people else 0.)
            if self.say.fits(s):
                captions = [self.say.caption(s, r) for _ in range(CAPTIONS)]
                if None not in captions:
                    return self.world.draw(s), captions


def rough(mask, r):
    """A mask as people and programs make them: a little too large, too small or soft."""
    im, k = Image.fromarray(mask), r.random()
    return im.filter(ImageFilter.MaxFilter(3)) if k < .25 else im.filter(ImageFilter.MinFilter(3)) if k < .4 else im.filter(ImageFilter.GaussianBlur(1)) if k < .55 else im


def tower_crop(image, mask, size, r=None, masking=True):
    """-> (crop for the tower [size,size,3] f32, crop [CROP,CROP,4] u8 with its mask, its box). r: as training sees it, moved and roughly masked."""
    box = A.box_of(mask)
    if r:
        left, top, side = box
        k, dx, dy = r.uniform(.95, 1.18), r.uniform(-.04, .04), r.uniform(-.04, .04)
        box = left + side * (dx + (1 - k) / 2), top + side * (dy + (1 - k) / 2), side * k
    soft = rough(mask, r) if r else Image.fromarray(mask)
    seen, _ = A.crop(image, soft if masking else None, size, box)
    plain, _ = A.crop(image, None, CROP, box)
    alpha = A.crop(image, Image.fromarray(mask), CROP, box)[1]
    return seen, np.concatenate([plain, alpha * 255], -1).round().astype(np.uint8), box
