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

import nets
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
SIGMA_MIN, SIGMA_DATA = 0.002, 0.5
EQUAL_STEPS, EQUAL_TO = 20, {"fp32": 1e-4, "tf32": 0.01, "bf16": 0.01}


def huber_c(config):
    return 0.00054 * math.sqrt(config["image"] * config["side"] ** 2)


class Trainer:
    """A network, its optimizer and its step."""

    def __init__(self, config, a):
        import torch

        self.a, self.c, self.on_gpu = a, huber_c(config), a.device != "cpu"
        self.net = nets.make_net(config, a.slices)
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
