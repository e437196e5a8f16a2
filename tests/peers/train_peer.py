#!/usr/bin/python3
"""The same consistency-training step in PyTorch, for comparing speed and memory (Debian: python3-torch, python3-numpy).

    train_peer.py [a|b|ict-cifar10|ict-imagenet64]... [--seconds S] [--threads T] [--channels-last] [--beside ABLATE] [--rounds N]
    train_peer.py ict-cifar10 --device cuda --dtype bf16 --batch 256 --channels-last --compile [--beside ABLATE]

Builds the configurations of `ablate bench train` (DDPM++, NCSN++ and ADM U-Nets): student forward, teacher forward without
gradients, Pseudo-Huber over the whole image, backward, Adam. Each configuration is measured in a process of its own, so that its
peak memory is its own, with the settings that serve PyTorch best where nothing else is said. On the CPU, in float32: OpenBLAS's
kernels for this processor, memory kept by malloc from step to step. On a GPU: autocast for bf16, cuDNN's own search for the fastest
convolutions, Adam in one kernel, no wait for the device but once in ten steps. Prints one JSON object: per configuration the median
time of a step, images per second and the peak memory (resident set; on a GPU what PyTorch allocated there).

With --beside, `ABLATE bench train` is measured in turn with it, --rounds times each, and a table compares the two.
"""
import argparse
import json
import math
import resource
import statistics
import sys
import time

import rounds

CONFIGS = {
    "a": dict(kind="ddpmpp", side=32, image=1, width=32, mult=(1, 2, 2), blocks=1, attend=(8,), batch=64, parameters=1_259_393),
    "b": dict(kind="ddpmpp", side=32, image=3, width=64, mult=(1, 2, 2), blocks=2, attend=(16,), batch=32, parameters=6_989_891),
    "ict-cifar10": dict(
        kind="ncsnpp", side=32, image=3, width=128, mult=(2, 2, 2), blocks=4, attend=(16,), batch=4, parameters=56_395_523
    ),
    "ict-imagenet64": dict(
        kind="adm", side=64, image=3, width=192, mult=(1, 2, 3, 4), blocks=3, attend=(32, 16, 8), batch=1, classes=1000,
        parameters=295_899_267,
    ),
}
SIGMA_MIN, SIGMA_DATA = 0.002, 0.5


def make_net(config):
    import torch
    from torch import nn
    from torch.nn import functional as F

    adm, residual = config["kind"] == "adm", config["kind"] == "ncsnpp"
    scale = 1.0 if adm else math.sqrt(0.5)

    class Norm(nn.GroupNorm):  # in float32 whatever comes in, as autocast has it on a GPU but not on the CPU
        def forward(self, x):
            return super().forward(x.float())

    def norm(channels):
        return Norm(min(32, channels // 4), channels, eps=1e-5 if adm else 1e-6)

    tap = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    smooth = tap[:, None] * tap[None]

    def filtered_down(x, padding):
        return F.conv2d(x, smooth.expand(x.shape[1], 1, 4, 4), stride=2, padding=padding, groups=x.shape[1])

    def down(x):
        return filtered_down(x, 1) if residual else F.avg_pool2d(x, 2)

    def up(x):
        if not residual:
            return F.interpolate(x, scale_factor=2, mode="nearest")
        x = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
        return x[:, :, 2:-2, 2:-2]  # the same taps, with zeros outside

    class Block(nn.Module):
        def __init__(self, cin, cout, emb, how=None, attend=False):
            super().__init__()
            self.resample = how or (lambda x: x)
            self.norm0, self.conv0 = norm(cin), nn.Conv2d(cin, cout, 3, padding=1)
            self.affine = nn.Linear(emb, 2 * cout if adm else cout)
            self.norm1, self.conv1 = norm(cout), nn.Conv2d(cout, cout, 3, padding=1)
            self.skip = nn.Conv2d(cin, cout, 1) if cin != cout or (how and not adm) else None
            self.heads = (cout // 64 if adm else 1) if attend else 0
            if attend:
                self.norm2, self.qkv, self.proj = norm(cout), nn.Conv2d(cout, 3 * cout, 1), nn.Conv2d(cout, cout, 1)

        def forward(self, x, emb):
            h = self.conv0(self.resample(F.silu(self.norm0(x))))
            e = self.affine(emb)[:, :, None, None]
            if adm:
                by, shift = e.chunk(2, dim=1)
                h = F.silu(torch.addcmul(shift, self.norm1(h), by + 1))
            else:
                h = F.silu(self.norm1(h + e))
            h = self.conv1(h)
            x = self.resample(x)
            x = (h + (self.skip(x) if self.skip else x)) * scale
            if self.heads:
                n, c, rows, cols = x.shape
                wide = c // self.heads
                q, k, v = self.qkv(self.norm2(x)).reshape(n * self.heads, wide, 3, rows * cols).unbind(2)
                w = torch.bmm(q.transpose(1, 2), k / math.sqrt(wide)).softmax(dim=2)
                a = torch.bmm(v, w.transpose(1, 2)).reshape(n, c, rows, cols)
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
                    self.enc.append(Block(c, c, emb, down))
                    kept.append(c)
                    if residual:
                        self.aux[str(len(self.enc) - 1)] = nn.Conv2d(seen, c, 3, padding=2)
                        seen = c
                for _ in range(blocks):
                    self.enc.append(Block(c, width * m, emb, attend=side >> level in attend))
                    c = width * m
                    kept.append(c)
            for level in reversed(range(len(mult))):
                if level == len(mult) - 1:
                    self.add(Block(c, c, emb, attend=True), False)
                    self.add(Block(c, c, emb), False)
                else:
                    self.add(Block(c, c, emb, up), False)
                for i in range(blocks + 1):
                    there = side >> level in attend and (adm or i == blocks)
                    self.add(Block(c + kept.pop(), width * mult[level], emb, attend=there), True)
                    c = width * mult[level]
            self.last_norm, self.last = norm(c), nn.Conv2d(c, image, 3, padding=1)

        def add(self, block, joins):
            self.dec.append(block)
            self.joins.append(joins)

        def forward(self, x, noise, labels):
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

    net = Net(**{k: v for k, v in config.items() if k not in ("kind", "batch", "parameters")})
    count = sum(p.numel() for p in net.parameters())
    if count != config["parameters"]:
        sys.exit("train_peer.py: %d parameters, not %d: this is another network" % (count, config["parameters"]))
    return net


def measure(name, a):
    torch, on_gpu = rounds.prepare(a), a.device != "cpu"
    config = CONFIGS[name]
    n, net = a.batch or config["batch"], make_net(config)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, **({"fused": True} if on_gpu else {}))
    shape = (n, config["image"], config["side"], config["side"])
    image, noise = torch.rand(shape) * 2 - 1, torch.randn(shape)
    classes = config.get("classes")
    labels = torch.nn.functional.one_hot(torch.arange(n) % classes, classes).float() if classes else None
    if a.channels_last:
        net = net.to(memory_format=torch.channels_last)
        image, noise = (x.contiguous(memory_format=torch.channels_last) for x in (image, noise))
    t = torch.exp(torch.linspace(-4, 3, n))
    r = t * 0.9
    c = 0.00054 * math.sqrt(shape[1] * shape[2] * shape[3])
    forward = torch.compile(net) if a.compile else net

    def low(*inputs):
        with rounds.autocast(a):
            return forward(*inputs).float()

    def answer(sigma):
        s = sigma[:, None, None, None]
        root = (s ** 2 + SIGMA_DATA ** 2).sqrt()
        x = image + s * noise
        skip = SIGMA_DATA ** 2 / ((s - SIGMA_MIN) ** 2 + SIGMA_DATA ** 2)
        return skip * x + (s - SIGMA_MIN) * SIGMA_DATA / root * low(x / root, sigma.log() / 4, labels)

    def step():
        student = answer(t)
        with torch.no_grad():
            teacher = answer(r)
        total = ((student - teacher) ** 2).sum(dim=(1, 2, 3))
        loss = ((total / ((total + c ** 2).sqrt() + c)) / (t - r)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    def steps(count):
        for _ in range(count):
            loss = step()
        return float(loss)  # waits for the device

    together = 10 if on_gpu else 1
    times, loss = [], 0.0
    steps(3 if on_gpu else 1)  # compiles, and searches
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
        "parameters": config["parameters"],
        "steps": len(times) * together,
        "step_s": median,
        "step_s_best": min(times),
        "images_per_s": n / median,
        "images_per_s_best": n / min(times),
        "peak_mib": peak / 1048576,
        "loss": loss,
        **rounds.about(a),
    }


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("configs", nargs="*", help="%s; a and b when none is named" % ", ".join(CONFIGS))
    rounds.add_options(p)
    a = p.parse_args()
    unknown = [name for name in a.configs if name not in CONFIGS]
    if unknown:
        p.error("unknown configuration %s; there are %s" % (", ".join(unknown), ", ".join(CONFIGS)))
    rounds.check(p, a)
    if a.here:
        print(json.dumps(measure(a.configs[0], a)))
        return

    def row(name):
        def theirs():
            return rounds.peer(__file__, a, name)

        return rounds.beside(name, a, lambda: rounds.ours(a, "train", "--preset", name)[0], theirs) if a.beside else theirs()

    print(json.dumps({"peer": "pytorch", "rows": [row(name) for name in a.configs or ["a", "b"]]}, indent=1))


if __name__ == "__main__":
    main()
