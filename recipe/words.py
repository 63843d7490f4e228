"""The vocabulary of the world: nouns with their glyphs, kinds, tints, places, backgrounds, weather, times, styles, and their grammar.

Tables only: what each word looks like is drawn by backgrounds.py, styles.py, faces.py and world.py.
"""
import unicodedata

# kind -> noun -> (other words for it, Unicode name of its one drawing). The first 48 nouns are those of version 2, in their order.
FIRST = ('dog cat rabbit lion tiger cow pig monkey elephant frog penguin owl chicken fish turtle butterfly octopus dragon unicorn fox apple banana pizza burger cake donut '
         'strawberry mushroom car bus bicycle rocket airplane boat train house tree sunflower guitar umbrella balloon crown hat robot snowman ghost ball cup').split()
KINDS = {
    'animal': {
        'dog': ('puppy', 'DOG FACE'), 'cat': ('kitten', 'CAT FACE'), 'rabbit': ('bunny', 'RABBIT FACE'), 'lion': ('', 'LION FACE'), 'tiger': ('', 'TIGER FACE'), 'cow': ('', 'COW FACE'),
        'pig': ('', 'PIG FACE'), 'monkey': ('', 'MONKEY FACE'), 'elephant': ('', 'ELEPHANT'), 'frog': ('', 'FROG FACE'), 'penguin': ('', 'PENGUIN'), 'owl': ('', 'OWL'),
        'chicken': ('hen', 'CHICKEN'), 'fish': ('', 'TROPICAL FISH'), 'turtle': ('tortoise', 'TURTLE'), 'butterfly': ('', 'BUTTERFLY'), 'octopus': ('', 'OCTOPUS'),
        'dragon': ('', 'DRAGON FACE'), 'unicorn': ('', 'UNICORN FACE'), 'fox': ('', 'FOX FACE'),
        'horse': ('pony', 'HORSE FACE'), 'bear': ('', 'BEAR FACE'), 'panda': ('', 'PANDA FACE'), 'koala': ('', 'KOALA'), 'mouse': ('', 'MOUSE FACE'), 'wolf': ('', 'WOLF FACE'),
        'giraffe': ('', 'GIRAFFE FACE'), 'zebra': ('', 'ZEBRA FACE'), 'hedgehog': ('', 'HEDGEHOG'), 'bat': ('', 'BAT'), 'eagle': ('', 'EAGLE'), 'duck': ('', 'DUCK'), 'swan': ('', 'SWAN'),
        'parrot': ('', 'PARROT'), 'flamingo': ('', 'FLAMINGO'), 'chick': ('', 'FRONT-FACING BABY CHICK'), 'snail': ('', 'SNAIL'), 'bee': ('', 'HONEYBEE'), 'ladybug': ('ladybird', 'LADY BEETLE'),
        'spider': ('', 'SPIDER'), 'crab': ('', 'CRAB'), 'shark': ('', 'SHARK'), 'whale': ('', 'SPOUTING WHALE'), 'dolphin': ('', 'DOLPHIN'), 'crocodile': ('alligator', 'CROCODILE'),
        'snake': ('', 'SNAKE'), 'dinosaur': ('', 'SAUROPOD'), 'sheep': ('', 'SHEEP'), 'deer': ('', 'DEER'), 'camel': ('', 'BACTRIAN CAMEL'), 'squirrel': ('chipmunk', 'CHIPMUNK'),
    },
    'food': {
        'apple': ('', 'RED APPLE'), 'banana': ('', 'BANANA'), 'pizza': ('', 'SLICE OF PIZZA'), 'burger': ('hamburger', 'HAMBURGER'), 'cake': ('', 'SHORTCAKE'), 'donut': ('doughnut', 'DOUGHNUT'),
        'strawberry': ('', 'STRAWBERRY'), 'mushroom': ('', 'MUSHROOM'),
        'lemon': ('', 'LEMON'), 'pear': ('', 'PEAR'), 'peach': ('', 'PEACH'), 'cherry': ('', 'CHERRIES'), 'grapes': ('', 'GRAPES'), 'watermelon': ('', 'WATERMELON'), 'pineapple': ('', 'PINEAPPLE'),
        'tomato': ('', 'TOMATO'), 'carrot': ('', 'CARROT'), 'corn': ('', 'EAR OF MAIZE'), 'bread': ('toast', 'BREAD'), 'croissant': ('', 'CROISSANT'), 'cheese': ('', 'CHEESE WEDGE'),
        'sandwich': ('', 'SANDWICH'), 'egg': ('', 'EGG'), 'fries': ('chips', 'FRENCH FRIES'), 'ice cream': ('', 'SOFT ICE CREAM'), 'cookie': ('biscuit', 'COOKIE'), 'cupcake': ('muffin', 'CUPCAKE'),
        'popcorn': ('', 'POPCORN'),
    },
    'drink': {'cup': ('mug coffee', 'HOT BEVERAGE'), 'milk': ('', 'GLASS OF MILK'), 'wine': ('', 'WINE GLASS'), 'beer': ('', 'BEER MUG'), 'juice': ('', 'BEVERAGE BOX')},
    'vehicle': {
        'car': ('automobile', 'AUTOMOBILE'), 'bus': ('', 'BUS'), 'bicycle': ('bike', 'BICYCLE'), 'rocket': ('', 'ROCKET'), 'airplane': ('plane', 'AIRPLANE'), 'boat': ('sailboat', 'SAILBOAT'),
        'train': ('', 'STEAM LOCOMOTIVE'),
        'truck': ('lorry', 'DELIVERY TRUCK'), 'taxi': ('cab', 'TAXI'), 'ambulance': ('', 'AMBULANCE'), 'tractor': ('', 'TRACTOR'), 'motorcycle': ('motorbike', 'RACING MOTORCYCLE'),
        'helicopter': ('', 'HELICOPTER'), 'ship': ('', 'SHIP'), 'ufo': ('', 'FLYING SAUCER'),
    },
    'plant': {'tree': ('', 'DECIDUOUS TREE'), 'sunflower': ('', 'SUNFLOWER'), 'rose': ('', 'ROSE'), 'tulip': ('', 'TULIP'), 'cactus': ('', 'CACTUS'), 'palm': ('', 'PALM TREE'), 'flower': ('blossom', 'BLOSSOM')},
    'building': {'house': ('home', 'HOUSE BUILDING'), 'castle': ('', 'EUROPEAN CASTLE'), 'church': ('', 'CHURCH'), 'tent': ('', 'TENT')},
    'toy': {
        'balloon': ('', 'BALLOON'), 'ball': ('football', 'SOCCER BALL'), 'robot': ('', 'ROBOT FACE'), 'teddy': ('', 'TEDDY BEAR'), 'kite': ('', 'KITE'), 'doll': ('', 'NESTING DOLLS'),
        'skateboard': ('', 'SKATEBOARD'),
    },
    'tool': {
        'hammer': ('', 'HAMMER'), 'wrench': ('spanner', 'WRENCH'), 'saw': ('', 'CARPENTRY SAW'), 'axe': ('', 'AXE'), 'scissors': ('', 'BLACK SCISSORS'), 'key': ('', 'KEY'), 'lock': ('padlock', 'LOCK'),
        'pencil': ('', 'PENCIL'), 'paintbrush': ('brush', 'LOWER LEFT PAINTBRUSH'), 'broom': ('', 'BROOM'), 'umbrella': ('', 'UMBRELLA'),
    },
    'clothing': {
        'crown': ('', 'CROWN'), 'hat': ('', 'TOP HAT'), 'shirt': ('', 'T-SHIRT'), 'dress': ('', 'DRESS'), 'jeans': ('pants', 'JEANS'), 'coat': ('', 'COAT'), 'shoe': ('sneaker', 'ATHLETIC SHOE'),
        'cap': ('', 'BILLED CAP'), 'scarf': ('', 'SCARF'), 'sunglasses': ('', 'DARK SUNGLASSES'), 'backpack': ('bag', 'SCHOOL SATCHEL'),
    },
    'thing': {
        'guitar': ('', 'GUITAR'), 'snowman': ('', 'SNOWMAN WITHOUT SNOW'), 'ghost': ('', 'GHOST'),
        'phone': ('', 'MOBILE PHONE'), 'computer': ('laptop', 'PERSONAL COMPUTER'), 'camera': ('', 'CAMERA'), 'clock': ('', 'ALARM CLOCK'), 'book': ('', 'CLOSED BOOK'), 'bell': ('', 'BELL'),
        'drum': ('', 'DRUM WITH DRUMSTICKS'), 'violin': ('', 'VIOLIN'), 'heart': ('', 'HEAVY BLACK HEART'), 'star': ('', 'WHITE MEDIUM STAR'), 'moon': ('', 'CRESCENT MOON'),
        'sun': ('', 'SUN WITH FACE'), 'cloud': ('', 'CLOUD'), 'rainbow': ('', 'RAINBOW'), 'fire': ('flame', 'FIRE'), 'diamond': ('gem', 'GEM STONE'), 'gift': ('present', 'WRAPPED PRESENT'),
        'trophy': ('', 'TROPHY'), 'chair': ('', 'CHAIR'), 'bed': ('', 'BED'), 'candle': ('', 'CANDLE'), 'lamp': ('lightbulb', 'ELECTRIC LIGHT BULB'), 'skull': ('', 'SKULL'),
        'alien': ('', 'ALIEN MONSTER'), 'pumpkin': ('', 'JACK-O-LANTERN'),
    },
}
KIND = {noun: kind for kind, nouns in KINDS.items() for noun in nouns}
_entries = {noun: entry for nouns in KINDS.values() for noun, entry in nouns.items()}
CLASSES = {noun: (_entries[noun][0].split(), _entries[noun][1]) for noun in [*FIRST, *[n for n in _entries if n not in FIRST]]}
NOUNS = list(CLASSES)
# other drawings of the same classes, never seen in training: material for concepts the base cannot know
HELD_OUT = {
    'dog': ['DOG', 'POODLE', 'GUIDE DOG'], 'cat': ['CAT'], 'rabbit': ['RABBIT'], 'tiger': ['TIGER'], 'cow': ['COW'], 'pig': ['PIG'], 'monkey': ['MONKEY'],
    'chicken': ['ROOSTER'], 'fish': ['FISH', 'BLOWFISH'], 'apple': ['GREEN APPLE'], 'cake': ['BIRTHDAY CAKE'], 'car': ['RECREATIONAL VEHICLE'],
    'house': ['HOUSE WITH GARDEN'], 'tree': ['EVERGREEN TREE'], 'cup': ['TEACUP WITHOUT HANDLE'],
    'horse': ['HORSE'], 'mouse': ['MOUSE', 'RAT'], 'chick': ['BABY CHICK', 'HATCHING CHICK'], 'whale': ['WHALE'], 'camel': ['DROMEDARY CAMEL'], 'sheep': ['RAM'], 'dinosaur': ['T-REX'],
    'bread': ['BAGUETTE BREAD'], 'ice cream': ['ICE CREAM'], 'truck': ['ARTICULATED LORRY', 'PICKUP TRUCK'], 'ship': ['PASSENGER SHIP'], 'flower': ['HIBISCUS', 'CHERRY BLOSSOM'],
    'castle': ['JAPANESE CASTLE'], 'ball': ['BASKETBALL AND HOOP', 'BASEBALL'], 'key': ['OLD KEY'], 'shoe': ['MANS SHOE', 'HIGH-HEELED SHOE'], 'clock': ['MANTELPIECE CLOCK'],
    'book': ['GREEN BOOK', 'OPEN BOOK'], 'heart': ['BLUE HEART'], 'star': ['GLOWING STAR'], 'sun': ['BLACK SUN WITH RAYS'], 'drum': ['LONG DRUM'], 'moon': ['FULL MOON WITH FACE'],
}
PEOPLE = {'woman': ['lady'], 'man': ['guy'], 'girl': ['child'], 'boy': ['child']}
# what the layout head and the eyes tell apart: nouns, then busts, then whole figures
SHOWN = [*NOUNS, *PEOPLE, *[f'{p} standing' for p in PEOPLE]]

TINTS = {
    'red': (225, 40, 40), 'blue': (50, 100, 235), 'green': (50, 180, 70), 'golden': (250, 195, 40), 'purple': (150, 60, 210), 'pink': (250, 130, 185),
    'orange': (245, 130, 30), 'brown': (135, 85, 50), 'turquoise': (40, 200, 190), 'white': (240, 240, 242), 'black': (52, 52, 60),
}
PLACES = {'left': (0, 1), 'right': (2, 1), 'top': (1, 0), 'bottom': (1, 2), 'center': (1, 1)}  # third of the picture, across and down
PLACE_PHRASE = {'left': 'on the left', 'right': 'on the right', 'top': 'at the top', 'bottom': 'at the bottom', 'center': 'in the center'}
BACKGROUNDS = {
    'white': ['on a white background'], 'black': ['on a black background'], 'gray': ['on a gray background'],
    'yellow': ['on a yellow background'], 'cyan': ['on a cyan background'], 'beach': ['on a beach', 'at the beach'],
    'grass': ['on grass', 'in a meadow'], 'night': ['in the night sky', 'at night'], 'snow': ['in the snow'],
    'city': ['in a city', 'on a street'], 'desert': ['in a desert'], 'underwater': ['underwater', 'under water'],
    'room': ['in a room'], 'checkerboard': ['on a checkerboard'], 'forest': ['in a forest'], 'sunset': ['at sunset'],
    'pink': ['on a pink background'], 'green': ['on a green background'], 'blue': ['on a blue background'], 'orange': ['on an orange background'],
    'mountains': ['in the mountains'], 'lake': ['by a lake'], 'sea': ['at sea', 'on the sea'], 'road': ['on a road'], 'park': ['in a park'], 'farm': ['on a farm'],
    'space': ['in space'], 'kitchen': ['in a kitchen'], 'library': ['in a library'], 'sky': ['in the sky'], 'stage': ['on a stage'],
}
PLAIN = {'white': (247, 247, 247), 'black': (18, 18, 20), 'gray': (128, 128, 130), 'yellow': (250, 225, 80), 'cyan': (110, 220, 225),
         'pink': (248, 170, 200), 'green': (105, 195, 120), 'blue': (70, 120, 225), 'orange': (250, 160, 75)}
OUTDOORS = ['beach', 'grass', 'snow', 'city', 'desert', 'forest', 'mountains', 'lake', 'sea', 'road', 'park', 'farm']
WEATHER = {'rain': ['in the rain'], 'fog': ['in fog'], 'snowfall': ['while it snows']}
TIMES = {'night': ['at night'], 'dusk': ['at dusk', 'in the evening']}  # of an outdoor background; 'at night' alone is the night sky
STYLES = {
    'pixel': ['pixel art'], 'sketch': ['pencil sketch', 'drawing'], 'sepia': ['sepia photo', 'old photo'], 'watercolor': ['watercolor painting', 'watercolor'],
    'flat': ['flat illustration', 'flat art'], 'line': ['line art'], 'glow': ['night light'],
}
SIZES = ['tiny', 'small', '', 'big', 'huge']
RELATIONS = {'on': ['{a} on {b}', '{a} on top of {b}', '{b} under {a}'], 'front': ['{a} in front of {b}', '{b} behind {a}'],
             'beside': ['{a} on the left and {b} on the right', '{a} on the left and {b} on the right', '{a} beside {b}', '{b} beside {a}', '{a} and {b}', '{b} and {a}'],
             'holding': ['{b} holding {a}', '{b} with {a}']}
PHOTO = ['', '', '', 'a picture of ', 'a sticker of ']
COUNT = {2: 'two', 3: 'three', 4: 'four'}
MASS = {'grapes', 'fries', 'scissors', 'jeans', 'sunglasses', 'milk', 'wine', 'beer', 'juice', 'bread', 'corn', 'popcorn', 'coffee', 'pants', 'chips', 'toast', 'fire', 'cheese'}  # said without an article
SAME = {'fish', 'sheep', 'deer', *MASS}
IRREGULAR = {'woman': 'women', 'man': 'men', 'mouse': 'mice', 'wolf': 'wolves', 'scarf': 'scarves'}


def plural(noun):
    if noun in SAME or noun in IRREGULAR:
        return IRREGULAR.get(noun, noun)
    if noun in ('cherry', 'strawberry', 'trophy', 'teddy', 'pony', 'butterfly', 'lady'):
        return noun[:-1] + 'ies'
    return noun + ('es' if noun.endswith(('x', 's', 'sh', 'ch')) or noun == 'tomato' else 's')


def article(phrase, noun=''):
    """'a' or 'an' before a phrase, nothing before what has no singular."""
    if noun in MASS:
        return phrase
    return ('an ' if phrase[0] in 'aeio' or phrase.startswith(('umbrella', 'ambulance')) or (phrase[0] == 'u' and not phrase.startswith(('unicorn', 'ufo'))) else 'a ') + phrase


def further_glyphs(font_names):
    """Of the font's glyph names, those of things that no noun and no held-out drawing shows: material for concepts and adapters."""
    used = {g for _, g in CLASSES.values()} | {g for others in HELD_OUT.values() for g in others}
    signs = ('ARROW', 'SQUARED', 'SYMBOL', 'SIGN', 'LETTER', 'KEYCAP', 'CLOCK FACE', 'EMOJI ', 'IDEOGRAPH', 'BUTTON', 'MARK', 'SQUARE', 'CIRCLE', 'DIAMOND', 'TRIANGLE', 'BLACK MEDIUM', 'WHITE MEDIUM')
    return [n for n in font_names if n not in used and not any(s in n for s in signs) and unicodedata.category(unicodedata.lookup(n)) == 'So']
