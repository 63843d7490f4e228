"""Rounds a base's weights so that they travel in half the bytes, and stay float16 files that every tool reads.

    python compact.py --base ../public/base [--out DIR]

A run of 64 values of a matrix (in the order they are stored in) becomes code x scale: codes -127..127, scale = m 2^e with m in 8..15. A code has seven bits and m four, so that each
product is a half to the bit, and the app's build can send 65 bytes in place of 128 (src/formats/halfRuns.ts). Vectors, tensors of less than 4,096 values and float32 stay as they are; a
run that is of this kind already, too. What was trained on the base keeps saying so: the sum of the transformer's file in the adapters' metadata follows.
"""
import argparse
import json
import struct
from pathlib import Path

import numpy as np

RUN, LEAST = 64, 4096
TOP, BOTTOM = 7, -24  # of e
SCALES = np.array(sorted(m * 2. ** e for e in range(BOTTOM, TOP + 1) for m in range(8, 16)))


def is_compact(x):
    """x [n,RUN] f64 -> [n]: every value of the run is a code times one of SCALES."""
    top, done = np.abs(x).max(1), (x == 0).all(1)
    first = np.searchsorted(SCALES, top / 127)
    for k in range(8):  # a scale twice as large or more would not be the smallest: its codes could be halved, or are odd multiples
        s = SCALES[np.minimum(first + k, len(SCALES) - 1)]
        q = x / s[:, None]
        done |= ((q == np.round(q)) & (np.abs(q) <= 127)).all(1)
    return done


def rounded(x):
    """x [n,RUN] f64 -> the nearest of this kind: of the two scales about max/127 the one with the smaller squared error."""
    first = np.searchsorted(SCALES, np.abs(x).max(1) / 127)
    best, error = None, None
    for k in (0, -1):
        s = SCALES[np.clip(first + k, 0, len(SCALES) - 1)][:, None]
        y = np.clip(np.round(x / s), -127, 127) * s
        e = ((y - x) ** 2).sum(1)
        best, error = (y, e) if best is None else (np.where((e < error)[:, None], y, best), np.minimum(e, error))
    return best + 0.  # no negative zeros


def compact(values):
    """A flat f16 tensor -> (the same, rounded; squared error; squared size)."""
    n = len(values) // RUN * RUN
    x = values[:n].astype(np.float64).reshape(-1, RUN)
    y = np.where(is_compact(x)[:, None], x + 0., rounded(x))
    h = y.astype(np.float16)
    assert (h.astype(np.float64) == y).all()
    return np.concatenate([h.flatten(), values[n:]]), ((x - y) ** 2).sum(), (x ** 2).sum()


def compact_file(path, out, sha=None):
    """sha: of the base's transformer, for the file's metadata."""
    data = path.read_bytes()
    n = struct.unpack('<Q', data[:8])[0]
    header, body = json.loads(data[8:8 + n]), bytearray(data[8 + n:])
    error = size = 0.
    for name, t in header.items():
        if name != '__metadata__' and t['dtype'] == 'F16' and len(t['shape']) > 1 and np.prod(t['shape']) >= LEAST:
            a, b = t['data_offsets']
            values, e, s = compact(np.frombuffer(bytes(body[a:b]), np.float16))
            body[a:b] = values.tobytes()
            error, size = error + e, size + s
    meta = header.get('__metadata__', {})
    if sha and meta.get('lamina.base_sha256'):
        meta['lamina.base_sha256'] = sha
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(struct.pack('<Q', len(text)) + text + body)
    print(f'{path.parent.name}: relative error {(error / max(size, 1e-30)) ** .5:.5f}')


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--base', type=Path, required=True)
    p.add_argument('--out', type=Path, help='another folder than --base')
    a = p.parse_args()
    from adapter import sha256_of
    a.out = a.out or a.base
    files = sorted(a.base.rglob('*.safetensors'), key=lambda f: f.parent.name != 'transformer')
    if a.out != a.base:
        import shutil
        shutil.copytree(a.base, a.out, dirs_exist_ok=True)
    for f in files:
        compact_file(f, a.out / f.relative_to(a.base), sha256_of(a.out) if f.parent.name != 'transformer' else None)
