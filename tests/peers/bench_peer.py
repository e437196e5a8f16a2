#!/usr/bin/python3
"""The peer of `ablate bench features|dinov2|fid --peer` (harness/bench/bench_peer.h says what it is given and answers), with the published
packages (tests/peers/metrics_requirements.txt):

    ablate bench fid --peer "python3 tests/peers/bench_peer.py pytorch-fid"
    ablate bench features --peer "python3 tests/peers/bench_peer.py torch-fidelity"
    ablate bench dinov2 --peer "python3 tests/peers/bench_peer.py pytorch"

pytorch-fid: its command line and its network, batches of 50. torch-fidelity: its network, batches of 64. Both as published, but for the
weights, which come from the given file. pytorch: the definition of DINOv2 in tests/peers/vit_peer.py, batches of 8. For rates, PyTorch's
environment is the best that we know (rounds.py, tuned); `fid` runs as it is installed.
"""
import argparse
import contextlib
import io
import json
import os
import pathlib
import statistics
import sys
import time

BATCH = {"pytorch-fid": 50, "torch-fidelity": 64, "pytorch": 8}


def weights(path):
    """The tensors of a safetensors file, float32."""
    import numpy as np
    import torch

    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        payload = np.fromfile(f, dtype=np.uint8)
    tensors = {}
    for name, t in header.items():
        if name != "__metadata__":
            first, end = t["data_offsets"]
            tensors[name] = torch.from_numpy(payload[first:end].view(np.float32).reshape(t["shape"]))
    return tensors


def pictures(folder):
    import numpy as np
    from PIL import Image

    return [np.asarray(Image.open(f).convert("RGB")) for f in sorted(pathlib.Path(folder).iterdir())]


def stack(rgb):
    import numpy as np
    import torch

    return torch.from_numpy(np.stack(rgb)).permute(0, 3, 1, 2)


def pytorch_fid_features(path):
    from pytorch_fid import inception

    inception.load_state_dict_from_url = lambda *_, **__: weights(path)
    net = inception.InceptionV3([3]).eval()
    return lambda rgb: net(stack(rgb).float() / 255)[0][:, :, 0, 0]


def torch_fidelity_features(path):
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    theirs.torch.load = lambda *_, **__: weights(path)
    net = theirs.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=path)
    return lambda rgb: net(stack(rgb))[0]


def dinov2_features(path):
    import torch
    import vit_peer

    tensors, s = weights(path), vit_peer.FULL["dinov2"]
    return lambda rgb: vit_peer.features(
        "dinov2", s, tensors, torch.stack([vit_peer.prepared("dinov2", vit_peer.picture("dinov2", s, p), torch.float32) for p in rgb]))


NETS = {
    ("pytorch-fid", "inception"): pytorch_fid_features,
    ("torch-fidelity", "inception"): torch_fidelity_features,
    ("pytorch", "dinov2"): dinov2_features,
}


def rates(a, parser):
    import torch

    if (a.peer, a.what) not in NETS:
        parser.error(f"{a.peer} has no {a.what}")
    torch.set_num_threads(a.threads)
    with contextlib.redirect_stdout(sys.stderr), torch.inference_mode():
        features, rgb, n = NETS[a.peer, a.what](a.weights), pictures(a.folders[0]), BATCH[a.peer]
        mean_abs = features(rgb).abs().mean().item()
        batch, times = [rgb[i % len(rgb)] for i in range(n)], []
        features(batch)
        end = time.monotonic() + a.seconds
        while time.monotonic() < end or not times:
            start = time.monotonic()
            features(batch).sum().item()
            times.append(time.monotonic() - start)
    return {"images_per_s": n / statistics.median(times), "mean_abs": mean_abs, "torch": torch.__version__}


def fid(a, parser):
    import torch

    torch.set_num_threads(a.threads)
    said = io.StringIO()
    if a.peer == "pytorch-fid":
        from pytorch_fid import fid_score, inception

        inception.load_state_dict_from_url = lambda *_, **__: weights(a.weights)
        sys.argv = ["pytorch-fid", *a.folders, "--device", "cpu"]
        with contextlib.redirect_stdout(said):
            fid_score.main()
        return {"fid": float(said.getvalue().split("FID:")[1])}
    if a.peer == "torch-fidelity":
        import torch_fidelity
        from torch_fidelity import feature_extractor_inceptionv3 as theirs

        theirs.torch.load = lambda *_, **__: weights(a.weights)
        m = torch_fidelity.calculate_metrics(
            input1=a.folders[0], input2=a.folders[1], cuda=False, fid=True, cache=False, verbose=False, feature_extractor_weights_path=a.weights)
        return {"fid": float(m["frechet_inception_distance"])}
    return parser.error(f"{a.peer} has no fid")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("peer", choices=list(BATCH))
    p.add_argument("what", choices=["fid", "inception", "dinov2"])
    p.add_argument("--weights", required=True)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("folders", nargs="+")
    a = p.parse_args()
    if a.what == "fid":
        print(json.dumps(fid(a, p)))
        return
    import rounds

    tuned = rounds.tuned()
    if tuned != dict(os.environ):  # read when libraries load
        os.execve(sys.executable, [sys.executable, *sys.argv], tuned)
    print(json.dumps(rates(a, p)))


if __name__ == "__main__":
    main()
