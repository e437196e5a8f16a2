#!/usr/bin/python3
"""Inception v3 features in PyTorch, for comparing speed (Debian: python3-torch, python3-torchvision).

    features_peer.py [--seconds S] [--threads T] [--channels-last] [--beside ABLATE] [--rounds N]
    features_peer.py --device cuda --dtype bf16 --batch 128 --channels-last --compile [--beside ABLATE]

What pytorch-fid does to a batch: 32x32 pictures of bytes are resized to 299x299 (bilinear) where the network is, scaled to [-1, 1], and go
through torchvision's Inception v3 up to its 2048 pooled features, weights random. The FID network differs in what its average pools count
and in one pool's kind, which costs nothing. Prints one JSON object: the median time of a batch, images per second, peak memory.

With --beside, `ABLATE bench features` is measured in turn with it, --rounds times each.
"""
import argparse
import json
import resource
import statistics
import time

import rounds

BATCH = 32


def measure(a):
    torch, on_gpu = rounds.prepare(a), a.device != "cpu"
    import torchvision

    n = a.batch or BATCH
    net = torchvision.models.inception_v3(aux_logits=False, init_weights=False, transform_input=False).eval()
    net.fc = torch.nn.Identity()
    pictures = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8)
    if a.channels_last:
        net = net.to(memory_format=torch.channels_last)

    def features(x):
        x = torch.nn.functional.interpolate(x.float() / 255, size=(299, 299), mode="bilinear", align_corners=False)
        if a.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        return net(2 * x - 1)

    forward = torch.compile(features) if a.compile else features

    def batches(count):
        with torch.inference_mode(), rounds.autocast(a):
            for _ in range(count):
                y = forward(pictures)
        return float(y.float().sum())  # waits for the device

    together, times = 10 if on_gpu else 1, []
    batches(3 if on_gpu else 1)  # compiles, and searches
    end = time.monotonic() + a.seconds
    while time.monotonic() < end or len(times) < 3:
        start = time.monotonic()
        batches(together)
        times.append((time.monotonic() - start) / together)
    median = statistics.median(times)
    peak = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "config": "inception v3",
        "batch": n,
        "batches": len(times) * together,
        "batch_s": median,
        "images_per_s": n / median,
        "images_per_s_best": n / min(times),
        "peak_mib": peak / 1048576,
        **rounds.about(a),
    }


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    rounds.add_options(p)
    a = p.parse_args()
    rounds.check(p, a)
    if a.here:
        print(json.dumps(measure(a)))
        return

    def theirs():
        return rounds.peer(__file__, a)

    def ours():  # on a CPU, fp32 comes with bf16 beside it
        rows = rounds.ours(a, "features")
        return next(row for row in rows if a.device != "cpu" or row["config"].endswith(a.dtype))

    row = rounds.beside("inception v3", a, ours, theirs) if a.beside else theirs()
    print(json.dumps({"peer": "pytorch", "rows": [row]}, indent=1))


if __name__ == "__main__":
    main()
