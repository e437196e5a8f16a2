#!/usr/bin/python3
"""What PyTorch's autocast to bfloat16 does to a consistency-training step, beside tests/model/train/dtype_deviation.c (tests/peers/requirements.txt).

    dtype_peer.py [--seeds S]

The network of `ict-shapes8-ci` with random weights in every layer, four images at the interval's quantiles 1/8, 3/8, ... of iCT's
noise distribution; one step with and without torch.autocast, on the CPU, its norms in float32 as autocast has them on a GPU. Prints a Markdown table: relative L2 of the gradient,
relative change of the loss and cosine, the median over seeds and, for the gradient, the range.
"""
import argparse
import math
import statistics

from nets import make_net
from train_peer import SIGMA_DATA, SIGMA_MIN

NET = dict(kind="ddpmpp", parameters=180_193, side=8, image=1, width=16, mult=(1, 2), blocks=1, attend=(), batch=4)
LEVELS = (11, 161, 641, 1281)


def sigma_at(n, i):
    low, high = SIGMA_MIN ** (1 / 7), 80 ** (1 / 7)
    return (low + i / (n - 1) * (high - low)) ** 7


def pairs(n, batch):
    """(t, r) where the lognormal's mass between neighbouring levels reaches the quantiles."""
    phi = [math.erf((math.log(sigma_at(n, i)) + 1.1) / (math.sqrt(2) * 2)) for i in range(n)]
    total, chosen, i = phi[-1] - phi[0], [], 0
    for k in range(batch):
        while (phi[i + 1] - phi[0]) / total < (2 * k + 1) / (2 * batch):
            i += 1
        chosen.append((sigma_at(n, i + 1), sigma_at(n, i)))
    return chosen


def step(net, image, noise, t, r, low):
    import torch

    def answer(sigma):
        s = sigma[:, None, None, None]
        root = (s ** 2 + SIGMA_DATA ** 2).sqrt()
        x = image + s * noise
        skip = SIGMA_DATA ** 2 / ((s - SIGMA_MIN) ** 2 + SIGMA_DATA ** 2)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
            f = net(x / root, sigma.log() / 4)
        return skip * x + (s - SIGMA_MIN) * SIGMA_DATA / root * f.float()

    student = answer(t)
    with torch.no_grad():
        teacher = answer(r)
    c = 0.00054 * math.sqrt(image[0].numel())
    total = ((student - teacher) ** 2).sum(dim=(1, 2, 3))
    loss = ((total / ((total + c ** 2).sqrt() + c)) / (t - r)).mean()
    grads = torch.autograd.grad(loss, list(net.parameters()))
    return float(loss.detach()), torch.cat([g.flatten().double() for g in grads])


def one(seed, n):
    import torch

    def norm_in_float(self, x):
        return torch.nn.functional.group_norm(x.float(), self.num_groups, self.weight, self.bias, self.eps)

    torch.nn.GroupNorm.forward = norm_in_float
    torch.manual_seed(seed)
    net = make_net(NET)
    for p in net.parameters():
        if p.dim() > 1:
            torch.nn.init.normal_(p, std=1 / math.sqrt(p[0].numel()))
    shape = (NET["batch"], NET["image"], NET["side"], NET["side"])
    image, noise = (torch.randn(shape) * 0.5).clamp(-1, 1), torch.randn(shape)
    t, r = torch.tensor(pairs(n, NET["batch"]), dtype=torch.float64).T.float()
    want_loss, want = step(net, image, noise, t, r, False)
    loss, got = step(net, image, noise, t, r, True)
    cosine = torch.nn.functional.cosine_similarity(want, got, dim=0)
    return float((got - want).norm() / want.norm()), loss / want_loss - 1, float(cosine)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--seeds", type=int, default=5)
    seeds = p.parse_args().seeds
    print("| N | gradient, relative L2 (range) | loss | cosine |\n|---:|---:|---:|---:|")
    for n in LEVELS:
        gradient, loss, cosine = zip(*(one(seed, n) for seed in range(seeds)))
        middle = statistics.median
        print(f"| {n} | {middle(gradient):.2e} ({min(gradient):.2e} to {max(gradient):.2e}) | {100 * middle(loss):+.3f} % | {middle(cosine):.6f} |")


if __name__ == "__main__":
    main()
