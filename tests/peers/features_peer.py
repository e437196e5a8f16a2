#!/usr/bin/python3
"""Inception v3 features in PyTorch 2, for comparing speed (tests/peers/requirements.txt).

    features_peer.py [--net torchvision|fidelity] [--seconds S] [--threads T] [--channels-last] [--beside ABLATE] [--rounds N]
    features_peer.py --device cuda --dtype bf16 --batch 128 --channels-last --compile [--beside ABLATE]

32x32 pictures of bytes are resized to 299x299 where the network is, scaled to [-1, 1], and go through Inception v3 up to its 2048 pooled
features. torchvision: its own network, as pytorch-fid feeds it (the FID network differs in what its average pools count and in one pool's
kind, which costs nothing), batch 32. fidelity: torch-fidelity's network with its resize and its batch of 64; its way is fp32 without
--compile and --channels-last, and bf16 (autocast) is beyond what it does. Weights are random either way: none are downloaded, and they do
not change the speed. Prints one JSON object: the median time of a batch, images per second, peak memory; warm_up_s and compile_s apart.

With --beside, `ABLATE bench features` is measured in turn with it, --rounds times each.
"""
import argparse
import json
import resource
import statistics
import time

import rounds

BATCH = {"torchvision": 32, "fidelity": 64}


def torchvision_net(torch, a):
    import torchvision

    net = torchvision.models.inception_v3(aux_logits=False, init_weights=False, transform_input=False).eval()
    net.fc = torch.nn.Identity()

    def features(x):
        x = torch.nn.functional.interpolate(x.float() / 255, size=(299, 299), mode="bilinear", align_corners=False)
        if a.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        return net(2 * x - 1)

    return net, features


def fidelity_net(torch, a):
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    class WithRandomWeights(theirs.FeatureExtractorInceptionV3):
        def load_state_dict(self, *_):
            pass

    theirs.load_state_dict_from_url = lambda *_, **__: {}
    net = WithRandomWeights("inception-v3-compat", ["2048"])
    return net, lambda x: net(x)[0]


NETS = {"torchvision": torchvision_net, "fidelity": fidelity_net}


def measure(a):
    torch, on_gpu = rounds.prepare(a), a.device != "cpu"
    n = a.batch or BATCH[a.net]
    net, features = NETS[a.net](torch, a)
    pictures = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8)
    if a.channels_last:
        net.to(memory_format=torch.channels_last)

    forward = torch.compile(features) if a.compile else features

    def batches(count):
        with torch.inference_mode(), rounds.autocast(a):
            for _ in range(count):
                y = forward(pictures)
        return float(y.float().sum())  # waits for the device

    together, warm, times, start = 10 if on_gpu else 1, 3 if on_gpu else 1, [], time.monotonic()
    batches(warm)  # compiles, and searches
    warm_up = time.monotonic() - start
    end = time.monotonic() + a.seconds
    while time.monotonic() < end or len(times) < 3:
        start = time.monotonic()
        batches(together)
        times.append((time.monotonic() - start) / together)
    median = statistics.median(times)
    peak = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "config": "inception v3",
        "net": a.net,
        "weights": "random",
        "batch": n,
        "warm_up_s": warm_up,
        "compile_s": max(0.0, warm_up - warm * median),
        "batches": len(times) * together,
        "batch_s": median,
        "images_per_s": n / median,
        "images_per_s_best": n / min(times),
        "peak_mib": peak / 1048576,
        **rounds.about(a),
    }


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--net", choices=list(NETS), default="torchvision")
    rounds.add_options(p)
    a = p.parse_args()
    rounds.check(p, a)
    if a.here:
        print(json.dumps(measure(a)))
        return

    def theirs():
        return rounds.peer(__file__, a, "--net", a.net)

    def ours():  # on a CPU, fp32 comes with bf16 beside it
        rows = rounds.ours(a, "features")
        return next(row for row in rows if a.device != "cpu" or row["config"].endswith(a.dtype))

    row = rounds.beside("inception v3", a, ours, theirs) if a.beside else theirs()
    print(json.dumps({"peer": "pytorch", "rows": [row]}, indent=1))


if __name__ == "__main__":
    main()
