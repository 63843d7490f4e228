"""Trains the object adapter without one part of its training after the other, and puts what comes of it into one table.

    python ablate.py --base ../public/base --start ../public/base --work work-objects --judge work-objects/judge-objects --out work/ablations --samples 20000 --seeds 1,2

Every row begins from nothing and sees as many samples of the same pictures: the first --count of the objects stage. Without masking the crops are others, so their pictures are encoded
anew (OUT/unmasked, once). What is trained or measured already stays. OUT/ablations.json has a row's figures by seed; the table is printed: means, and in brackets the seeds' own.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

PARTS = {'whole': [], **{f'without {x}': ['--without', x] for x in ('cross', 'dropping', 'tuning', 'keeping', 'masking')}, 'without the aid': ['--aid-weight', '0']}
FIGURES = ('identity', 'named', 'text', 'copy')       # of pictures of held-out objects, as measure.py --taming has them
LOSSES = ('right', 'wrong', 'general')                # flow loss on held-out objects with tokens of another picture of the object and of another object, and on general scenes
HERE = Path(__file__).parent


def call(script, *args):
    subprocess.run([sys.executable, HERE / script, *map(str, args)], check=True)


def pictures_of(a, row):
    """Folder of the objects stage that a row learns from."""
    if row != 'without masking':
        return a.work
    folder = a.out / 'unmasked'
    call('train.py', 'objects', '--work', folder, '--start', a.start, '--count', a.count, '--without', 'masking', '--resume', *(['--smoke'] if a.smoke else []))
    return folder


def adapter_of(a, row, seed):
    """Trains a row unless that is done -> its file."""
    folder = a.out / row.replace(' ', '-') / str(seed)
    file, done = folder / 'base/object_adapter/model.safetensors', folder / 'done'
    if done.exists():
        if int(done.read_text()) != a.samples:
            raise SystemExit(f'{folder} was trained on {done.read_text()} samples: choose another --out.')
        return file
    source = pictures_of(a, row)
    folder.mkdir(parents=True, exist_ok=True)
    for path in [*source.glob('object-*.npy'), *source.glob('general-*.npy')]:
        link = folder / path.name
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(path, folder))
    about = json.loads((source / 'objects.json').read_text())
    share = min(1, a.count / about['objects'])
    (folder / 'objects.json').write_text(json.dumps({**about, 'objects': min(about['objects'], a.count), 'general': int(about['general'] * share)}))
    call('train.py', 'taming', '--work', folder, '--start', a.start, '--samples', a.samples, '--seed', seed, '--anneal', .6, '--batch', 64, '--latents', 32, '--general', .1, '--lr', .006,
         '--threads', a.threads, '--resume', *PARTS[row], *(['--smoke'] if a.smoke else []))
    done.write_text(str(a.samples))
    return file


def measured(a, seed, files):
    """Rows' files -> figures by row; rows that were measured with as many objects and prompts are not drawn again."""
    kept = a.out / f'measured-{seed}.json'
    asked = dict(samples=a.samples, count=a.count, objects=a.objects, seed=a.draw_seed)
    before = json.loads(kept.read_text()) if kept.exists() else {}
    table = before['table'] if before.get('asked') == asked else {}
    new = {row: file for row, file in files.items() if row not in table}
    if new:
        out, named = a.out / 'new.json', {row.replace(' ', '-'): file for row, file in new.items()}
        call('measure.py', '--taming', '--base', a.base, '--judge', a.judge, '--json', out, '--adapters', ','.join(f'{name}={file}' for name, file in named.items()), '--unmasked', 'without-masking',
             '--objects', a.objects, '--prompts', 10, '--seed', a.draw_seed, '--threads', a.threads, *(['--smoke'] if a.smoke else []))
        found = json.loads(out.read_text())['table']
        table |= {row: found[row.replace(' ', '-')] for row in new} | {name: found[name] for name in ('drawn', 'base', 'pasted')}
        kept.write_text(json.dumps(dict(asked=asked, table=table), indent=1))
    return table


def losses(a, row, seed):
    """A trained row's last line of taming.jsonl -> its losses."""
    last = json.loads((a.out / row.replace(' ', '-') / str(seed) / 'taming.jsonl').read_text().splitlines()[-1])
    return dict(right=last['tokens'], wrong=last['wrong'], general=last['general'])


def run(a):
    rows, seeds = a.only.split(',') if a.only else list(PARTS), [int(s) for s in a.seeds.split(',')]
    unknown = [row for row in rows if row not in PARTS]
    if unknown:
        raise SystemExit(f'There is no row {unknown[0]!r}; there are {", ".join(PARTS)}.')
    if a.smoke:
        a.samples, a.count = 24, 600
    a.out.mkdir(parents=True, exist_ok=True)
    tables = {}
    for seed in seeds:
        tables[seed] = measured(a, seed, {row: adapter_of(a, row, seed) for row in rows})
        for row in rows:
            tables[seed][row] |= losses(a, row, seed)
    (a.out / 'ablations.json').write_text(json.dumps(dict(samples=a.samples, pictures=a.count, objects=a.objects, prompts=10, tables=tables), indent=1))
    short = lambda x: f'{x:.3f}'.replace('0.', '.', 1)
    columns = (*FIGURES, *LOSSES)
    print(f'| | {" | ".join(columns)} |\n|---|{"---|" * len(columns)}')
    for row in ('drawn', 'base', *rows):
        cells = []
        for figure in columns:
            own = [tables[seed][row][figure] for seed in seeds if figure in tables[seed][row]]
            mean = short(sum(own) / len(own)) if own else ''
            cells.append(mean + (f' ({", ".join(map(short, own))})' if row in rows and len(own) > 1 else ''))
        print(f'| {row} | {" | ".join(cells)} |')


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--base', type=Path, required=True, help='that draws')
    p.add_argument('--start', type=Path, required=True, help='the base whose pictures lie in --work: the same, or as it was before it was rounded')
    p.add_argument('--work', type=Path, required=True, help='of the objects stage')
    p.add_argument('--judge', type=Path, required=True)
    p.add_argument('--out', type=Path, default=Path('work/ablations'))
    p.add_argument('--samples', type=int, default=20000)
    p.add_argument('--count', type=int, default=9000, help='pictures of objects, those of held-out ones included')
    p.add_argument('--seeds', default='1')
    p.add_argument('--only', default='', help='rows, with commas')
    p.add_argument('--objects', type=int, default=24, help='held-out objects that are drawn, in ten scenes each')
    p.add_argument('--draw-seed', type=int, default=77)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--smoke', action='store_true')
    run(p.parse_args())
