#!/usr/bin/env python3
"""train_peer.py - the training step that `ablate bench train` measures, in PyTorch on the CPU.

Configurations a and b as in harness/bench_train.c: student forward, teacher forward without gradient, backward, Adam, with
the Pseudo-Huber metric, fp32, NCHW, 2 threads. Prints one JSON object per configuration. Needs Debian's python3-torch.

    tests/peers/train_peer.py [a|b] [STEPS]

"tuned" environment, as a user who knows would set it: OPENBLAS_CORETYPE=SkylakeX MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=34359738368
"""
import json
import math
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

SCALE = math.sqrt(0.5)


def groups(c):
    return min(32, c // 4)


class Block(nn.Module):
    """One residual block: norm, silu, [resample], conv, add embedding, norm, silu, conv, skip, [attention]."""

    def __init__(self, cin, cout, emb, how="same", attend=False):
        super().__init__()
        self.how = how
        self.norm0 = nn.GroupNorm(groups(cin), cin, eps=1e-6)
        self.conv0 = nn.Conv2d(cin, cout, 3, padding=1)
        self.affine = nn.Linear(emb, cout)
        self.norm1 = nn.GroupNorm(groups(cout), cout, eps=1e-6)
        self.conv1 = nn.Conv2d(cout, cout, 3, padding=1)
        self.skip = nn.Conv2d(cin, cout, 1) if cin != cout or how != "same" else None
        self.attend = attend
        if attend:
            self.norm2 = nn.GroupNorm(groups(cout), cout, eps=1e-6)
            self.qkv = nn.Conv2d(cout, 3 * cout, 1)
            self.proj = nn.Conv2d(cout, cout, 1)

    def resample(self, x):
        if self.how == "down":
            return F.avg_pool2d(x, 2)
        if self.how == "up":
            return F.interpolate(x, scale_factor=2, mode="nearest")
        return x

    def forward(self, x, emb):
        h = self.conv0(self.resample(F.silu(self.norm0(x))))
        h = F.silu(self.norm1(h + self.affine(emb)[:, :, None, None]))
        h = self.conv1(h)
        s = self.resample(x)
        h = (h + (self.skip(s) if self.skip is not None else s)) * SCALE
        if self.attend:
            n, c, height, width = h.shape
            q, k, v = self.qkv(self.norm2(h)).reshape(n, c, 3, height * width).unbind(2)
            w = torch.softmax(torch.einsum("ncq,nck->nqk", q, k / math.sqrt(c)), dim=2)
            a = torch.einsum("nqk,nck->ncq", w, v).reshape(n, c, height, width)
            h = (self.proj(a) + h) * SCALE
        return h


class UNet(nn.Module):
    def __init__(self, side, channels, width, mult, blocks, attn):
        super().__init__()
        emb = 4 * width
        self.half = width // 2
        self.map0, self.map1 = nn.Linear(width, emb), nn.Linear(emb, emb)
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.enc, self.dec = nn.ModuleList(), nn.ModuleList()
        c, skips = width, [width]
        for level, m in enumerate(mult):
            if level:
                self.enc.append(Block(c, c, emb, "down"))
                skips.append(c)
            for _ in range(blocks):
                self.enc.append(Block(c, width * m, emb, "same", side >> level == attn))
                c = width * m
                skips.append(c)
        self.mid = nn.ModuleList([Block(c, c, emb, "same", True), Block(c, c, emb)])
        for level in reversed(range(len(mult))):
            if level != len(mult) - 1:
                self.dec.append(Block(c, c, emb, "up"))
            for i in range(blocks + 1):
                last = i == blocks and side >> level == attn
                self.dec.append(Block(c + skips.pop(), width * mult[level], emb, "same", last))
                c = width * mult[level]
        self.norm, self.last = nn.GroupNorm(groups(c), c, eps=1e-6), nn.Conv2d(c, channels, 3, padding=1)

    def forward(self, x, t):
        f = 10000.0 ** (-torch.arange(self.half) / (self.half - 1))
        angle = t[:, None] * f
        e = F.silu(self.map1(F.silu(self.map0(torch.cat([angle.sin(), angle.cos()], 1)))))
        x = self.first(x)
        stack = [x]
        for block in self.enc:
            x = block(x, e)
            stack.append(x)
        for block in self.mid:
            x = block(x, e)
        for block in self.dec:
            x = block(x if block.how == "up" else torch.cat([x, stack.pop()], 1), e)
        return self.last(F.silu(self.norm(x)))


CONFIGS = {"a": (dict(side=32, channels=1, width=32, mult=[1, 2, 2], blocks=1, attn=8), 64),
           "b": (dict(side=32, channels=3, width=64, mult=[1, 2, 2], blocks=2, attn=16), 32)}


def denoise(net, x, sigma, sd=0.5, lo=0.002):
    root = math.sqrt(sigma * sigma + sd * sd)
    skip, out = sd * sd / ((sigma - lo) ** 2 + sd * sd), (sigma - lo) * sd / root
    return skip * x + out * net(x / root, torch.full((x.shape[0],), 0.25 * math.log(sigma)))


def measure(name, steps):
    shape, batch = CONFIGS[name]
    net = UNet(**shape)
    optim = torch.optim.Adam(net.parameters(), lr=1e-4)
    x0, z = torch.randn(batch, shape["channels"], 32, 32), torch.randn(batch, shape["channels"], 32, 32)
    times = []
    for i in range(steps + 1):
        start = time.perf_counter()
        student = denoise(net, x0 + 1.5 * z, 1.5)
        with torch.no_grad():
            teacher = denoise(net, x0 + 1.2 * z, 1.2)
        s = ((student - teacher) ** 2).sum((1, 2, 3))
        loss = (3 * (torch.sqrt(s + 0.03 ** 2) - 0.03)).mean()
        optim.zero_grad(set_to_none=True)
        loss.backward()
        optim.step()
        if i:
            times.append(time.perf_counter() - start)
    step = statistics.median(times)
    print(json.dumps({"config": name, "torch": torch.__version__, "threads": torch.get_num_threads(), "batch": batch,
                      "parameters": sum(p.numel() for p in net.parameters()), "step_s": step, "images_per_s": batch / step,
                      "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(2)
    torch.manual_seed(1)
    for which in [sys.argv[1]] if len(sys.argv) > 1 else CONFIGS:
        measure(which, int(sys.argv[2]) if len(sys.argv) > 2 else 7)
