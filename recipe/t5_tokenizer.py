"""A small T5 tokenizer and what it makes of texts: the unigram tokenizer of the app must make the same of them.

    python t5_tokenizer.py --out ../fixtures/t5 [--full]

Needs sentencepiece and tokenizers. A unigram model trained on the words below, put into the layout that T5's own tokenizer.json has
(a precompiled map of characters, runs of spaces, a mark for word beginnings, the end marker). --full takes sentencepiece's whole map
of characters (nmt_nfkc, 300 KB) in place of a small one: for checks, not for the repository.
"""
import argparse
import json
import tempfile
from pathlib import Path

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

NOUNS = 'dog cat bird fish house tree river mountain picture painting photo light shadow street garden window'.split()
KINDS = 'big small red blue green old young bright dark wooden golden watercolour playing sleeping running'.split()
PLACES = 'on a beach, in a city, under water, at night, in the snow; behind a fence: over the hills! near a lake? with "friends" (two of them)'.split(', ')
LINES = [f'A {kind} {noun} {place}.' for i, kind in enumerate(KINDS) for j, noun in enumerate(NOUNS) for k, place in enumerate(PLACES) if (i + 2 * j + 3 * k) % 4 == 0]
# what the small map changes: full-width letters, a ligature, an ellipsis, spaces of other kinds, a zero-width space
MAP = [*[(f'{0xFF21 + i:X}', f'{0x41 + i:X}') for i in range(26)], *[(f'{0xFF41 + i:X}', f'{0x61 + i:X}') for i in range(26)], ('FB01', '66 69'), ('2026', '2E 2E 2E'), ('A0', '20'), ('3000', '20'), ('9', '20'), ('A', '20'), ('200B', ''), ('65 301', 'E9')]

TEXTS = [
    '', ' ', 'a dog', 'A big red dog on a beach.', '  two   spaces  and more ', 'dogs playing in the snow', 'Watercolour painting of an old house', 'sleeping cat, under water; at night!',
    'ＡＢｃ ｄｏｇ', 'ﬁsh', 'wait…', 'no\u00a0break', 'full\u3000width', 'tab\there\nand there', 'zero\u200bwidth', 'cafe\u0301', 'café', 'naïve façade', '日本の犬', '😀 dog 👩‍👩‍👧', 'x' * 40,
    'a </s> in the middle', '<extra_id_0> dog <extra_id_1>', '<pad>', '▁ mark', 'dog▁cat', 'photo-graph_2 (12:30)', 'UPPER lower', "the dog's friends", 'a.b.c', 'e\u0301e\u0301', '\u0301alone', 'ÀÈ', 'dog ' * 30,
]


def train(full):
    with tempfile.TemporaryDirectory() as folder:
        words, rules, prefix = Path(folder, 'words.txt'), Path(folder, 'rules.tsv'), str(Path(folder, 'm'))
        words.write_text('\n'.join(LINES))
        rules.write_text(''.join(f'{a}\t{b}\n' for a, b in MAP))
        options = {'normalization_rule_name': 'nmt_nfkc'} if full else {'normalization_rule_tsv': str(rules)}
        spm.SentencePieceTrainer.train(input=str(words), model_prefix=prefix, vocab_size=100, model_type='unigram', pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2, **options)
        model = pb.ModelProto()
        model.ParseFromString(Path(prefix + '.model').read_bytes())
        return model


def build(model):
    """As transformers converts T5's sentencepiece model."""
    vocab = [(piece.piece, piece.score) for piece in model.pieces] + [(f'<extra_id_{i}>', 0.0) for i in reversed(range(2))]
    made = Tokenizer(models.Unigram(vocab, unk_id=2, byte_fallback=False))
    made.normalizer = normalizers.Sequence([normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(' {2,}'), '▁')])
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement='▁', prepend_scheme='always')
    made.decoder = decoders.Metaspace(replacement='▁', prepend_scheme='always')
    made.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in ('<pad>', '</s>', '<unk>', '<extra_id_0>', '<extra_id_1>')])
    made.post_processor = processors.TemplateProcessing(single='$A </s>', pair='$A </s> $B </s>', special_tokens=[('</s>', 1)])
    return made


if __name__ == '__main__':
    p = argparse.ArgumentParser()
    p.add_argument('--out', type=Path, required=True)
    p.add_argument('--full', action='store_true')
    a = p.parse_args()
    made = build(train(a.full))
    a.out.mkdir(parents=True, exist_ok=True)
    (a.out / 'tokenizer.json').write_text(json.dumps(json.loads(made.to_str()), ensure_ascii=False, indent=1))
    (a.out / 'cases.json').write_text(json.dumps([{'text': t, 'ids': made.encode(t).ids} for t in TEXTS], ensure_ascii=False, indent=0))
