"""What whole trainings of small cells draw and are told by, without a framework: formulas, Philox's streams, the pictures, and the files of
tests/fixtures/train_run, for train_run_peer.py (PyTorch) and jax_run_peer.py. Written from tests/common/formula.h and model/base/rng.h.
"""
import json
import math

import numpy as np

SEED, SAMPLES_SEED, FIRST_SAMPLE, N_SAMPLES = (3 << 32) + 11, 7, 5, 3
STOPS = (8, 20)
FILES, RECORDS, SIDE, CHANNELS, CLASSES = 5, 9, 8, 3, 10
FIRST_VALUES, PROBES = 2, 2

# ---- formulas: tests/common/formula.h

GOLDEN, U64 = np.uint64(0x9E3779B97F4A7C15), np.uint64


def formula_hash(name, n):
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = (start ^ byte) * 0x100000001B3 % 2**64
    x = U64(start) + np.arange(n, dtype=U64) + GOLDEN
    x = (x ^ x >> U64(30)) * U64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> U64(27)) * U64(0x94D049BB133111EB)
    return x ^ x >> U64(31)


def formula_u(name, n):
    return (formula_hash(name, n) >> U64(40)).astype(np.float64) / 2**23 - 1


def pictures():
    """Bytes (n, 3, side, side), and labels. The test writes each pixel as a square of the files' 32 x 32."""
    n, values = FILES * RECORDS, CHANNELS * SIDE * SIDE
    px = [(formula_hash("train_run/picture/%d" % i, values) >> U64(56)).astype(np.uint8).reshape(CHANNELS, SIDE, SIDE) for i in range(n)]
    return np.stack(px), np.array([i * 7 % CLASSES for i in range(n)])


# ---- random numbers: model/base/rng.h

INIT, ORDER, FLIP, NOISE, SIGMA, LATENT, LABEL, COUPLING, REFERENCES, SIGMA_LOWER, SHARE, DROPOUT = 1, 2, 3, 4, 5, 6, 8, 10, 11, 13, 14, 64


def philox(counter, key):
    """Philox4x32-10 of four arrays and two numbers: arrays of four words."""
    low = U64(0xFFFFFFFF)
    c, k = [np.asarray(x, dtype=U64) for x in counter], list(key)
    for _ in range(10):
        p, q = c[0] * U64(0xD2511F53), c[2] * U64(0xCD9E8D57)
        c = [(q >> U64(32)) ^ c[1] ^ U64(k[0]), q & low, (p >> U64(32)) ^ c[3] ^ U64(k[1]), p & low]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def words(seed, stream, step, index):
    index = np.asarray(index, dtype=U64)
    fixed = [np.full_like(index, x) for x in (step, stream)]
    return philox([index & U64(0xFFFFFFFF), index >> U64(32), *fixed], (seed % 2**32, seed >> 32))


def uniform(seed, stream, step, first, n):
    at = np.arange(first, first + n, dtype=U64)
    w = np.stack(words(seed, stream, step, at // U64(4)))
    return (w[(at % U64(4)).astype(int), np.arange(n)] >> U64(8)).astype(np.float64) / 2**24


def uniform_double(seed, stream, step, first, n):
    a, b = words(seed, stream, step, np.arange(first, first + n, dtype=U64))[:2]
    return (((a << U64(32) | b) >> U64(11)).astype(np.float64) + 0.5) / 2**53


def normal(seed, stream, step, first, n):
    """Box and Muller's pairs: cosine and sine of the same radius, from 24 bits each."""
    assert first % 4 == 0
    w = words(seed, stream, step, np.arange(first // 4, first // 4 + (n + 3) // 4, dtype=U64))
    a, b, c, d = ((x >> U64(8)).astype(np.float64) / 2**24 for x in w)
    out = []
    for u, v in ((a, b), (c, d)):
        radius = np.sqrt(-2 * np.log(u + 2.0**-24))
        out += [radius * np.cos(2 * math.pi * v), radius * np.sin(2 * math.pi * v)]
    return np.stack(out, axis=1).reshape(-1)[:n]


def permuted(i, n, seed, stream, step):
    """Where a permutation of n sends i: a Feistel network of six rounds over the next power of 4, walked until it answers below n."""
    half = 1
    while 4**half < n:
        half += 1
    mask = 2**half - 1
    while True:
        left, right = i >> half, i & mask
        for r in range(1, 7):
            left, right = right, left ^ int(words(seed, stream, step, [right | r << 40])[0][0]) & mask
        i = left << half | right
        if i < n:
            return i


def check_random():
    """The known answers of Philox's authors (Random123, kat_vectors)."""
    ones = 0xFFFFFFFF
    known = [
        ([0] * 4, (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([ones] * 4, (ones, ones), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], (0xA4093822, 0x299F31D0), "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ]
    for counter, key, answer in known:
        assert " ".join("%08x" % int(x[0]) for x in philox([[c] for c in counter], key)) == answer
    assert sorted(permuted(i, 45, 1, ORDER, 0) for i in range(45)) == list(range(45))


# ---- files


def setting(value):
    return json.dumps(value) if not isinstance(value, str) else value


def write(path, c, tensors):
    """A safetensors file; tensors of larger elements first, so that all are aligned."""
    meta = {key: setting(value) for key, value in c.items()}
    header, payload = {"__metadata__": meta}, b""
    for name, v in sorted(tensors.items(), key=lambda row: (-row[1].itemsize, row[0])):
        kind = {"float64": "F64", "float32": "F32"}[str(v.dtype)]
        header[name] = {"dtype": kind, "shape": list(v.shape), "data_offsets": [len(payload), len(payload) + v.nbytes]}
        payload += v.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + payload)


def read(path):
    """Settings and tensors of such a file."""
    with open(path, "rb") as f:
        data = f.read()
    size = int.from_bytes(data[:8], "little")
    header, kinds = json.loads(data[8 : 8 + size]), {"F64": np.float64, "F32": np.float32}
    c = {}
    for key, text in header.pop("__metadata__").items():
        try:
            c[key] = json.loads(text)
        except ValueError:
            c[key] = text
    at = lambda v: data[8 + size + v["data_offsets"][0] : 8 + size + v["data_offsets"][1]]
    return c, {name: np.frombuffer(at(v), kinds[v["dtype"]]).reshape(v["shape"]) for name, v in header.items()}


def deviations(got, want):
    """What the test measures, of another run of the same cell."""
    rows = {}
    for key in ("loss", "grad_norm"):
        rows[key] = np.abs(got[key] / want[key] - 1).max()
    for key in sorted(want):
        if key.startswith("probe."):
            length = want["length." + key[6:]].astype(np.float64)
            error = np.sqrt(3 * ((got[key].astype(np.float64) - want[key]) ** 2).mean(axis=1))
            rows["change of " + key[6:]] = math.sqrt((error**2).sum() / (length**2).sum())
            rows["worst parameter of " + key[6:]] = (error / np.maximum(length, 1e-3 * length.max())).max()
        if key.startswith(("answer", "level")):
            rows[key] = np.abs(got[key].astype(np.float64) - want[key]).max()
    return rows
