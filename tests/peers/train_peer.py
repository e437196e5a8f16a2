#!/usr/bin/python3
"""The same consistency-training step in PyTorch, for comparing speed and memory (Debian: python3-torch, python3-numpy).

    train_peer.py [a|b]... [--seconds S] [--threads T]

Builds the configurations of `ablate bench train`: a DDPM++ U-Net, student forward, teacher forward without gradients,
Pseudo-Huber over the whole image, backward, Adam; float32 on the CPU, NCHW. Each configuration is measured in a process
of its own, so that its peak memory is its own. Prints one JSON object: per configuration the median time of a step,
images per second and the peak resident set.
"""
import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time

CONFIGS = {
    "a": dict(side=32, image=1, width=32, mult=(1, 2, 2), blocks=1, attend=(8,), batch=64),
    "b": dict(side=32, image=3, width=64, mult=(1, 2, 2), blocks=2, attend=(16,), batch=32),
}
SIGMA_MIN, SIGMA_DATA = 0.002, 0.5


def make_net(config):
    import torch
    from torch import nn
    from torch.nn import functional as F

    half = math.sqrt(0.5)

    def norm(channels):
        return nn.GroupNorm(min(32, channels // 4), channels, eps=1e-6)

    class Block(nn.Module):
        def __init__(self, cin, cout, emb, how=None, attend=False):
            super().__init__()
            self.how = how
            self.norm0, self.conv0 = norm(cin), nn.Conv2d(cin, cout, 3, padding=1)
            self.affine = nn.Linear(emb, cout)
            self.norm1, self.conv1 = norm(cout), nn.Conv2d(cout, cout, 3, padding=1)
            self.skip = nn.Conv2d(cin, cout, 1) if how or cin != cout else None
            self.attend = attend
            if attend:
                self.norm2, self.qkv, self.proj = norm(cout), nn.Conv2d(cout, 3 * cout, 1), nn.Conv2d(cout, cout, 1)

        def resample(self, x):
            if self.how == "down":
                return F.avg_pool2d(x, 2)
            return F.interpolate(x, scale_factor=2, mode="nearest") if self.how == "up" else x

        def forward(self, x, emb):
            h = self.conv0(self.resample(F.silu(self.norm0(x))))
            h = F.silu(self.norm1(h + self.affine(emb)[:, :, None, None]))
            h = self.conv1(h)
            x = self.resample(x)
            x = (h + (self.skip(x) if self.skip else x)) * half
            if self.attend:
                n, c, rows, cols = x.shape
                q, k, v = self.qkv(self.norm2(x)).reshape(n, c, 3, rows * cols).unbind(2)
                w = torch.bmm(q.transpose(1, 2), k / math.sqrt(c)).softmax(dim=2)
                a = torch.bmm(v, w.transpose(1, 2)).reshape(n, c, rows, cols)
                x = (x + self.proj(a)) * half
            return x

    class Net(nn.Module):
        def __init__(self, side, image, width, mult, blocks, attend, batch):
            super().__init__()
            emb = 4 * width
            self.register_buffer("freqs", 10000.0 ** (-torch.arange(width // 2) / (width // 2 - 1)))
            self.map0, self.map1 = nn.Linear(width, emb), nn.Linear(emb, emb)
            self.first = nn.Conv2d(image, width, 3, padding=1)
            self.enc, self.dec = nn.ModuleList(), nn.ModuleList()
            self.joins = []
            c, kept = width, [width]
            for level, m in enumerate(mult):
                if level:
                    self.enc.append(Block(c, c, emb, "down"))
                    kept.append(c)
                for _ in range(blocks):
                    self.enc.append(Block(c, width * m, emb, attend=side >> level in attend))
                    c = width * m
                    kept.append(c)
            for level in reversed(range(len(mult))):
                if level == len(mult) - 1:
                    self.add(Block(c, c, emb, attend=True), False)
                    self.add(Block(c, c, emb), False)
                else:
                    self.add(Block(c, c, emb, "up"), False)
                for i in range(blocks + 1):
                    self.add(Block(c + kept.pop(), width * mult[level], emb, attend=i == blocks and side >> level in attend), True)
                    c = width * mult[level]
            self.last_norm, self.last = norm(c), nn.Conv2d(c, image, 3, padding=1)

        def add(self, block, joins):
            self.dec.append(block)
            self.joins.append(joins)

        def forward(self, x, noise):
            angle = noise[:, None] * self.freqs[None]
            emb = F.silu(self.map0(torch.cat([angle.sin(), angle.cos()], dim=1)))
            emb = F.silu(self.map1(emb))
            x = self.first(x)
            kept = [x]
            for block in self.enc:
                x = block(x, emb)
                kept.append(x)
            for block, joins in zip(self.dec, self.joins):
                x = block(torch.cat([x, kept.pop()], dim=1) if joins else x, emb)
            return self.last(F.silu(self.last_norm(x)))

    return Net(**config)


def measure(name, seconds, threads):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    config = CONFIGS[name]
    n, net = config["batch"], make_net(config)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
    shape = (n, config["image"], config["side"], config["side"])
    image, noise = torch.rand(shape) * 2 - 1, torch.randn(shape)
    t = torch.exp(torch.linspace(-4, 3, n))
    r = t * 0.9
    c = 0.00054 * math.sqrt(shape[1] * shape[2] * shape[3])

    def answer(sigma):
        s = sigma[:, None, None, None]
        root = (s ** 2 + SIGMA_DATA ** 2).sqrt()
        x = image + s * noise
        skip = SIGMA_DATA ** 2 / ((s - SIGMA_MIN) ** 2 + SIGMA_DATA ** 2)
        return skip * x + (s - SIGMA_MIN) * SIGMA_DATA / root * net(x / root, sigma.log() / 4)

    def step():
        student = answer(t)
        with torch.no_grad():
            teacher = answer(r)
        total = ((student - teacher) ** 2).sum(dim=(1, 2, 3))
        loss = ((total / ((total + c ** 2).sqrt() + c)) / (t - r)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    times, loss = [], 0.0
    step(), step()
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 3:
        start = time.monotonic()
        loss = step()
        times.append(time.monotonic() - start)
    median = statistics.median(times)
    return {
        "config": name,
        "batch": n,
        "threads": threads,
        "parameters": sum(p.numel() for p in net.parameters()),
        "steps": len(times),
        "step_s": median,
        "step_s_best": min(times),
        "images_per_s": n / median,
        "images_per_s_best": n / min(times),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "loss": loss,
        "torch": torch.__version__,
    }


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("configs", nargs="*", help="a, b; both when none is named")
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    unknown = [name for name in a.configs if name not in CONFIGS]
    if unknown:
        p.error("unknown configuration %s; there are %s" % (", ".join(unknown), ", ".join(CONFIGS)))
    try:
        import torch  # noqa: F401
    except ImportError as e:
        sys.exit("train_peer.py: %s (Debian: apt-get install python3-torch python3-numpy)" % e)
    if a.here:
        print(json.dumps(measure(a.configs[0], a.seconds, a.threads)))
        return
    rows = []
    for name in a.configs or CONFIGS:
        command = [sys.executable, __file__, name, "--here", "--seconds", str(a.seconds), "--threads", str(a.threads)]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    print(json.dumps({"peer": "pytorch", "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
