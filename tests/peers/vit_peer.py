#!/usr/bin/python3
"""The vision transformers of model/frozen/vit.h in PyTorch 2 (tests/peers/requirements.txt), written from their definition.

    vit_peer.py numbers                  prints what tests/model/frozen/test_vit.c expects: small networks of formula weights, in float64
    vit_peer.py full --family dinov2|clip --ablate PROGRAM --folder DIR [--pictures N] [--threads T]
                                         writes formula weights of the full size (1.2 GB) and pictures to DIR, runs `PROGRAM features` on
                                         them and the same network in PyTorch, in float64 and in float32; prints how far both are off
                                         and the pictures per second of both

Formula weights are those of tests/common/formula.c, plus 1 where a vector scales. No published weights are read.
"""
import argparse
import hashlib
import json
import math
import os
import subprocess
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

MEAN = {"dinov2": (0.485, 0.456, 0.406), "clip": (0.48145466, 0.4578275, 0.40821073)}
SD = {"dinov2": (0.229, 0.224, 0.225), "clip": (0.26862954, 0.26130258, 0.27577711)}
SMALL = {
    "dinov2": dict(side=28, patch=7, table=6, width=32, blocks=2, heads=4, mlp=64, dim=32, eps=1e-6),
    "clip": dict(side=28, patch=7, table=4, width=32, blocks=2, heads=4, mlp=64, dim=24, eps=1e-5),
}
FULL = {
    "dinov2": dict(side=224, patch=14, table=37, width=1024, blocks=24, heads=16, mlp=4096, dim=1024, eps=1e-6),
    "clip": dict(side=336, patch=14, table=24, width=1024, blocks=24, heads=16, mlp=4096, dim=768, eps=1e-5),
}
U64 = np.uint64


def fnv(text):
    h = 0xCBF29CE484222325
    for b in text.encode():
        h = (h ^ b) * 0x100000001B3 % 2**64
    return h


def splitmix(first, n):
    with np.errstate(over="ignore"):
        x = np.arange(n, dtype=U64) + U64(first) + U64(0x9E3779B97F4A7C15)
        x = (x ^ x >> U64(30)) * U64(0xBF58476D1CE4E5B9)
        x = (x ^ x >> U64(27)) * U64(0x94D049BB133111EB)
        return x ^ x >> U64(31)


def weight(key, dims):
    n = math.prod(dims)
    fan_in = dims[1] * dims[2] * dims[3] if len(dims) == 4 else dims[1] if len(dims) > 1 else 1
    scale = math.sqrt(6 / fan_in) if len(dims) == 4 else math.sqrt(3 / fan_in) if len(dims) == 2 else 0.1
    shift = 1.0 if len(dims) == 1 and key.endswith((".weight", ".gamma")) else 0.0
    unit = (splitmix(fnv(key), n) >> U64(40)).astype(np.float64) * 2.0**-23 - 1
    return (np.float32(shift) + (scale * unit).astype(np.float32)).reshape(dims)


def noise(name, h, w):
    return (splitmix(fnv(name), h * w * 3) >> U64(56)).astype(np.uint8).reshape(h, w, 3)


def names(family, s):
    w, p, rows = s["width"], s["patch"], 1 + s["table"] ** 2
    if family == "dinov2":
        yield "cls_token", (1, 1, w)
        yield "pos_embed", (1, rows, w)
        yield "patch_embed.proj.weight", (w, 3, p, p)
        yield "patch_embed.proj.bias", (w,)
        block, own = "blocks.%d.", ("norm1", "attn.qkv.", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    else:
        yield "visual.class_embedding", (w,)
        yield "visual.positional_embedding", (rows, w)
        yield "visual.conv1.weight", (w, 3, p, p)
        yield "visual.ln_pre.weight", (w,)
        yield "visual.ln_pre.bias", (w,)
        block, own = "visual.transformer.resblocks.%d.", ("ln_1", "attn.in_proj_", "attn.out_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
    shapes = ((w,), (3 * w, w), (w, w), (w,), (s["mlp"], w), (w, s["mlp"]))
    for i in range(s["blocks"]):
        for name, shape in zip(own, shapes):
            for kind, dims in (("weight", shape), ("bias", shape[:1])):
                yield block % i + name + ("" if name[-1] in "._" else ".") + kind, dims
        if family == "dinov2":
            yield block % i + "ls1.gamma", (w,)
            yield block % i + "ls2.gamma", (w,)
    last = "norm" if family == "dinov2" else "visual.ln_post"
    yield last + ".weight", (w,)
    yield last + ".bias", (w,)
    if family == "clip":
        yield "visual.proj", (w, s["dim"])


def picture(family, s, rgb):
    im = Image.fromarray(rgb)
    if family == "clip":
        side = min(im.size)
        left, top = (im.width - side) // 2, (im.height - side) // 2
        im = im.crop((left, top, left + side, top + side))
    return np.asarray(im.resize((s["side"], s["side"]), Image.BICUBIC))


def prepared(family, rgb, dtype):
    x = torch.from_numpy(rgb.copy()).float().div(255).permute(2, 0, 1)
    x = x.sub(torch.tensor(MEAN[family])[:, None, None]).div(torch.tensor(SD[family])[:, None, None])
    return x.to(dtype)


def positions(s, table):
    n, side = s["table"], s["side"] // s["patch"]
    if n == side:
        return table
    grid = table[1:].reshape(1, n, n, -1).permute(0, 3, 1, 2)
    scale = (side + 0.1) / n
    grid = F.interpolate(grid, scale_factor=(scale, scale), mode="bicubic")
    assert grid.shape[-1] == side
    return torch.cat([table[:1], grid.permute(0, 2, 3, 1).reshape(side * side, -1)])


def features(family, s, t, x):
    own, w, heads = family == "dinov2", s["width"], s["heads"]

    def norm(x, name):
        return F.layer_norm(x, (w,), t[name + ".weight"], t[name + ".bias"], s["eps"])

    conv = "patch_embed.proj" if own else "visual.conv1"
    x = F.conv2d(x, t[conv + ".weight"], t.get(conv + ".bias"), stride=s["patch"]).flatten(2).transpose(1, 2)
    first = t["cls_token" if own else "visual.class_embedding"].reshape(1, 1, w).expand(len(x), 1, w)
    table = t["pos_embed" if own else "visual.positional_embedding"].reshape(-1, w)
    x = torch.cat([first, x], 1) + positions(s, table)
    if not own:
        x = norm(x, "visual.ln_pre")
    for i in range(s["blocks"]):
        b = f"blocks.{i}." if own else f"visual.transformer.resblocks.{i}."
        h, qkv = norm(x, b + ("norm1" if own else "ln_1")), b + ("attn.qkv." if own else "attn.in_proj_")
        q, k, v = F.linear(h, t[qkv + "weight"], t[qkv + "bias"]).reshape(*x.shape[:2], 3, heads, w // heads).permute(2, 0, 3, 1, 4)
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        out = b + ("attn.proj" if own else "attn.out_proj")
        h = F.linear(h, t[out + ".weight"], t[out + ".bias"])
        x = x + (h * t[b + "ls1.gamma"] if own else h)
        h = norm(x, b + ("norm2" if own else "ln_2"))
        fc1, fc2 = (b + "mlp.fc1", b + "mlp.fc2") if own else (b + "mlp.c_fc", b + "mlp.c_proj")
        h = F.linear(h, t[fc1 + ".weight"], t[fc1 + ".bias"])
        h = F.linear(F.gelu(h) if own else h * torch.sigmoid(1.702 * h), t[fc2 + ".weight"], t[fc2 + ".bias"])
        x = x + (h * t[b + "ls2.gamma"] if own else h)
    if own:
        return norm(x, "norm")[:, 0]
    x = norm(x[:, 0], "visual.ln_post") @ t["visual.proj"]
    return x / x.norm(dim=-1, keepdim=True)


def tensors(family, s, dtype):
    return {k: torch.from_numpy(weight(k, d)).to(dtype) for k, d in names(family, s)}


def numbers():
    for family, s in SMALL.items():
        t = tensors(family, s, torch.float64)
        for name, h, w in (("vit/small", 28, 28), ("vit/wide", 41, 66), ("vit/tall", 20, 11)):
            rgb = picture(family, s, noise(name, h, w))
            with torch.inference_mode():
                f = features(family, s, t, prepared(family, rgb, torch.float64)[None])[0]
            print(f'{family} "{name}", {h}, {w}, sha256 {hashlib.sha256(rgb.tobytes()).hexdigest()}')
            print("  " + ", ".join(f"{v:.10g}" for v in f[:: s["dim"] // 8].tolist()))
    table = torch.from_numpy(weight("pos_embed", (1, 1370, 1))).double()[0]
    p = positions(FULL["dinov2"], table)[:, 0]
    print("positions 37 -> 16 of pos_embed [1, 1370, 1]: " + ", ".join(f"{p[i]:.10g}" for i in (0, 1, 2, 16, 17, 120, 256)))


def save(path, t):
    """Safetensors, without the package."""
    header, at = {}, 0
    for k, v in t.items():
        header[k] = {"dtype": "F32", "shape": list(v.shape), "data_offsets": [at, at + v.numel() * 4]}
        at += v.numel() * 4
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for v in t.values():
            f.write(v.numpy().tobytes())


def full(a):
    s, folder = FULL[a.family], os.path.join(a.folder, "pictures")
    os.makedirs(folder, exist_ok=True)
    torch.set_num_threads(a.threads)
    weights, out = os.path.join(a.folder, a.family + ".safetensors"), os.path.join(a.folder, a.family + ".npz")
    t = tensors(a.family, s, torch.float32)
    if not os.path.exists(weights):
        save(weights, t)
    for i in range(a.pictures):
        Image.fromarray(noise(f"vit/{i}", 250, 320)).save(os.path.join(folder, f"{i:03}.png"))
    env = {**os.environ, "OMP_NUM_THREADS": str(a.threads)}
    start = time.monotonic()
    subprocess.run([a.ablate, "features", folder, "-e", a.family, "-w", weights, "-o", out, "--device", a.device], check=True, env=env)
    ours_s = time.monotonic() - start
    ours = np.load(out)["features"].astype(np.float64)
    files = sorted(os.listdir(folder))
    rgb = [picture(a.family, s, np.asarray(Image.open(os.path.join(folder, f)).convert("RGB"))) for f in files]
    x = torch.stack([prepared(a.family, p, torch.float32) for p in rgb])
    with torch.inference_mode():
        features(a.family, s, t, x[:1])
        rates = {}
        for batch in (1, 8):
            start = time.monotonic()
            theirs = torch.cat([features(a.family, s, t, part) for part in x.split(batch)])
            rates[batch] = len(x) / (time.monotonic() - start)
        t = {k: v.double() for k, v in t.items()}
        exact = torch.cat([features(a.family, s, t, part) for part in x.double().split(1)]).numpy()
    scale = math.sqrt((exact**2).mean())
    for name, f in (("ablate", ours), ("pytorch float32", theirs.double().numpy())):
        d = f - exact
        print(f"{name}: off from float64 by at most {abs(d).max():.2e}, rms {math.sqrt((d**2).mean()) / scale:.2e} of the features' rms")
    print(f"ablate: {len(files)} pictures in {ours_s:.2f} s with opening the weights")
    print("pytorch: " + ", ".join(f"{v:.3f} pictures/s in batches of {k}" for k, v in rates.items()))


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("what", choices=["numbers", "full"])
    p.add_argument("--family", choices=list(FULL), default="dinov2")
    p.add_argument("--ablate")
    p.add_argument("--folder")
    p.add_argument("--device", default="cpu")
    p.add_argument("--pictures", type=int, default=8)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    numbers() if a.what == "numbers" else full(a)


if __name__ == "__main__":
    main()
