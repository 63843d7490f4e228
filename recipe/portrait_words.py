"""Captions and prompts of portraits, in words that a base knows: they say what is not the person, and of the person seldom more than one word."""
import people as P
import tokenizer as tok
import world as W
from words import BACKGROUNDS, PEOPLE, STYLES, TIMES, WEATHER, article


def called(word, r, say):
    """What a prompt calls the person: seldom more than the word."""
    options = [w for w in (word, word, word, *PEOPLE[word], 'person') if say.knows(w)]
    return r.choice(options)


def worn(look, r, clothes=.5):
    """Phrases about what is not the person: expression, glasses, hat, clothes."""
    after, things = [P.EXPRESSIONS[look.expression]] if P.EXPRESSIONS[look.expression] and r.random() < .85 else [], []
    if look.glasses != 'none' and r.random() < .9:
        things.append(P.GLASSES[look.glasses])
    if look.hat != 'none' and r.random() < .95:
        things.append('a crown' if look.hat == 'crown' else f'{article(look.hat_colour)} {look.hat}')
    if len(things) < 2 and r.random() < clothes:
        things.append(f'{article(look.clothes_colour)} {look.clothes}')
    return after + (['wearing ' + ' and '.join(things)] if things else [])


def around(text, s, r, sure=.94):
    """The rest of a sentence: where, in what weather and light, in what style."""
    text += (', ' if ', ' in text else ' ') + r.choice(BACKGROUNDS[s.background])
    for said, names in ((s.weather, WEATHER), (s.time, TIMES)):
        text += ' ' + r.choice(names[said]) if said and r.random() < sure else ''
    if s.style:
        style = r.choice(STYLES[s.style])
        text = f'{style} of {text}' if r.random() < .5 else f'{text}, {style}'
    return text


def fitting(make, say):
    """The first sentence that is short enough and in known words."""
    for _ in range(40):
        text = make()
        if say.knows(text) and len(tok.WORD.findall(text)) <= tok.MAX_LENGTH - 2:
            return text
    return None


def sentence(s, r, say):
    """A caption of a portrait that says nothing of face, skin, hair and beard."""
    t = s.things[0]
    one = lambda: around(', '.join([article(' '.join(x for x in (s.size if r.random() < .6 else '', 'standing' if t.standing else '', called(t.cls, r, say)) if x)), *worn(t.look, r)]), s, r)
    return fitting(one, say)


def revealing(word, r, say):
    """A prompt that shows what an identity drags along: a style, a place, weather and light, clothes and things worn."""
    while True:
        s = W.World.around(None, W.Scene(), r)  # it chooses, and needs no drawings
        s.style = r.choice([x for x in STYLES if say.knows(STYLES[x][0])]) if r.random() < .5 else ''
        s.size = r.choice(['', 'big', 'big', 'huge'])
        text = fitting(lambda: around(', '.join([article(' '.join(x for x in (s.size, called(word, r, say)) if x)), *worn(P.random_look(r), r, .8)]), s, r, 1.), say)
        if text and say.fits(W.Scene([W.Thing(word)], size=s.size, background=s.background, style=s.style, weather=s.weather, time=s.time)):
            return text


PLAIN = ['white', 'gray', 'blue', 'room', 'park']


def portrait(word, r, say):
    """A prompt for a face that fills the picture, so that its place is known: what the identity loss is asked of."""
    return f'a huge {called(word, r, say)} {BACKGROUNDS[r.choice(PLAIN)][0]}'


HUGE = (0, 0, W.SIZE)  # the square of such a person
