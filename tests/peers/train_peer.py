#!/usr/bin/python3
"""The same consistency-training step in PyTorch 2 (tests/peers/requirements.txt), or in Debian's 1.13 on a CPU, for comparing speed and memory.

    train_peer.py [a|b|ict-cifar10|...]... [--seconds S] [--threads T] [--channels-last] [--beside ABLATE] [--rounds N]
    train_peer.py ict-cifar10 --device cuda --dtype bf16 --batch 256 --channels-last --compile [--beside ABLATE]
    train_peer.py ict-cifar10-tiny --equal build/tests/train_steps       # is it the same work? exit 1 if not

Builds the configurations of `ablate bench train` (DDPM++, NCSN++ and ADM U-Nets): student forward, teacher forward without gradients,
both with the recipe's dropout (--dropout P for another), attention by scaled_dot_product_attention, Pseudo-Huber over the whole image,
backward, Adam. Each configuration is measured in a process of its own, so that its peak memory is its own, with the settings that
serve PyTorch best where nothing else is said. On a GPU: autocast for bf16, cuDNN's own search for the fastest convolutions, Adam in one
kernel, no wait for the device but once in ten steps. --compile compiles each residual block, alike blocks once (how long that takes
on a GPU has not been seen); --compile=whole the network as one graph. Prints one JSON object: per configuration the median time of a step, images per second, the
peak memory (resident set; on a GPU what PyTorch allocated there), and apart from them the seconds before: warm_up_s, of the first
steps, and compile_s, what they took beyond as many steps later.

--equal trains 20 steps, without dropout, on the weights, images, noise and noise levels that train_steps dumps, after it did: the
last losses have to agree to 1 %, in fp32 to 0.01 %.

With --beside, `ABLATE bench train` is measured in turn with it, --rounds times each, and a table compares the two.

The filter of NCSN++'s downsampling is a depthwise convolution; --slices makes it a sum of shifted slices. On a CPU that takes ten times
as long where it is not compiled; which is faster on a GPU has not been seen.
"""
import argparse
import json
import math
import resource
import os
import statistics
import subprocess
import sys
import tempfile
import time

import rounds

CONFIGS = {
    "a": dict(kind="ddpmpp", side=32, image=1, width=32, mult=(1, 2, 2), blocks=1, attend=(8,), batch=64, parameters=1_259_393),
    "b": dict(kind="ddpmpp", side=32, image=3, width=64, mult=(1, 2, 2), blocks=2, attend=(16,), batch=32, parameters=6_989_891),
    "ict-cifar10": dict(
        kind="ncsnpp", side=32, image=3, width=128, mult=(2, 2, 2), blocks=4, attend=(16,), batch=4, parameters=56_395_523,
        dropout=0.3,
    ),
    "ict-cifar10-tiny": dict(
        kind="ncsnpp", side=32, image=3, width=32, mult=(1, 2), blocks=1, attend=(), batch=4, parameters=721_347, dropout=0.3
    ),
    "ict-imagenet64": dict(
        kind="adm", side=64, image=3, width=192, mult=(1, 2, 3, 4), blocks=3, attend=(32, 16, 8), batch=1, classes=1000,
        parameters=282_168_003, dropout=0.2, dropout_at=16, scale_shift=False,
    ),
}
OF_BLOCKS = ("kind", "batch", "parameters", "dropout", "dropout_at", "scale_shift")
SIGMA_MIN, SIGMA_DATA = 0.002, 0.5
EQUAL_STEPS, EQUAL_TO = 20, {"fp32": 1e-4, "tf32": 0.01, "bf16": 0.01}


def make_net(config, slices=False):
    import torch
    from torch import nn
    from torch.nn import functional as F

    adm, residual = config["kind"] == "adm", config["kind"] == "ncsnpp"
    scale = 1.0 if adm else math.sqrt(0.5)
    shifts = adm and config.get("scale_shift", True)

    class Norm(nn.GroupNorm):  # in float32 whatever comes in, as autocast has it on a GPU but not on the CPU
        def forward(self, x):
            return super().forward(x.float())

    def norm(channels):
        return Norm(min(32, channels // 4), channels, eps=1e-5 if adm else 1e-6)

    tap = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    smooth = tap[:, None] * tap[None]

    def plain(q, k, v):  # PyTorch 1.13 has no other
        return torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), dim=-1) @ v

    attend_to = getattr(F, "scaled_dot_product_attention", plain)

    def halved(x, dim):
        count = x.shape[dim] - 3
        a, b, c, d = (x.narrow(dim, i, count)[(slice(None),) * dim + (slice(None, None, 2),)] for i in range(4))
        return (a + d) * 0.125 + (b + c) * 0.375

    def filtered_down(x, padding):
        if slices:
            return halved(halved(F.pad(x, (padding,) * 4), 3), 2)
        return F.conv2d(x, smooth.expand(x.shape[1], 1, 4, 4), stride=2, padding=padding, groups=x.shape[1])

    def down(x):
        return filtered_down(x, 1) if residual else F.avg_pool2d(x, 2)

    def up(x):
        if not residual:
            return F.interpolate(x, scale_factor=2, mode="nearest")
        x = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
        return x[:, :, 2:-2, 2:-2]  # the same taps, with zeros outside

    class Block(nn.Module):
        def __init__(self, cin, cout, emb, how=None, attend=False, side=0):  # side: of what enters
            super().__init__()
            self.dropout = config.get("dropout", 0) if side <= config.get("dropout_at", side) else 0
            self.resample = how or (lambda x: x)
            self.norm0, self.conv0 = norm(cin), nn.Conv2d(cin, cout, 3, padding=1)
            self.affine = nn.Linear(emb, 2 * cout if shifts else cout)
            self.norm1, self.conv1 = norm(cout), nn.Conv2d(cout, cout, 3, padding=1)
            self.skip = nn.Conv2d(cin, cout, 1) if cin != cout or (how and not adm) else None
            self.heads = (cout // 64 if adm else 1) if attend else 0
            if attend:
                self.norm2, self.qkv, self.proj = norm(cout), nn.Conv2d(cout, 3 * cout, 1), nn.Conv2d(cout, cout, 1)

        def forward(self, x, emb):
            h = self.conv0(self.resample(F.silu(self.norm0(x))))
            e = self.affine(emb)[:, :, None, None]
            if shifts:
                by, shift = e.chunk(2, dim=1)
                h = F.silu(torch.addcmul(shift, self.norm1(h), by + 1))
            else:
                h = F.silu(self.norm1(h + e))
            h = self.conv1(F.dropout(h, self.dropout))
            x = self.resample(x)
            x = (h + (self.skip(x) if self.skip else x)) * scale
            if self.heads:
                n, c, rows, cols = x.shape
                wide = c // self.heads
                q, k, v = self.qkv(self.norm2(x)).reshape(n, self.heads, wide, 3, rows * cols).transpose(2, 4).unbind(3)
                a = attend_to(q, k, v).transpose(2, 3).reshape(n, c, rows, cols)
                x = (x + self.proj(a)) * scale
            return x

    class Net(nn.Module):
        def __init__(self, side, image, width, mult, blocks, attend, classes=0):
            super().__init__()
            emb, wave = 4 * width, 2 * width if residual else width
            half = wave // 2
            if residual:
                freqs = 2 * math.pi * torch.randn(half)
            else:
                freqs = 10000.0 ** (-torch.arange(half) / (half if adm else half - 1))
            self.register_buffer("freqs", freqs)
            self.map0, self.map1 = nn.Linear(wave, emb), nn.Linear(emb, emb)
            self.label = nn.Linear(classes, emb, bias=False) if classes else None
            c = width * mult[0] if adm else width
            self.first = nn.Conv2d(image, c, 3, padding=1)
            self.enc, self.dec, self.aux = nn.ModuleList(), nn.ModuleList(), nn.ModuleDict()
            self.joins = []
            kept, seen = [c], image
            for level, m in enumerate(mult):
                if level:
                    self.enc.append(Block(c, c, emb, down, side=side >> (level - 1)))
                    kept.append(c)
                    if residual:
                        self.aux[str(len(self.enc) - 1)] = nn.Conv2d(seen, c, 3, padding=2)
                        seen = c
                for _ in range(blocks):
                    self.enc.append(Block(c, width * m, emb, attend=side >> level in attend, side=side >> level))
                    c = width * m
                    kept.append(c)
            for level in reversed(range(len(mult))):
                if level == len(mult) - 1:
                    self.add(Block(c, c, emb, attend=True, side=side >> level), False)
                    self.add(Block(c, c, emb, side=side >> level), False)
                else:
                    self.add(Block(c, c, emb, up, side=side >> (level + 1)), False)
                for i in range(blocks + 1):
                    there = side >> level in attend and (adm or i == blocks)
                    self.add(Block(c + kept.pop(), width * mult[level], emb, attend=there, side=side >> level), True)
                    c = width * mult[level]
            self.last_norm, self.last = norm(c), nn.Conv2d(c, image, 3, padding=1)

        def in_order(self):
            """Parameters, and what is fixed, as the field's checkpoints have them."""
            found = [self.freqs] if residual else []
            for m in (self.map0, self.map1, self.label, self.first):
                found += list(m.parameters()) if m else []
            for i, block in enumerate(self.enc):
                found += list(block.parameters()) + (list(self.aux[str(i)].parameters()) if str(i) in self.aux else [])
            return found + [p for m in (self.dec, self.last_norm, self.last) for p in m.parameters()]

        def add(self, block, joins):
            self.dec.append(block)
            self.joins.append(joins)

        def forward(self, x, noise, labels=None):
            angle = noise[:, None] * self.freqs[None]
            emb = F.silu(self.map0(torch.cat([angle.sin(), angle.cos()], dim=1)))
            emb = self.map1(emb)
            if self.label:
                emb = emb + self.label(labels)
            emb = F.silu(emb)
            seen, x = x, self.first(x)
            kept = [x]
            for i, block in enumerate(self.enc):
                x = block(x, emb)
                if str(i) in self.aux:
                    x = seen = (x + filtered_down(self.aux[str(i)](seen), 0)) * math.sqrt(0.5)
                kept.append(x)
            for block, joins in zip(self.dec, self.joins):
                x = block(torch.cat([x, kept.pop()], dim=1) if joins else x, emb)
            return self.last(F.silu(self.last_norm(x)))

    net = Net(**{k: v for k, v in config.items() if k not in OF_BLOCKS})
    count = sum(p.numel() for p in net.parameters())
    if count != config["parameters"]:
        sys.exit("train_peer.py: %d parameters, not %d: this is another network" % (count, config["parameters"]))
    return net


def huber_c(config):
    return 0.00054 * math.sqrt(config["image"] * config["side"] ** 2)


class Trainer:
    """A network, its optimizer and its step."""

    def __init__(self, config, a):
        import torch

        self.a, self.c, self.on_gpu = a, huber_c(config), a.device != "cpu"
        self.net = make_net(config, a.slices)
        if a.channels_last:
            self.net = self.net.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-4, **({"fused": True} if self.on_gpu else {}))
        self.forward = torch.compile(self.net) if a.compile == "whole" else self.net
        if a.compile == "blocks":
            torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 1000
            for block in [*self.net.enc, *self.net.dec]:
                block.compile(dynamic=False)

    def place(self, x):
        import torch

        return x.contiguous(memory_format=torch.channels_last) if self.a.channels_last else x

    def step(self, image, noise, t, r, weight, labels=None):
        import torch

        def answer(sigma):
            s = sigma[:, None, None, None]
            root = (s ** 2 + SIGMA_DATA ** 2).sqrt()
            x = image + s * noise
            skip = SIGMA_DATA ** 2 / ((s - SIGMA_MIN) ** 2 + SIGMA_DATA ** 2)
            with rounds.autocast(self.a):
                f = self.forward(x / root, sigma.log() / 4, labels).float()
            return skip * x + (s - SIGMA_MIN) * SIGMA_DATA / root * f

        student = answer(t)
        with torch.no_grad():
            teacher = answer(r)
        total = ((student - teacher) ** 2).sum(dim=(1, 2, 3))
        loss = (total / ((total + self.c ** 2).sqrt() + self.c) * weight).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()


def configured(name, a, dropout=None):
    config = dict(CONFIGS[name])
    if dropout is not None:
        config["dropout"] = dropout
    return config, a.batch or config["batch"]


def measure(name, a):
    torch, on_gpu = rounds.prepare(a), a.device != "cpu"
    config, n = configured(name, a, a.dropout)
    trainer = Trainer(config, a)
    shape = (n, config["image"], config["side"], config["side"])
    image, noise = trainer.place(torch.rand(shape) * 2 - 1), trainer.place(torch.randn(shape))
    classes = config.get("classes")
    labels = torch.nn.functional.one_hot(torch.arange(n) % classes, classes).float() if classes else None
    t = torch.exp(torch.linspace(-4, 3, n))
    r = t * 0.9

    def steps(count):
        for _ in range(count):
            loss = trainer.step(image, noise, t, r, 1 / (t - r), labels)
        return float(loss)  # waits for the device

    together, warm = 10 if on_gpu else 1, 3 if on_gpu else 1
    times, loss, start = [], 0.0, time.monotonic()
    steps(warm)  # compiles, and searches
    warm_up = time.monotonic() - start
    end = time.monotonic() + a.seconds
    while time.monotonic() < end or len(times) < 3:
        start = time.monotonic()
        loss = steps(together)
        times.append((time.monotonic() - start) / together)
    median = statistics.median(times)
    peak = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "config": name,
        "batch": n,
        "parameters": sum(p.numel() for p in trainer.net.parameters()),
        "dropout": config.get("dropout", 0),
        "slices": a.slices,
        "warm_up_s": warm_up,
        "compile_s": max(0.0, warm_up - warm * median),
        "steps": len(times) * together,
        "step_s": median,
        "step_s_best": min(times),
        "images_per_s": n / median,
        "images_per_s_best": n / min(times),
        "peak_mib": peak / 1048576,
        "loss": loss,
        **rounds.about(a),
    }


# ---- the same work?


def read_dump(path, n, config):
    """What train_steps wrote: parameters by name, and for each step x0, z, t, r and the weight of the loss."""
    import numpy

    with open(path, "rb") as f:
        names, line = [], f.readline().split()
        while line:
            names.append((line[0].decode(), [int(x) for x in line[1:]]))
            line = f.readline().split()
        values = numpy.frombuffer(f.read(), dtype="<f4")
    at, weights, given = 0, [], []
    for name, dims in names:
        count = math.prod(dims)
        weights.append((name, values[at : at + count].reshape(dims)))
        at += count
    image = (n, config["side"], config["side"], config["image"])
    for _ in range(EQUAL_STEPS):
        step = []
        for dims in (image, image, (n,), (n,), (n,)):
            count = math.prod(dims)
            step.append(values[at : at + count].reshape(dims))
            at += count
        given.append(step)
    if at != len(values):
        sys.exit("train_peer.py: %s holds %d numbers, not %d" % (path, len(values), at))
    return weights, given


def equal(name, a):
    """20 steps of both on the same weights and draws. Returns the losses and how far the last ones are apart."""
    torch = rounds.prepare(a)
    config, n = configured(name, a, 0)
    with tempfile.TemporaryDirectory() as folder:
        dump = os.path.join(folder, "given")
        command = [a.equal, "--preset", name, "--batch", str(n), "--steps", str(EQUAL_STEPS), "--device", a.device, "--dtype", a.dtype, "--dump", dump]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        weights, given = read_dump(dump, n, config)
    ours = [float(line.split()[2]) for line in said.splitlines() if line.startswith("loss ")]
    trainer = Trainer(config, a)
    places = trainer.net.in_order()
    if [list(p.shape) for p in places] != [list(w.shape) for _, w in weights]:
        sys.exit("train_peer.py: the parameters of both differ in number or shape")
    with torch.no_grad():
        for p, (name_of_it, w) in zip(places, weights):
            p.copy_(torch.tensor(w) * (2 * math.pi if name_of_it == "map_noise.freqs" else 1))  # freqs are turns there
    theirs = []
    for x0, z, *numbers in given:
        image, noise = (trainer.place(torch.tensor(v).permute(0, 3, 1, 2)) for v in (x0, z))
        theirs.append(float(trainer.step(image, noise, *(torch.tensor(v) for v in numbers))))
    off = abs(theirs[-1] / ours[-1] - 1)
    return {"config": name, "batch": n, "losses": ours, "peer_losses": theirs, "off": off, "equal": off <= EQUAL_TO[a.dtype], **rounds.about(a)}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("configs", nargs="*", help="%s; a and b when none is named" % ", ".join(CONFIGS))
    p.add_argument("--dropout", type=float, help="instead of the recipe's")
    p.add_argument("--slices", action="store_true", help="filter as a sum of shifted slices")
    p.add_argument("--equal", metavar="TRAIN_STEPS", help="the program to train alike with")
    rounds.add_options(p)
    a = p.parse_args()
    unknown = [name for name in a.configs if name not in CONFIGS]
    if unknown:
        p.error("unknown configuration %s; there are %s" % (", ".join(unknown), ", ".join(CONFIGS)))
    rounds.check(p, a)
    if a.equal:
        rows = [equal(name, a) for name in a.configs or ["ict-cifar10-tiny"]]
        print(json.dumps({"peer": "pytorch", "equal": rows}, indent=1))
        sys.exit(not all(row["equal"] for row in rows))
    if a.here:
        print(json.dumps(measure(a.configs[0], a)))
        return

    def row(name):
        def theirs():
            more = (["--slices"] if a.slices else []) + (["--dropout", str(a.dropout)] if a.dropout is not None else [])
            return rounds.peer(__file__, a, name, *more)

        return rounds.beside(name, a, lambda: rounds.ours(a, "train", "--preset", name)[0], theirs) if a.beside else theirs()

    print(json.dumps({"peer": "pytorch", "rows": [row(name) for name in a.configs or ["a", "b"]]}, indent=1))


if __name__ == "__main__":
    main()
