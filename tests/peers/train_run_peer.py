#!/usr/bin/python3
"""Whole trainings of small cells in PyTorch, in double, for tests/model/train/test_train_parity.c (tests/peers/requirements.txt).

    train_run_peer.py FOLDER       writes FOLDER/NAME.safetensors for each cell of CELLS, and prints what float32 would change

Written from the definitions: the papers that model/README.md names, its page for networks and formulas, and model/base/rng.h for random
numbers. Everything that a training draws is drawn here anew. PyTorch has the networks' layers, their gradients, Adam and RAdam.

A file holds a cell's settings as metadata, the loss, gradient norm and N of each step, and after some steps, as KEY@STEP, digests of
the student, ema and teacher (STEP 0: of the initial weights): of the change since step 0, per parameter in the order of the field's
state dicts, the first values, the length, and sums of products with formulas. And samples: answers of one
evaluation, and what is cut off to make bytes, after one and two evaluations.
"""
import math
import statistics
import sys

import nets
import numpy as np
from train_run_numbers import *

COMMON = {
    "data.name": "cifar10@8", "net.channels": 8, "net.mult": [1, 2], "net.blocks": 1, "train.batch": 8, "train.steps": 20,
    "optim.beta1": 0.9, "optim.beta2": 0.999, "optim.eps": 1e-8, "noise.mean": -1.1, "noise.std": 2, "sigma.rho": 7,
    "sample.weights": "ema", "sigma.grid": "double", "net.patch": 1, "train.dtype": "fp32",
}
CELLS = {
    # improved consistency training: N is 11, 21 and 41
    "ict": {
        "method.kind": "ct", "net.kind": "ncsnpp", "net.attn": [4], "net.classes": 0, "net.dropout": 0.3, "net.fourier_scale": 0.02,
        "data.flip": True, "disc.kind": "exp", "disc.s0": 10, "disc.s1": 40, "noise.dist": "lognormal", "loss.kind": "pseudo-huber",
        "loss.c": 0.00054 * math.sqrt(SIDE * SIDE * CHANNELS), "weight.kind": "inverse-gap", "teacher.ema": 0,
        "teacher.shared_dropout": True, "optim.kind": "radam", "optim.lr": 0.03, "ema.decay": 0.9, "precond.kind": "cm",
        "precond.time_scale": 0.25, "sigma.min": 0.002, "sigma.max": 80, "sigma.data": 0.5, "sample.clip": True,
        "sample.quantize": "round", "sample.sigma_mid": 0.821,
    },
    # consistency training as first published, conditional; noise levels such that sampling clips and sigma.min shows
    "ct": {
        "method.kind": "ct", "net.kind": "adm", "net.attn": [], "net.classes": CLASSES, "net.dropout": 0.2, "net.fourier_scale": 0.02,
        "data.flip": False, "disc.kind": "sqrt", "disc.s0": 2, "disc.s1": 12, "noise.dist": "uniform", "loss.kind": "l2",
        "loss.reduce": "mean", "weight.kind": "snr+1", "teacher.ema": "schedule", "teacher.mu0": 0.9, "teacher.mu_exponent": "n-1",
        "teacher.shared_dropout": True, "optim.kind": "adam", "optim.lr": 0.002, "ema.decay": 0.95, "precond.kind": "cm",
        "precond.time_scale": 250, "sigma.min": 0.1, "sigma.max": 3, "sigma.data": 2, "sample.clip": True,
        "sample.quantize": "truncate", "sample.sigma_mid": 0.2,
    },
    # easy consistency tuning, in stages of 7 steps; noise levels such that samples are beyond -1 and 1, and sampling's sigma.min shows
    "ect": {
        "method.kind": "ect", "net.kind": "ddpmpp", "net.attn": [8], "net.classes": CLASSES, "net.dropout": 0.2, "net.fourier_scale": 0.02,
        "data.flip": True, "ect.q": 2, "ect.k": 8, "ect.b": 1, "ect.stage_steps": 7, "noise.dist": "lognormal",
        "loss.kind": "pseudo-huber", "loss.c": 0, "weight.kind": "inverse-gap", "teacher.ema": 0.5, "teacher.shared_dropout": False,
        "optim.kind": "radam", "optim.lr": 0.03, "ema.decay": 0.8, "precond.kind": "edm", "precond.time_scale": 0.25,
        "sigma.min": 0.02, "sigma.max": 1.5, "sigma.data": 1, "sample.clip": False, "sample.quantize": "round",
        "sample.sigma_mid": 0.1,
    },
    # continuous-time consistency training: the tangent comes in over 10 steps, the weight is learned
    "sct": {
        "method.kind": "sct", "net.kind": "ddpmpp", "net.attn": [4], "net.classes": 0, "net.dropout": 0.2, "net.fourier_scale": 0.02,
        "data.flip": True, "noise.mean": -1, "noise.std": 1.4, "noise.dist": "lognormal", "loss.kind": "l2", "loss.reduce": "mean",
        "weight.kind": "learned", "tangent.c": 0.1, "tangent.warmup": 10, "teacher.ema": 0, "optim.kind": "adam", "optim.lr": 0.002,
        "ema.decay": 0.9, "precond.kind": "trigflow", "precond.time_scale": 1, "sigma.min": 0, "sigma.max": 80, "sigma.data": 0.5,
        "sample.clip": True, "sample.quantize": "round", "sample.sigma_mid": 0.9824,
    },
    # consistency distillation by Heun's steps from a network that the student starts as; samples of the student's own weights
    "cd": {
        "method.kind": "cd", "cd.solver": "heun", "cd.teacher": "weights", "net.init": "weights", "net.kind": "adm", "net.attn": [],
        "net.classes": 0, "net.dropout": 0.1, "net.dropout_at": 4, "net.scale_shift": False, "net.fourier_scale": 0.02,
        "data.flip": False, "disc.kind": "constant", "disc.s0": 12, "noise.dist": "uniform", "loss.kind": "l2",
        "loss.reduce": "sum", "weight.kind": "snr-pk", "teacher.ema": 0, "teacher.shared_dropout": True, "optim.kind": "adam",
        "optim.lr": 0.0005, "ema.decay": 0.9, "precond.kind": "cm", "precond.time_scale": 0.25, "sigma.min": 0.1, "sigma.max": 20,
        "sigma.data": 0.5, "sample.clip": True, "sample.quantize": "truncate", "sample.sigma_mid": 0.5, "sample.weights": "student",
    },
}

def weights_of_a_file(net):
    """Values of each parameter, as the test writes them into a file: a diffusion network's, as far as training by it goes."""
    found = []
    for role, layer in net.layers():
        for name, p in layer.named_parameters():
            u = formula_u("train_run/weights/%d" % len(found), p.numel())
            if p.dim() > 1:
                found.append(np.float32(u * math.sqrt(3 / p[0].numel())))
            else:
                found.append(np.float32((1 if role == "norm" and name == "weight" else 0) + 0.1 * u))
    return found


# ---- the method


def sigma_at(c, n, i):
    low, high = (c[key] ** (1 / c["sigma.rho"]) for key in ("sigma.min", "sigma.max"))
    return (low + i / (n - 1) * (high - low)) ** c["sigma.rho"]


def points(c, k):
    s0, s1, steps = c["disc.s0"], c.get("disc.s1"), c["train.steps"]
    if c["disc.kind"] == "constant":
        return s0 + 1
    if c["disc.kind"] == "exp":
        length = math.floor(steps / (math.log2(s1 // s0) + 1))
        return min(s0 * 2 ** (k // length), s1) + 1
    return max(math.ceil(math.sqrt(k / steps * ((s1 + 1) ** 2 - s0**2) + s0**2) - 1), 1) + 1


def teacher_decay(c, k):
    if c["teacher.ema"] != "schedule":
        return c["teacher.ema"]
    return math.exp(c["disc.s0"] * math.log(c["teacher.mu0"]) / (points(c, k) - 1))


def noise_levels(c, k, n):
    """N (0: there is none), and for each sample the student's and the teacher's noise level."""
    u = uniform_double(SEED, SIGMA, k, 0, n)
    if c["method.kind"] == "ect":
        t = np.array([math.exp(c["noise.mean"] + c["noise.std"] * statistics.NormalDist().inv_cdf(x)) for x in u])
        sigmoid = 1 / (1 + np.exp(c["ect.b"] * t))
        gap = (1 + c["ect.k"] * sigmoid) / c["ect.q"] ** (k // c["ect.stage_steps"] + 1)
        return 0, t, np.maximum(t * (1 - gap), 0)
    count = points(c, k)
    grid = np.array([sigma_at(c, count, i) for i in range(count)])
    if c["noise.dist"] == "lognormal":
        phi = np.array([math.erf((math.log(s) - c["noise.mean"]) / (math.sqrt(2) * c["noise.std"])) for s in grid])
        mass = np.diff(phi)
    else:
        mass = np.ones(count - 1)
    index = np.searchsorted(np.cumsum(mass) / mass.sum(), u, side="right")
    return count, grid[index + 1], grid[index]


def weights_of(c, t, r):
    data = c["sigma.data"]
    return {"inverse-gap": 1 / (t - r), "snr+1": 1 / t**2 + 1, "snr-pk": (t**2 + data**2) / (t * data) ** 2}[c["weight.kind"]]


class Cell:
    def __init__(self, c, dtype):
        import torch

        torch.set_default_dtype(dtype)
        self.torch, self.c, self.dtype = torch, c, dtype
        config = dict(
            kind=c["net.kind"], side=SIDE, image=CHANNELS, width=c["net.channels"], mult=c["net.mult"], blocks=c["net.blocks"],
            attend=c["net.attn"], classes=c["net.classes"], dropout=c["net.dropout"], dropout_at=c.get("net.dropout_at", SIDE),
            scale_shift=c.get("net.scale_shift", True), weight_head=c["weight.kind"] == "learned",
        )
        self.net, self.ema, self.teacher, self.diffusion = (nets.make_net(config) for _ in range(4))
        self.initialise()
        self.images, self.labels = pictures()
        parameters = list(self.net.parameters())
        kind = torch.optim.RAdam if c["optim.kind"] == "radam" else torch.optim.Adam
        self.optimizer = kind(parameters, lr=c["optim.lr"], betas=(c["optim.beta1"], c["optim.beta2"]), eps=c["optim.eps"])
        self.out = {"given": [SEED, SAMPLES_SEED, FIRST_SAMPLE, N_SAMPLES], "loss": [], "grad_norm": [], "n": []}

    def tensor(self, x):
        return self.torch.tensor(np.ascontiguousarray(x), dtype=self.dtype)

    def initialise(self):
        """All networks alike; every value is a number of float32."""
        adm, at, found = self.c["net.kind"] == "adm", 0, []
        if self.c["net.kind"] == "ncsnpp":
            freqs = normal(SEED, INIT, at, 0, self.net.freqs.numel()) * self.c["net.fourier_scale"]
            found, at = [np.float32(freqs)], 1
        for role, layer in self.net.layers():
            fan_out, fan_in = layer.weight.shape[0], layer.weight[0].numel()
            if layer.weight.dim() == 4:
                fan_out *= layer.weight[0, 0].numel()
            bound = 1 / math.sqrt(fan_in) if adm else math.sqrt(6 / (fan_in + fan_out))
            bound *= {"last": 0 if adm else 1e-5, "qkv": 1 if adm else math.sqrt(0.2), "zero": 0}.get(role, 1)
            for name, p in layer.named_parameters():
                n, weight = p.numel(), name == "weight"
                if role == "norm":
                    values = np.full(n, 1.0 if weight else 0.0)
                elif role == "label":
                    values = normal(SEED, INIT, at, 0, n)
                elif weight or adm:
                    values = (2 * uniform_double(SEED, INIT, at, 0, n) - 1) * bound
                else:
                    values = np.zeros(n)
                found.append(np.float32(values))
                at += 1
        if self.c.get("net.init"):
            found = weights_of_a_file(self.net)
        self.start = [values.astype(np.float64) for values in found]
        for net in (self.net, self.ema, self.teacher, self.diffusion):
            with self.torch.no_grad():
                for p, values in zip(net.in_order(), self.start):
                    p.copy_(self.tensor(values.reshape(p.shape)))
                if self.c["net.kind"] == "ncsnpp":
                    net.freqs *= 2 * math.pi

    def mask_with(self, net, k, first_layer):
        """Inverted dropout by masks of step k, numbered from first_layer in the order of use; k None: none."""
        p, blocks = self.c["net.dropout"], [block for block in [*net.enc, *net.dec] if block.dropout]
        for number, block in enumerate(blocks):

            def drop(h, _, layer=DROPOUT + first_layer + number):
                if k is None:
                    return h
                n, ch, rows, cols = h.shape
                keep = uniform(SEED, layer, k, 0, h.numel()) >= p
                return h * self.tensor(keep.reshape(n, rows, cols, ch).transpose(0, 3, 1, 2) / (1 - p))

            block.drop = drop
        return len(blocks)

    def answer(self, net, x, sigma, labels, precond):
        """D(x, sigma) of each sample; at sigma 0 the picture itself."""
        c, data = self.c, self.c["sigma.data"]
        low = c["sigma.min"] if precond == "cm" else 0
        if precond == "trigflow":
            return self.trigflow_answer(net, x, sigma, labels)
        root = np.sqrt(sigma**2 + data**2)
        skip, out = data**2 / ((sigma - low) ** 2 + data**2), (sigma - low) * data / root
        time = c["precond.time_scale"] * np.log(np.where(sigma > 0, sigma, 1))
        skip, out, into = (self.tensor(v)[:, None, None, None] for v in (skip, out, 1 / root))
        return skip * x + out * net(into * x, self.tensor(time), labels)

    def trigflow_answer(self, net, x, sigma, labels):
        """cos t x_t - sin t d F(x_t / d, t) with t = arctan(sigma / d) and x_t = cos t x, d the data's deviation."""
        data = self.c["sigma.data"]
        t = self.tensor(np.arctan(sigma / data))
        cos, sin = t.cos()[:, None, None, None], t.sin()[:, None, None, None]
        return cos * (cos * x) - sin * data * net(cos * x / data, self.c["precond.time_scale"] * t, labels)

    def continuous(self, x, z, labels, k):
        """Per sample, the loss of sCT (arXiv:2410.11081, algorithm 1); its learned weight is part of it."""
        torch, c, data = self.torch, self.c, self.c["sigma.data"]
        u = uniform_double(SEED, SIGMA, k, 0, len(x))
        sigma = np.array([math.exp(c["noise.mean"] + c["noise.std"] * statistics.NormalDist().inv_cdf(v)) for v in u])
        t = self.tensor(np.arctan(sigma / data))
        cos, sin, z = t.cos()[:, None, None, None], t.sin()[:, None, None, None], data * z
        x_t, velocity = cos * x + sin * z, cos * z - sin * x
        scale = c["precond.time_scale"]
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):  # the others have no forward mode
            f, change = torch.func.jvp(
                lambda at, noise: self.net(at / data, scale * noise, labels), (x_t, t), (cos * sin * velocity, t.cos() * t.sin())
            )
        still, change, warm = f.detach(), change.detach(), min(1, k / c["tangent.warmup"])
        g = -(cos**2) * (data * still - velocity) - warm * (cos * sin * x_t + data * change)
        g = g / ((g**2).sum(dim=(1, 2, 3), keepdim=True).sqrt() + c["tangent.c"])
        weight = self.net.weight_of(scale * t)
        return weight.exp() * ((f - still - g) ** 2).mean(dim=(1, 2, 3)) - weight

    def ode_step(self, x, t, r, labels):
        """From noise t to r along dx/ds = (x - D(x, s)) / s of the diffusion network, by Heun's method."""
        self.mask_with(self.diffusion, None, 0)
        wide_t, wide_r = (self.tensor(v)[:, None, None, None] for v in (t, r))
        slope = (x - self.answer(self.diffusion, x, t, labels, "edm")) / wide_t
        euler = x + (wide_r - wide_t) * slope
        there = (euler - self.answer(self.diffusion, euler, r, labels, "edm")) / wide_r
        return x + (wide_r - wide_t) * (slope + there) / 2

    def one_hot(self, labels):
        return self.tensor(np.eye(CLASSES)[labels]) if self.c["net.classes"] else None

    def batch(self, k):
        n, size = self.c["train.batch"], len(self.images)
        flips = uniform(SEED, FLIP, k, 0, n) < 0.5
        chosen = [permuted((k * n + i) % size, size, SEED, ORDER, (k * n + i) // size) for i in range(n)]
        x = self.images[chosen] * (2 / 255) - 1
        if self.c["data.flip"]:
            x = np.where(flips[:, None, None, None], x[..., ::-1], x)
        z = normal(SEED, NOISE, k, 0, n * SIDE * SIDE * CHANNELS).reshape(n, SIDE, SIDE, CHANNELS).transpose(0, 3, 1, 2)
        return self.tensor(x), self.tensor(z), self.one_hot(self.labels[chosen])

    def pair(self, x, z, labels, k):
        """N, and per sample the weighted distance between student and teacher at neighbouring noise levels."""
        torch, c = self.torch, self.c
        count, t, r = noise_levels(c, k, len(x))
        own = self.teacher if c["teacher.ema"] else self.net
        layers = self.mask_with(self.net, k, 0)
        noisy = x + self.tensor(t)[:, None, None, None] * z
        student = self.answer(self.net, noisy, t, labels, c["precond.kind"])
        self.mask_with(own, k, 0 if c["teacher.shared_dropout"] else layers)
        with torch.no_grad():
            if c["method.kind"] == "cd":
                less = self.ode_step(noisy, t, r, labels)
            else:
                less = x + self.tensor(r)[:, None, None, None] * z
            target = self.answer(own, less, r, labels, c["precond.kind"])
        error = ((student - target) ** 2).sum(dim=(1, 2, 3))
        if c["loss.kind"] == "pseudo-huber":
            far = error / ((error + c["loss.c"] ** 2).sqrt() + c["loss.c"])
        else:
            far = error / (x[0].numel() if c["loss.reduce"] == "mean" else 1)
        return count, far * self.tensor(weights_of(c, t, r))

    def step(self, k):
        torch, c = self.torch, self.c
        x, z, labels = self.batch(k)
        if c["method.kind"] == "sct":
            self.mask_with(self.net, k, 0)
            count, far = 0, self.continuous(x, z, labels, k)
        else:
            count, far = self.pair(x, z, labels, k)
        loss = far.mean()
        self.optimizer.zero_grad()
        loss.backward()
        squares = sum(float((p.grad.double() ** 2).sum()) for p in self.net.parameters() if p.grad is not None)
        self.optimizer.step()
        with torch.no_grad():
            for net, decay in ((self.ema, c["ema.decay"]), (self.teacher, teacher_decay(c, k))):
                for a, p in zip(net.parameters(), self.net.parameters()):
                    a.copy_(decay * a + (1 - decay) * p)
        for key, value in (("loss", float(loss.detach())), ("grad_norm", math.sqrt(squares)), ("n", count)):
            self.out[key].append(value)

    def digest(self, name, net):
        """Of initial values where net is None, else of what has changed since."""
        changes = self.start
        if net is not None:
            changes = [p.detach().double().numpy().reshape(-1) for p in net.in_order()]
            if self.c["net.kind"] == "ncsnpp":
                changes[0] = changes[0] / (2 * math.pi)
            changes = [p - s for p, s in zip(changes, self.start)]
        first = np.zeros((len(changes), FIRST_VALUES))
        for i, change in enumerate(changes):
            first[i, : len(change)] = change[:FIRST_VALUES]
        self.out["first." + name] = np.float32(first)
        self.out["length." + name] = np.float32([math.sqrt((v**2).sum()) for v in changes])
        probes = [[(v * formula_u("train_run/probe/%d/%d" % (p, i), len(v))).sum() for p in range(PROBES)] for i, v in enumerate(changes)]
        self.out["probe." + name] = np.float32(probes)

    def sample(self, step):
        c, n, size = self.c, N_SAMPLES, SIDE * SIDE * CHANNELS
        net = {"ema": self.ema, "student": self.net}[c["sample.weights"]]
        self.mask_with(net, None, 0)
        latent = [
            np.stack([normal(SAMPLES_SEED, LATENT, turn, i * ((size + 3) // 4 * 4), size) for i in range(FIRST_SAMPLE, FIRST_SAMPLE + n)])
            .reshape(n, SIDE, SIDE, CHANNELS)
            .transpose(0, 3, 1, 2)
            for turn in (0, 1)
        ]
        drawn = uniform_double(SAMPLES_SEED, LABEL, 0, FIRST_SAMPLE, n) * CLASSES
        labels = self.one_hot(np.floor(drawn).astype(int))
        x, spread = self.tensor(c["sigma.max"] * latent[0]), math.sqrt(c["sample.sigma_mid"] ** 2 - c["sigma.min"] ** 2)
        for turn, sigma in enumerate((c["sigma.max"], c["sample.sigma_mid"])):
            with self.torch.no_grad():
                x = self.answer(net, x, np.full(n, float(sigma)), labels, "trigflow" if c["precond.kind"] == "trigflow" else "cm")
            if c["sample.clip"]:
                x = x.clamp(-1, 1)
            at = x.double().numpy().transpose(0, 2, 3, 1)
            if turn == 0:
                self.out["answer@%d" % step] = np.float32(at)
            level = at * 127.5 + 128 if c["sample.quantize"] == "round" else (at + 1) / 2 * 255
            self.out["level%d@%d" % (turn + 1, step)] = np.float32(np.clip(level, 0, 255.5))
            x = x + self.tensor(spread * latent[1])

    def run(self):
        self.digest("initial@0", None)
        for k in range(self.c["train.steps"]):
            self.step(k)
            if k + 1 in STOPS:
                for name, net in (("student", self.net), ("ema", self.ema)) + ((("teacher", self.teacher),) if self.c["teacher.ema"] else ()):
                    self.digest("%s@%d" % (name, k + 1), net)
                self.sample(k + 1)
        return {key: np.asarray(v, dtype=np.float64) if isinstance(v, list) else v for key, v in self.out.items()}


def main():
    try:
        import torch
    except ImportError as e:
        sys.exit("train_run_peer.py: %s (pip install -r tests/peers/requirements.txt)" % e)
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    check_random()
    for name, own in CELLS.items():
        c = {**COMMON, **own}
        tensors = Cell(c, torch.float64).run()
        write("%s/%s.safetensors" % (sys.argv[1], name), c, tensors)
        for row, value in deviations(Cell(c, torch.float32).run(), tensors).items():
            print("%-6s %-36s %.1e" % (name, row, value))
        print("%-6s losses %s" % (name, " ".join("%.4g" % v for v in tensors["loss"])))


if __name__ == "__main__":
    main()
