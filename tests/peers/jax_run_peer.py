#!/usr/bin/python3
"""Whole trainings of small cells in JAX, in double, for tests/model/train/test_train_parity.c (tests/peers/jax_requirements.txt): the methods
after iCT, beside train_run_peer.py, whose page is the format's.

    jax_run_peer.py FOLDER [CELL]...   writes FOLDER/CELL.safetensors for each cell of CELLS, and prints what float32 would change

A FOLDER that has sct.safetensors, PyTorch's, is told how far JAX ends from it: two frameworks' forward modes of one network.

Written from the papers' formulas as model/METHODS.md and model/README.md have them. JAX has the convolutions, reverse mode (jax.grad) and forward
mode (jax.jvp); optimizers, averages and everything that is drawn are written out here.
"""
import math
import os
import statistics
import sys

import numpy as np
from train_run_numbers import *

COMMON = {
    "data.name": "cifar10@8", "net.kind": "ddpmpp", "net.channels": 8, "net.mult": [1, 2], "net.blocks": 1, "net.attn": [4], "net.classes": 0,
    "net.dropout": 0.2, "data.flip": True, "train.batch": 8, "train.steps": 20, "optim.beta1": 0.9, "optim.beta2": 0.999, "optim.eps": 1e-8,
    "noise.mean": -1.1, "noise.std": 2, "noise.dist": "lognormal", "sigma.rho": 7, "teacher.ema": 0, "teacher.shared_dropout": True,
    "precond.time_scale": 0.25, "sigma.data": 0.5, "sample.weights": "ema", "sample.quantize": "round", "sample.clip": True,
}
CELLS = {
    # mean velocities; the weight follows the distance
    "meanflow": {
        "method.kind": "meanflow", "precond.kind": "flow", "precond.time_scale": 1, "loss.kind": "l2", "loss.reduce": "sum",
        "weight.kind": "adaptive", "weight.p": 0.75, "weight.eps": 1e-3, "meanflow.share": 0.75, "noise.mean": -2, "optim.kind": "adam",
        "optim.lr": 0.002, "ema.decay": 0.9, "sigma.min": 0, "sigma.max": 1e8,
    },
    # ECT for 10 steps, then high noise levels with its average's answers below 0.6
    "tcm": {
        "method.kind": "tcm", "precond.kind": "edm", "loss.kind": "pseudo-huber", "loss.c": 0.03, "weight.kind": "inverse-gap",
        "ect.q": 2, "ect.k": 8, "ect.b": 1, "ect.stage_steps": 4, "ect.ratio_max": 0.9, "tcm.first": 0.5, "tcm.ema": 0.7, "tcm.lr": 0.02,
        "tcm.split": 0.6, "tcm.share": 0.25, "tcm.weight": 0.3, "tcm.df": 0.5, "tcm.scale": 0.4, "optim.kind": "radam", "optim.lr": 0.03,
        "ema.decay": 0.8, "sigma.min": 0.02, "sigma.max": 5, "sample.clip": False, "sample.sigma_mid": 0.7,
    },
    # ECT's levels; the target begins at the mean of 12 pictures of the sample's class and its own
    "references": {
        "method.kind": "ect", "net.classes": CLASSES, "precond.kind": "edm", "loss.kind": "pseudo-huber", "loss.c": 0.03,
        "weight.kind": "inverse-gap", "ect.q": 2, "ect.k": 8, "ect.b": 1, "ect.stage_steps": 7, "target.references": 12, "optim.kind": "radam",
        "optim.lr": 0.03, "ema.decay": 0.8, "noise.mean": 0.5, "noise.std": 1, "sigma.min": 0.02, "sigma.max": 20, "sample.sigma_mid": 0.5,
    },
    # iCT's levels; half of the pictures are an average's answers, pictures and noise are paired, Cauchy's loss with a falling c
    "coupling": {
        "method.kind": "ct", "precond.kind": "cm", "disc.kind": "exp", "disc.s0": 10, "disc.s1": 40, "loss.kind": "cauchy", "loss.c": 0.3,
        "loss.c_schedule": "slct-relative", "loss.reduce": "sum", "weight.kind": "inverse-gap", "noise.pairing": "transport",
        "coupling.generator_share": 0.5, "coupling.ema": 0.7, "optim.kind": "adam", "optim.lr": 0.002, "ema.decay": 0.9, "sigma.min": 0.002,
        "sigma.max": 80, "sample.sigma_mid": 0.821,
    },
    # CT on a grid of infinitely many levels: a cut law, the grid's weight
    "ct-continuous": {
        "method.kind": "ct-continuous", "precond.kind": "cm", "loss.kind": "pseudo-huber", "loss.c": 0.4, "weight.kind": "uniform",
        "optim.kind": "adam", "optim.lr": 0.0005, "ema.decay": 0.9, "noise.mean": 0.3, "noise.std": 1.2, "sigma.min": 0.05, "sigma.max": 20,
        "sample.sigma_mid": 0.821,
    },
}
VALUES = SIDE * SIDE * CHANNELS


def inverse_normal(u):
    return np.array([statistics.NormalDist().inv_cdf(x) for x in u])


# ---- the network: DDPM++ as model/README.md describes it, pictures (N,H,W,C)


class Net:
    """Walks the layers in the order of the state dict: to list the parameters' shapes and roles, or to compute by values of them."""

    def __init__(self, c, np_of, parameters=None):
        self.c, self.np, self.parameters, self.at, self.specs = c, np_of, parameters, 0, []

    def layer(self, inputs, outputs, kernel, gain=1.0):
        """Weight and bias of a convolution, or of a linear layer (kernel 0)."""
        area = kernel * kernel or 1
        bound = math.sqrt(6 / ((inputs + outputs) * area)) * gain
        shape = (outputs, inputs, kernel, kernel) if kernel else (outputs, inputs)
        return self.take(shape, ("uniform", bound)), self.take((outputs,), ("constant", 0.0))

    def take(self, shape, start):
        self.at += 1
        if self.parameters is None:
            self.specs.append((shape, start))
            return None
        return self.parameters[self.at - 1].reshape(shape)

    def conv(self, x, inputs, outputs, kernel, gain=1.0):
        import jax

        w, b = self.layer(inputs, outputs, kernel, gain)
        if self.parameters is None:
            return None
        pad = [(kernel // 2, kernel // 2)] * 2
        return jax.lax.conv_general_dilated(x, w, (1, 1), pad, dimension_numbers=("NHWC", "OIHW", "NHWC"), precision="highest") + b

    def linear(self, x, inputs, outputs, gain=1.0):
        w, b = self.layer(inputs, outputs, 0, gain)
        return None if self.parameters is None else x @ w.T + b

    def norm(self, x, channels):
        w, b = self.take((channels,), ("constant", 1.0)), self.take((channels,), ("constant", 0.0))
        if self.parameters is None:
            return None
        groups = min(32, channels // 4)
        g = x.reshape(*x.shape[:3], groups, channels // groups)
        mean = g.mean(axis=(1, 2, 4), keepdims=True)
        g = (g - mean) / self.np.sqrt(((g - mean) ** 2).mean(axis=(1, 2, 4), keepdims=True) + 1e-6)
        return g.reshape(x.shape) * w + b

    def silu(self, x):
        return None if x is None else x / (1 + self.np.exp(-x))

    def resample(self, x, how):
        if x is None or not how:
            return x
        if how == "up":
            return self.np.repeat(self.np.repeat(x, 2, axis=1), 2, axis=2)
        n, h, w, c = x.shape
        return x.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))

    def attention(self, x, channels):
        h = self.norm(x, channels)
        h = self.conv(h, channels, 3 * channels, 1, math.sqrt(0.2))
        if h is not None:
            n, rows, cols, _ = h.shape
            q, k, v = (h.reshape(n, rows * cols, channels, 3)[..., i] for i in range(3))
            score = q @ k.transpose(0, 2, 1) / math.sqrt(channels)
            score = self.np.exp(score - score.max(axis=2, keepdims=True))
            h = ((score / score.sum(axis=2, keepdims=True)) @ v).reshape(n, rows, cols, channels)
        h = self.conv(h, channels, channels, 1, 1e-5)
        return None if h is None else (h + x) * math.sqrt(0.5)

    def block(self, x, inputs, outputs, how=None, attend=False):
        h = self.resample(self.silu(self.norm(x, inputs)), how)
        h = self.conv(h, inputs, outputs, 3)
        e = self.linear(self.e, 4 * self.c["net.channels"], outputs)
        h = self.norm(None if h is None else h + e[:, None, None, :], outputs)
        h = self.silu(h)
        if h is not None and self.masks is not None:
            h = h * self.masks[self.drops]
        self.drops += 1
        h = self.conv(h, outputs, outputs, 3, 1e-5)
        x = self.resample(x, how)
        if inputs != outputs or how:
            x = self.conv(x, inputs, outputs, 1)
        h = None if h is None else (h + x) * math.sqrt(0.5)
        return self.attention(h, outputs) if attend else h

    def wave(self, time):
        half = self.c["net.channels"] // 2
        angle = time[:, None] * self.np.asarray(10000.0 ** (-np.arange(half) / (half - 1)), dtype=time.dtype)
        return self.np.concatenate([self.np.sin(angle), self.np.cos(angle)], axis=1)

    def __call__(self, x, times, labels, masks):
        """times: one noise input, or two whose embeddings lie side by side; masks: of each block's dropout, or None."""
        c, wide, known = self.c, self.c["net.channels"], self.parameters is not None
        self.masks, self.drops, two = masks, 0, c["method.kind"] == "meanflow"
        e = self.np.concatenate([self.wave(t) for t in times], axis=1) if known else None
        if c["weight.kind"] == "learned":
            self.log_weight = self.linear(e, wide, 1, 0.0)
        if c["net.classes"]:
            more = self.linear(labels * math.sqrt(c["net.classes"]) if known else None, c["net.classes"], wide)
            e = e + more if known else None
        e = self.silu(self.linear(e, wide * (2 if two else 1), 4 * wide))
        self.e = self.silu(self.linear(e, 4 * wide, 4 * wide))
        skips, now = [], wide
        x = self.conv(x, CHANNELS, wide, 3)
        skips.append((x, now))
        for level, m in enumerate(c["net.mult"]):
            if level:
                x = self.block(x, now, now, "down")
                skips.append((x, now))
            for _ in range(c["net.blocks"]):
                x = self.block(x, now, wide * m, None, SIDE >> level in c["net.attn"])
                now = wide * m
                skips.append((x, now))
        x = self.block(self.block(x, now, now, None, True), now, now)
        for level in reversed(range(len(c["net.mult"]))):
            if level < len(c["net.mult"]) - 1:
                x = self.block(x, now, now, "up")
            for i in range(c["net.blocks"] + 1):
                skip, more = skips.pop()
                x = self.np.concatenate([x, skip], axis=3) if known else None
                out = wide * c["net.mult"][level]
                x = self.block(x, now + more, out, None, SIDE >> level in c["net.attn"] and i == c["net.blocks"])
                now = out
        return self.conv(self.silu(self.norm(x, now)), now, CHANNELS, 3, 1e-5)


# ---- what a step draws, and its levels


class Draws:
    def __init__(self, c):
        self.c = c
        px, self.labels = pictures()
        self.images = px.transpose(0, 2, 3, 1) * (2 / 255) - 1

    def flipped(self, x, flips):
        return np.where(flips[:, None, None, None], x[:, :, ::-1], x) if self.c["data.flip"] else x

    def batch(self, k):
        n, size = self.c["train.batch"], len(self.images)
        chosen = np.array([permuted((k * n + i) % size, size, SEED, ORDER, (k * n + i) // size) for i in range(n)])
        x = self.flipped(self.images[chosen], uniform(SEED, FLIP, k, 0, n) < 0.5)
        z = normal(SEED, NOISE, k, 0, n * VALUES).reshape(n, SIDE, SIDE, CHANNELS)
        if self.c.get("noise.pairing") == "transport":
            from scipy.optimize import linear_sum_assignment

            far = ((z.reshape(n, 1, -1) - x.reshape(1, n, -1)) ** 2).sum(axis=2)
            order = linear_sum_assignment(far)[1]
            x, chosen = x[order], chosen[order]
        return x, z, chosen

    def one_hot(self, labels):
        return np.eye(CLASSES)[labels] if self.c["net.classes"] else np.zeros((len(labels), 1))

    def masks(self, k, shapes):
        p, found = self.c["net.dropout"], []
        for number, shape in enumerate(shapes):
            keep = uniform(SEED, DROPOUT + number, k, 0, math.prod(shape)) >= p
            found.append(keep.reshape(shape) / (1 - p))
        return found

    def references(self, k):
        m, size = self.c["target.references"], len(self.images)
        chosen = np.array([permuted(j, size, SEED, REFERENCES, k) for j in range(m)])
        return self.flipped(self.images[chosen], uniform(SEED, REFERENCES, k, 0, m) < 0.5), chosen


def lognormal(c, u):
    return np.exp(c["noise.mean"] + c["noise.std"] * inverse_normal(u))


def ect_lower(c, t, k):
    gap = max(c["ect.q"] ** -(k // c["ect.stage_steps"] + 1.0), 1 - c.get("ect.ratio_max", 1))
    return np.maximum(t * (1 - gap * (1 + c["ect.k"] / (1 + np.exp(c["ect.b"] * t)))), 0)


def quantile_of_cut_t(df, scale, low, high, u):
    """Of Student's t distribution between two values, by scipy's distribution function and its inverse."""
    from scipy.stats import t

    a, b = t.cdf(low / scale, df), t.cdf(high / scale, df)
    return scale * t.ppf(a + u * (b - a), df)


def points(c, k):
    length = math.floor(c["train.steps"] / (math.log2(c["disc.s1"] // c["disc.s0"]) + 1))
    return min(c["disc.s0"] * 2 ** (k // length), c["disc.s1"]) + 1


def levels(c, k, n):
    """N (0: there is none), the student's and the teacher's noise, and each sample's weight in the mean."""
    u, even = uniform_double(SEED, SIGMA, k, 0, n), np.ones(n)
    if c["method.kind"] == "meanflow":
        a, b = lognormal(c, u), lognormal(c, uniform_double(SEED, SIGMA_LOWER, k, 0, n))
        apart = uniform_double(SEED, SHARE, k, 0, n) < c["meanflow.share"]
        return 0, np.maximum(a, b), np.where(apart, np.minimum(a, b), np.maximum(a, b)), even
    if c["method.kind"] == "sct":
        return 0, lognormal(c, u), np.zeros(n), even
    if c["method.kind"] == "ct-continuous":
        law = statistics.NormalDist(c["noise.mean"], c["noise.std"])
        low, high = (law.cdf(math.log(c[key])) for key in ("sigma.min", "sigma.max"))
        t = np.exp([law.inv_cdf(low + v * (high - low)) for v in u])
        low, high = (c[key] ** (1 / c["sigma.rho"]) for key in ("sigma.min", "sigma.max"))
        return 0, t, np.zeros(n), c["sigma.rho"] * t ** (1 - 1 / c["sigma.rho"]) * (high - low)  # dt/du of t = (low + u (high - low))^rho
    if c["method.kind"] in ("ect", "tcm"):
        t, weight = lognormal(c, u), even
        if second_stage(c, k):
            boundary = round(c["tcm.share"] * n)
            t = np.exp(quantile_of_cut_t(c["tcm.df"], c["tcm.scale"], math.log(c["tcm.split"]), math.log(c["sigma.max"]), u))
            t[:boundary] = c["tcm.split"]
            weight = np.where(np.arange(n) < boundary, c["tcm.weight"] * n / boundary, n / (n - boundary))
        return 0, t, ect_lower(c, t, k), weight / (t - ect_lower(c, t, k))
    count = points(c, k)
    low, high = (c[key] ** (1 / c["sigma.rho"]) for key in ("sigma.min", "sigma.max"))
    grid = (low + np.arange(count) / (count - 1) * (high - low)) ** c["sigma.rho"]
    phi = np.array([math.erf((math.log(s) - c["noise.mean"]) / (math.sqrt(2) * c["noise.std"])) for s in grid])
    index = np.searchsorted(np.cumsum(np.diff(phi)) / np.diff(phi).sum(), u, side="right")
    return count, grid[index + 1], grid[index], 1 / (grid[index + 1] - grid[index])


def first_steps(c):
    return math.floor(c["tcm.first"] * c["train.steps"]) if c["method.kind"] == "tcm" else 0


def second_stage(c, k):
    return c["method.kind"] == "tcm" and k >= first_steps(c)


def second_decay(c, k):
    """Of the average beside the one that is sampled: TCM's first stage, which the second keeps, or the generator's; None: there is none."""
    if c["method.kind"] == "tcm":
        return 1 if second_stage(c, k) else c["tcm.ema"]
    return c.get("coupling.ema")


# ---- training


class Cell:
    def __init__(self, c, dtype):
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp, self.c, self.dtype, self.draws = jax, jnp, c, dtype, Draws(c)
        listed = Net(c, np)
        listed(None, None, None, None)
        self.start = [np.float32(self.initial(i, *spec)).astype(np.float64) for i, spec in enumerate(listed.specs)]
        values = [self.array(v) for v in self.start]
        self.student, self.ema, self.second = values, list(values), list(values)
        self.m, self.v = [jnp.zeros_like(p) for p in values], [jnp.zeros_like(p) for p in values]
        self.begun, self.shapes = 0, self.mask_shapes()
        self.losses = jax.jit(jax.value_and_grad(self.loss))
        self.ask = jax.jit(lambda p, x, skip, out, into, times, labels: skip * x + out * Net(c, jnp, p)(into * x, times, labels, None))
        self.out = {"given": [SEED, SAMPLES_SEED, FIRST_SAMPLE, N_SAMPLES], "loss": [], "grad_norm": [], "n": []}

    def array(self, x):
        return self.jnp.asarray(np.ascontiguousarray(x), dtype=self.dtype)

    def initial(self, at, shape, start):
        kind, value = start
        n = math.prod(shape)
        return np.full(n, value) if kind == "constant" else (2 * uniform_double(SEED, INIT, at, 0, n) - 1) * value

    def mask_shapes(self):
        """What each block's dropout masks, in the order of use."""
        c, wide, n, found = self.c, self.c["net.channels"], self.c["train.batch"], []
        side = lambda level: SIDE >> level
        now = wide
        for level, m in enumerate(c["net.mult"]):
            found += [(n, side(level), side(level), now)] if level else []
            found += [(n, side(level), side(level), wide * m)] * c["net.blocks"]
            now = wide * m
        found += [(n, side(level), side(level), now)] * 2
        for level in reversed(range(len(c["net.mult"]))):
            found += [(n, side(level), side(level), now)] if level < len(c["net.mult"]) - 1 else []
            now = wide * c["net.mult"][level]
            found += [(n, side(level), side(level), now)] * (c["net.blocks"] + 1)
        return found

    def numbers(self, sigma, kind, lower=None):
        """c_skip, c_out, c_in and the network's times at a noise level; at 0 the picture itself."""
        c, data, low = self.c, self.c["sigma.data"], self.c["sigma.min"] if kind == "cm" else 0
        wide = lambda v: self.array(v)[:, None, None, None]
        if kind == "flow":
            s = sigma / (1 + sigma)
            times = [self.array(s), self.array(s if lower is None else s - lower / (1 + lower))]
            return wide(1 / (1 + sigma)), wide(-s), wide(1 / (1 + sigma)), times
        root = np.sqrt(sigma**2 + data**2)
        if kind == "trigflow":
            return wide(data**2 / root**2), wide(-sigma * data / root), wide(1 / root), [self.array(c["precond.time_scale"] * np.arctan(sigma / data))]
        time = c["precond.time_scale"] * np.log(np.where(sigma > 0, sigma, 1))
        return wide(data**2 / ((sigma - low) ** 2 + data**2)), wide((sigma - low) * data / root), wide(1 / root), [self.array(time)]

    def loss(self, p, given):
        """given: arrays of the step, by name."""
        c, jnp, g = self.c, self.jnp, given
        still = self.jax.lax.stop_gradient
        net = lambda q, x, times: Net(c, jnp, q)(x, times, g["labels"], g["masks"])
        answer = lambda q, x, n: n[0] * x + n[1] * net(q, n[2] * x, n[3])
        if c["method.kind"] == "meanflow":
            s, gap, x, z = g["s"], g["gap"], g["x"], g["z"]
            wide = lambda v: v[:, None, None, None]
            y, velocity, ones = (1 - wide(s)) * x + wide(s) * z, z - x, jnp.ones_like(s)
            f, change = self.jax.jvp(lambda at, a, b: net(p, at, [a, b]), (y, s, gap), (velocity, ones, ones))
            far = ((f - still(velocity - wide(gap) * change)) ** 2).sum(axis=(1, 2, 3))
            return (far / still((far + c["weight.eps"]) ** c["weight.p"])).mean()
        if c["method.kind"] == "sct":
            return self.continuous(p, g, still).mean()
        if c["method.kind"] == "ct-continuous":
            f, change = self.jax.jvp(lambda t: self.along(p, g, t), (g["t"],), (jnp.ones_like(g["t"]),))
            error = ((f - still(f - change)) ** 2).sum(axis=(1, 2, 3))  # the metric of a gap that vanishes: S / (2 c)
            return (error / (2 * g["c"]) * g["weight"]).mean()
        student = answer(p, g["x_t"], g["at_t"])
        target = answer(still_all(still, p), g["x_r"], g["at_r"])
        if c["method.kind"] == "tcm":
            target = jnp.where(g["frozen"], answer(g["second"], g["x_r"], g["at_r"]), target)
        error = ((student - still(target)) ** 2).sum(axis=(1, 2, 3))
        if c["loss.kind"] == "cauchy":
            far = jnp.log(1 + error / (2 * g["c"] ** 2))
        else:
            far = error / (jnp.sqrt(error + g["c"] ** 2) + g["c"])
        return (far * g["weight"]).mean()

    def along(self, p, g, t):
        """The answer at x + t z, as a function of the level alone (Song et al. 2023, section 3 and appendix C)."""
        c, jnp, data, low = self.c, self.jnp, self.c["sigma.data"], self.c["sigma.min"]
        wide = lambda v: v[:, None, None, None]
        x_t, root = g["x"] + wide(t) * g["z"], jnp.sqrt(t**2 + data**2)
        f = Net(c, jnp, p)(x_t / wide(root), [c["precond.time_scale"] * jnp.log(t)], g["labels"], g["masks"])
        return wide(data**2 / ((t - low) ** 2 + data**2)) * x_t + wide(data * (t - low) / root) * f

    def continuous(self, p, g, still):
        """sCT (arXiv:2410.11081, algorithm 1) at the angle t, per sample; its learned weight is part of it."""
        c, jnp, data, t = self.c, self.jnp, self.c["sigma.data"], g["t"]
        cos, sin, z = jnp.cos(t)[:, None, None, None], jnp.sin(t)[:, None, None, None], data * g["z"]
        x_t, velocity, net = cos * g["x"] + sin * z, cos * z - sin * g["x"], Net(c, jnp, p)

        def ask(at, time):
            net.at = 0
            f = net(at / data, [c["precond.time_scale"] * time], g["labels"], g["masks"])
            return f, net.log_weight

        (f, weight), (change, _) = self.jax.jvp(ask, (x_t, t), (cos * sin * velocity, jnp.cos(t) * jnp.sin(t)))
        to = -(cos**2) * (data * f - velocity) - g["warm"] * (cos * sin * x_t + data * change)
        to = still(f + to / (jnp.sqrt((to**2).sum(axis=(1, 2, 3), keepdims=True)) + c["tangent.c"]))
        return jnp.exp(weight[:, 0]) * ((f - to) ** 2).mean(axis=(1, 2, 3)) - weight[:, 0]

    def given(self, k):
        c, n = self.c, self.c["train.batch"]
        x, z, chosen = self.draws.batch(k)
        labels = self.draws.one_hot(self.draws.labels[chosen])
        count, t, r, weight = levels(c, k, n)
        wide = lambda v: v[:, None, None, None]
        g = {"labels": self.array(labels), "masks": [self.array(v) for v in self.draws.masks(k, self.shapes)]}
        if c["method.kind"] == "meanflow":
            s = t / (1 + t)
            return count, {**g, "x": self.array(x), "z": self.array(z), "s": self.array(s), "gap": self.array(s - r / (1 + r))}
        if c["method.kind"] == "sct":
            t, warm = np.arctan(t / c["sigma.data"]), min(1, k / c["tangent.warmup"])
            return count, {**g, "x": self.array(x), "z": self.array(z), "t": self.array(t), "warm": self.array(warm)}
        if c["method.kind"] == "ct-continuous":
            more = {"t": self.array(t), "weight": self.array(weight), "c": self.array(c["loss.c"])}
            return count, {**g, "x": self.array(x), "z": self.array(z), **more}
        if c.get("coupling.generator_share"):
            made = self.ask(self.second, self.array(x + wide(r) * z), *self.numbers(r, c["precond.kind"]), g["labels"])
            mine = uniform_double(SEED, COUPLING, k, 0, n) < c["coupling.generator_share"]
            x = np.where(wide(mine), np.asarray(made, dtype=np.float64), x)
        x_t, x_r = x + wide(t) * z, x + wide(r) * z
        if c.get("target.references"):
            mean = self.posterior(x_t, x, chosen, t, k)
            x_r = mean + wide(r / t) * (x_t - mean)
        loss_c = c["loss.c"]
        if c.get("loss.c_schedule") == "slct-relative" and count - 1 > c["disc.s0"]:
            loss_c *= ((count - 1) / c["disc.s0"]) ** -1.15
        g |= {"x_t": self.array(x_t), "x_r": self.array(x_r), "at_t": self.numbers(t, c["precond.kind"]), "weight": self.array(weight)}
        g |= {"at_r": self.numbers(r, c["precond.kind"]), "c": self.array(loss_c)}
        if c["method.kind"] == "tcm":
            g |= {"frozen": self.jnp.asarray(wide((r < c["tcm.split"]) & second_stage(c, k))), "second": self.second}
        return count, g

    def posterior(self, x_t, x, chosen, t, k):
        """The mean of the pictures that each noisy one may be: its own, and the references of its class but itself."""
        y, which = self.draws.references(k)
        mean = np.empty_like(x)
        for i in range(len(x)):
            may = (which != chosen[i]) & (self.draws.labels[which] == self.draws.labels[chosen[i]] if self.c["net.classes"] else True)
            all_of = np.concatenate([x[i : i + 1], y[may]])
            log = -((x_t[i] - all_of) ** 2).sum(axis=(1, 2, 3)) / (2 * t[i] ** 2)
            w = np.exp(log - log.max())
            mean[i] = (w[:, None, None, None] * all_of).sum(axis=0) / w.sum()
        return mean

    def update(self, grads, k):
        """Adam (Kingma and Ba) or RAdam (Liu et al.) as PyTorch 1.13 has them."""
        c, jnp = self.c, self.jnp
        b1, b2, eps, t = c["optim.beta1"], c["optim.beta2"], c["optim.eps"], k - self.begun + 1
        rate = c["tcm.lr"] if second_stage(c, k) else c["optim.lr"]
        self.m = [b1 * m + (1 - b1) * g for m, g in zip(self.m, grads)]
        self.v = [b2 * v + (1 - b2) * g * g for v, g in zip(self.v, grads)]
        if c["optim.kind"] == "adam":
            ways = [m / (1 - b1**t) / (jnp.sqrt(v / (1 - b2**t)) + eps) for m, v in zip(self.m, self.v)]
        else:
            most = 2 / (1 - b2) - 1
            rho = most - 2 * t * b2**t / (1 - b2**t)
            ways = [m / (1 - b1**t) for m in self.m]
            if rho > 5:
                r = math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
                ways = [w * r * math.sqrt(1 - b2**t) / (jnp.sqrt(v) + eps) for w, v in zip(ways, self.v)]
        self.student = [p - rate * w for p, w in zip(self.student, ways)]

    def step(self, k):
        c, jnp = self.c, self.jnp
        if second_stage(c, k) and k == first_steps(c):
            self.student, self.ema, self.begun = list(self.second), list(self.second), k
            self.m, self.v = [jnp.zeros_like(p) for p in self.m], [jnp.zeros_like(p) for p in self.v]
        count, given = self.given(k)
        loss, grads = self.losses(self.student, given)
        self.update(grads, k)
        follow = lambda average, decay: [decay * a + (1 - decay) * p for a, p in zip(average, self.student)]
        self.ema = follow(self.ema, c["ema.decay"])
        if second_decay(c, k) is not None:
            self.second = follow(self.second, second_decay(c, k))
        norm = math.sqrt(sum(float((np.asarray(g, dtype=np.float64) ** 2).sum()) for g in grads))
        for key, value in (("loss", float(loss)), ("grad_norm", norm), ("n", count)):
            self.out[key].append(value)

    def digest(self, name, values):
        changes = self.start if values is None else [np.asarray(p, dtype=np.float64).reshape(-1) - s for p, s in zip(values, self.start)]
        first = np.zeros((len(changes), FIRST_VALUES))
        for i, change in enumerate(changes):
            first[i, : len(change)] = change[:FIRST_VALUES]
        self.out["first." + name] = np.float32(first)
        self.out["length." + name] = np.float32([math.sqrt((v**2).sum()) for v in changes])
        probes = [[(v * formula_u("train_run/probe/%d/%d" % (p, i), len(v))).sum() for p in range(PROBES)] for i, v in enumerate(changes)]
        self.out["probe." + name] = np.float32(probes)

    def answer(self, x, sigma, labels, lower=None):
        level = lambda v: None if v is None else np.full(N_SAMPLES, float(v))
        kind = self.c["precond.kind"] if self.c["precond.kind"] in ("flow", "trigflow") else "cm"
        out = self.ask(self.ema, self.array(x), *self.numbers(level(sigma), kind, level(lower)), labels)
        return np.asarray(out, dtype=np.float64)

    def sample(self, step):
        c, n = self.c, N_SAMPLES
        size = (VALUES + 3) // 4 * 4
        drawn = np.floor(uniform_double(SAMPLES_SEED, LABEL, 0, FIRST_SAMPLE, n) * CLASSES).astype(int)
        labels = self.array(self.draws.one_hot(drawn))
        latent = [
            np.stack([normal(SAMPLES_SEED, LATENT, turn, i * size, VALUES) for i in range(FIRST_SAMPLE, FIRST_SAMPLE + n)]).reshape(n, SIDE, SIDE, CHANNELS)
            for turn in (0, 1)
        ]
        clip = (lambda x: np.clip(x, -1, 1)) if c["sample.clip"] else (lambda x: x)
        x = c["sigma.max"] * latent[0]
        one = clip(self.answer(x, c["sigma.max"], labels))
        if c["method.kind"] == "meanflow":  # y - (s - q) F(y, s, s - q) at half of the time, as a point of noise level q / (1 - q)
            s = c["sigma.max"] / (1 + c["sigma.max"])
            q, y = s / 2, x / (1 + c["sigma.max"])
            times = [self.array(np.full(n, s)), self.array(np.full(n, s - q))]
            f = self.ask(self.ema, self.array(y), self.array(0.0), self.array(1.0), self.array(1.0), times, labels)
            y = y - (s - q) * np.asarray(f, dtype=np.float64)
            two = clip(self.answer(y / (1 - q), q / (1 - q), labels))
        else:
            spread = math.sqrt(c["sample.sigma_mid"] ** 2 - c["sigma.min"] ** 2)
            two = clip(self.answer(one + spread * latent[1], c["sample.sigma_mid"], labels))
        self.out["answer@%d" % step] = np.float32(one)
        for turn, at in ((1, one), (2, two)):
            self.out["level%d@%d" % (turn, step)] = np.float32(np.clip(at * 127.5 + 128, 0, 255.5))

    def run(self):
        self.digest("initial@0", None)
        for k in range(self.c["train.steps"]):
            self.step(k)
            if k + 1 in STOPS:
                averages = [("student", self.student), ("ema", self.ema)]
                averages += [("teacher", self.second)] if second_decay(self.c, k) is not None else []
                for name, values in averages:
                    self.digest("%s@%d" % (name, k + 1), values)
                self.sample(k + 1)
        return {key: np.asarray(v, dtype=np.float64) if isinstance(v, list) else v for key, v in self.out.items()}


def still_all(still, p):
    return [still(v) for v in p]


def main():
    try:
        import jax
        import scipy.optimize  # noqa: F401
    except ImportError as e:
        sys.exit("jax_run_peer.py: %s (pip install -r tests/peers/jax_requirements.txt)" % e)
    if len(sys.argv) < 2 or sys.argv[1].startswith("-") or not set(sys.argv[2:]) <= set(CELLS):
        sys.exit(__doc__)
    jax.config.update("jax_enable_x64", True)
    check_random()
    if not sys.argv[2:] and os.path.exists(sys.argv[1] + "/sct.safetensors"):
        c, want = read(sys.argv[1] + "/sct.safetensors")
        for row, value in deviations(Cell(c, np.float64).run(), want).items():
            print("%-10s %-36s %.1e" % ("sct", row + ", beside PyTorch", value))
    for name in sys.argv[2:] or CELLS:
        c = {**COMMON, **CELLS[name]}
        tensors = Cell(c, np.float64).run()
        write("%s/%s.safetensors" % (sys.argv[1], name), c, tensors)
        for row, value in deviations(Cell(c, np.float32).run(), tensors).items():
            print("%-10s %-36s %.1e" % (name, row, value))
        print("%-10s losses %s" % (name, " ".join("%.4g" % v for v in tensors["loss"])))


if __name__ == "__main__":
    main()
