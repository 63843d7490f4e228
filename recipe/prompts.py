"""Prompts that say every fact of a random scene, so that a picture can be asked for each of them."""
import people
import tokenizer as tok
from words import BACKGROUNDS, COUNT, MASS, PLACE_PHRASE, RELATIONS, STYLES, TIMES, WEATHER, article, plural

SAID = ('object', 'tint', 'count', 'size', 'place', 'background', 'style', 'weather', 'time', 'word', 'hair', 'hair_colour', 'expression', 'glasses', 'hat', 'hat_colour', 'clothes', 'clothes_colour')
LIKE = {'short': ('short', 'side', 'buzz')}  # forms of hair that one word stands for


def whole_caption(s):
    """A caption that says every fact that is asked for -> (text, names of what it says)."""
    said, t = {'object', 'background'}, s.things[0]
    if t.who:
        look, who = t.look, t.who
        hair = 'a bald head' if who.hair == 'bald' else f'{"" if who.hair == "braids" else "a "}{who.hair_colour} {people.HAIR_NOUNS[who.hair].split()[-1]}' if who.hair in people.HAIR_NOUNS else f'{who.hair_colour} {people.HAIR_WORDS[who.hair]} hair'
        text = article(' '.join(x for x in (s.size, 'standing' if t.standing else '', who.word) if x)) + f' with {hair}'
        said |= {'size', 'word', 'hair', 'expression', 'glasses', 'hat'} | ({'hair_colour'} if who.hair != 'bald' else set())
        text += f', {look.expression}' if look.expression != 'neutral' else ''
        worn = [people.GLASSES[look.glasses]] if look.glasses != 'none' else []
        if look.hat != 'none':
            worn.append('a crown' if look.hat == 'crown' else f'{article(look.hat_colour)} {look.hat}')
            said.add('hat_colour')
        if not worn:
            worn.append(f'{article(look.clothes_colour)} {look.clothes}')
            said |= {'clothes', 'clothes_colour'}
        text += ', wearing ' + ' and '.join(worn) + ','
    elif len(s.things) == 2:
        text = RELATIONS[s.relation][0].format(**{k: noun(x) for k, x in zip('ab', s.things)})
        said |= {'tint'} if all(not x.who for x in s.things) else set()
    elif s.count > 1:
        text, said = f'{COUNT[s.count]} ' + ' '.join(x for x in (t.tint, plural(t.cls)) if x), said | {'tint', 'count'}
    else:
        text, said = noun(t, s.size), said | {'tint', 'size', 'count'} | ({'place'} if s.size not in ('big', 'huge') else set())
        text += ' ' + PLACE_PHRASE[s.place]
    text += ' ' + BACKGROUNDS[s.background][0]
    for value, names, key in ((s.weather, WEATHER, 'weather'), (s.time, TIMES, 'time'), (s.style, STYLES, 'style')):
        text += (', ' if key == 'style' else ' ') + names[value][0] if value else ''
        said.add(key)
    return text, said


def noun(t, size=''):
    return article(' '.join(x for x in (size, t.tint, t.cls) if x), t.cls if t.cls in MASS else '')


def prompts(tokenizer, count, world, r, people_share):
    """-> scenes, captions and what each says, all in words that the tokenizer knows."""
    out = []
    while len(out) < count:
        s = world.random_scene(r, people_share)
        if any(t.who for t in s.things) and len(s.things) == 2:
            continue
        text, said = whole_caption(s)
        words = tok.WORD.findall(text)
        if len(words) <= tok.MAX_LENGTH - 2 and all(len(tokenizer.word(w)) == 1 for w in words):
            out.append((s, text, said))
    return out
