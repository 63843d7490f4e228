"""Words a scene: one of the many sentences that describe it, never longer than the text tower reads."""
import people
from tokenizer import MAX_LENGTH, WORD
from words import BACKGROUNDS, CLASSES, COUNT, KIND, MASS, PEOPLE, PHOTO, PLACE_PHRASE, RELATIONS, STYLES, TIMES, WEATHER, article, plural

GENERAL = .07  # how often a general word stands in place of the noun: adapters need it for what the base has no word for
LENGTH = MAX_LENGTH - 2  # the two markers


def word(thing, r):
    if thing.cls not in CLASSES and thing.cls not in PEOPLE:
        return thing.cls
    k = r.random()
    if k < GENERAL:
        return 'person' if thing.cls in PEOPLE else 'thing' if k < GENERAL / 5 else KIND[thing.cls]
    others = PEOPLE.get(thing.cls) or CLASSES[thing.cls][0]
    return r.choice([thing.cls, thing.cls, thing.cls, *others[:2]]) if others else thing.cls


def noun_phrase(thing, r, size='', short=False):
    """'a big red car'; for a person with what follows the word, less of it when short."""
    noun = word(thing, r)
    if not thing.who:
        mass = noun in MASS or noun in ('food', 'clothing')
        return article(' '.join(x for x in (size, thing.tint, noun) if x), noun if not mass else next(iter(MASS)))
    before, after = people.describe(thing.who, thing.look, r)
    if short:
        after = after[:1]
    if thing.standing and r.random() < .4:
        noun = 'standing ' + noun
    return ', '.join([article(' '.join(x for x in (size, before.strip(), noun) if x)) + (' ' + after[0] if after and after[0].startswith('with') else ''), *(after[1:] if after and after[0].startswith('with') else after)])


def caption(s, r):
    while True:
        text = sentence(s, r)
        if len(WORD.findall(text)) <= LENGTH:
            return text


def sentence(s, r):
    if len(s.things) == 2:
        a, b = (noun_phrase(t, r, short=True) for t in s.things)
        forms = RELATIONS[s.relation or 'beside']
        text = r.choice(forms).format(a=a, b=b)
    elif s.count > 1:
        t = s.things[0]
        noun = word(t, r)
        text = f'{COUNT[s.count]} ' + ' '.join(x for x in (t.tint, noun if noun in ('food', 'clothing') else plural(noun)) if x)
    else:
        t = s.things[0]
        text = noun_phrase(t, r, s.size if r.random() < (.45 if t.who else .8) else '')
        if s.place and (s.place != 'center' or r.random() < .3) and r.random() < .7:
            text += (', ' if t.who and ', ' in text else ' ') + PLACE_PHRASE[s.place]
    if r.random() < .94:
        text += (', ' if len(s.things) == 1 and s.things[0].who and ', ' in text else ' ') + r.choice(BACKGROUNDS[s.background])
    for said, names in ((s.weather, WEATHER), (s.time, TIMES)):
        if said and r.random() < .94:
            text += ' ' + r.choice(names[said])
    if s.style:
        style = r.choice(STYLES[s.style])
        return f'{style} of {text}' if r.random() < .5 else f'{text}, {style}'
    return r.choice(PHOTO) + text
