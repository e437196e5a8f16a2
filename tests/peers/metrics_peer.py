#!/usr/bin/python3
"""The scores of this program beside those of the published packages, on the same pictures and weights.

    ci/peers.sh build              in a virtual environment of its own, or
    python3 -m venv V && V/bin/pip install -r tests/peers/metrics_requirements.txt
    V/bin/python tests/peers/metrics_peer.py [--ablate build/ablate] [--pictures 48] [--only PEER]...

Pictures are generated, and weights of networks made by the formula of tests/common/formula_weights.c, as none can be downloaded here: both
programs get the same. LPIPS' linear heads are the published ones, which its packages carry. Prints a table (theirs, ours, difference,
allowed) and exits with 1 where a difference is not within what is allowed, or a peer could not be asked.
"""
import argparse
import contextlib
import importlib.metadata
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback
import warnings

import numpy as np
import torch
from PIL import Image

DIM = 2048
# What is allowed, and why: metrics/README.md, "Tolerances". Features are float32 in every peer.
FEATURES, FID_FEW, FID_MANY, KID_F32, IS_F32, COUNTS, LPIPS, EXACT = 2e-5, 5e-4, 1e-9, 5e-6, 1e-5, 1e-7, 1e-6, 1e-12
FID_PIQ = 1e-2  # it ends its iteration for the square root at a relative error of 1e-5, whatever that leaves of a trace


# ---- the formula: tests/common/formula.c, with numpy ----


def fnv(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def splitmix(x):
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        return x ^ x >> np.uint64(31)


def unit(seed, n):
    """n values in [-1, 1)"""
    with np.errstate(over="ignore"):
        h = splitmix(np.uint64(fnv(seed)) + np.arange(n, dtype=np.uint64))
    return (h >> np.uint64(40)).astype(np.float64) / 8388608.0 - 1.0


def formula_weight(key, shape):
    u = unit(key, int(np.prod(shape)))
    if ".bn." in key:
        variance = key.endswith(".running_var")
        u = (1.0 if variance or key.endswith(".weight") else 0.0) + (0.5 if variance else 0.1) * u
    elif len(shape) == 4:
        u = np.sqrt(3.0) * np.sqrt(2.0) / np.sqrt(float(np.prod(shape[1:]))) * u
    elif len(shape) == 2:
        u = np.sqrt(3.0) / np.sqrt(float(shape[1])) * u
    else:
        u = 0.1 * u
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


def formula_state(module):
    return {k: formula_weight(k, tuple(v.shape)) if v.dtype.is_floating_point else v for k, v in module.state_dict().items()}


def check_formula():
    """The values that the C program's test knows, too."""
    first = formula_weight("Conv2d_1a_3x3.conv.weight", (32, 3, 3, 3)).flatten()
    assert abs(first[863].item() + 0.0642071292) < 1e-9 and abs(first[0].item() + 0.151984453) < 1e-9


# ---- pictures ----


def write_pictures(folder, seed, n, h, w, bias):
    """Four coarse waves and noise: smooth enough that resizings differ little, and no two alike."""
    folder.mkdir(parents=True)
    y, x = np.mgrid[0:h, 0:w]
    for i in range(n):
        u = unit(f"{seed}/{i}", 32)
        picture = np.zeros((h, w, 3))
        for k in range(4):
            wave = np.sin(2 * np.pi * (3 * u[4 * k] * x / w + 3 * u[4 * k + 1] * y / h + u[4 * k + 2]))
            picture += wave[:, :, None] * (20 + 12 * u[16 + 3 * k : 19 + 3 * k])
        noise = unit(f"{seed}/{i}/noise", h * w * 3).reshape(h, w, 3)
        Image.fromarray(np.clip(118 + bias + 30 * u[28:31] + picture + 9 * noise, 0, 255).astype(np.uint8)).save(folder / f"{i:04d}.png")


# ---- both sides ----


class Ours:
    def __init__(self, ablate, work, weights):
        self.ablate, self.work, self.weights = ablate, work, weights
        self.env = dict(os.environ, ABLATE_CACHE=str(work / "cache"))

    def run(self, *args):
        done = subprocess.run([self.ablate, *map(str, args)], capture_output=True, text=True, env=self.env)
        if done.returncode:
            raise RuntimeError(f"ablate {' '.join(map(str, args))}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def scores(self, *args):
        return {s["metric"]: s["value"] for s in json.loads(self.run(*args, "--json"))["scores"]}

    def features(self, folder, resize):
        """The .npz of a folder's features and class scores, made once."""
        path = self.work / f"{folder.name}-{resize}.npz"
        if not path.exists():
            self.run("features", folder, "-e", "inception-2015", "-w", self.weights, "--resize", resize, "--logits", "-o", path)
        return path


class Table:
    def __init__(self):
        self.rows, self.bad = [], 0

    def add(self, peer, metric, theirs, ours, allowed, difference=None):
        difference = abs(theirs - ours) if difference is None else difference
        good = difference <= allowed  # false for NaN
        self.bad += not good
        row = f"| {peer} | {metric} | {theirs:.9g} | {ours:.9g} | {difference:.2g} | {allowed:g} |"
        self.rows.append(row)
        print(row + ("" if good else "  <-- outside"), flush=True)

    def features(self, peer, metric, theirs, path):
        ours = np.load(path)["features"].astype(np.float64)
        theirs = np.asarray(theirs, np.float64)
        if theirs.shape != ours.shape:
            raise ValueError(f"{peer}: features of {theirs.shape}, ours of {ours.shape}")
        self.add(peer, metric + ", largest", np.abs(theirs).max(), np.abs(ours).max(), FEATURES, np.abs(theirs - ours).max())

    def failed(self, peer, why):
        self.bad += 1
        print(f"| {peer} | failed: {why} | | | | |", flush=True)


class World:
    """What the comparisons share: the program, the pictures, the weights."""

    def __init__(self, ours, table, a, b, large, weights, state):
        self.ours, self.table, self.a, self.b, self.large, self.weights, self.state = ours, table, a, b, large, weights, state


def pixels(folder):
    return torch.from_numpy(np.stack([np.asarray(Image.open(f)) for f in sorted(folder.iterdir())])).permute(0, 3, 1, 2)


# ---- the peers, each as published ----


def pytorch_fid(w):
    from pytorch_fid import fid_score, inception

    inception.load_state_dict_from_url = lambda *_, **__: w.state

    def frechet(a, b):  # as its calculate_fid_given_paths does
        return fid_score.calculate_frechet_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))

    net = inception.InceptionV3([inception.InceptionV3.BLOCK_INDEX_BY_DIM[DIM]]).eval()
    files = {f: sorted(f.iterdir()) for f in (w.a, w.b, w.large)}
    with quiet():
        theirs = {f: fid_score.get_activations(files[f], net, batch_size=16, dims=DIM, device="cpu", num_workers=0) for f in files}
    for folder in (w.a, w.large):
        w.table.features("pytorch-fid", f"features of {folder.name}", theirs[folder], w.ours.features(folder, "torch-bilinear"))
    ours = w.ours.scores("fid", *(w.ours.features(f, "torch-bilinear") for f in (w.a, w.b)), "--no-interval")
    w.table.add("pytorch-fid", "FID, n < d", frechet(theirs[w.a], theirs[w.b]), ours["fid"], FID_FEW)
    x, y, paths = few_dimensions(w)
    theirs = frechet(x, y)
    w.table.add("pytorch-fid", "FID, 1500 vectors in 32 dimensions", theirs, w.ours.scores("fid", *paths, "--no-interval")["fid"], FID_MANY)


@contextlib.contextmanager
def quiet():
    """Without what a peer says of its progress."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def few_dimensions(w):
    """Two sets of vectors, n > d, as both sides' statistics and as .npz of features."""
    sets, paths = [], []
    for name, shift in (("x", 0.0), ("y", 0.25)):
        v = unit(f"vectors {name}", 1500 * 32 * 12).reshape(1500, 32, 12).sum(2) * 0.5
        v = ((v @ unit(f"mix {name}", 32 * 32).reshape(32, 32)) * 0.3 + shift).astype(np.float32)
        path = w.ours.work / f"vectors-{name}.npz"
        np.savez(path, features=v)
        sets.append(v.astype(np.float64))
        paths.append(path)
    return sets[0], sets[1], paths


def torch_fidelity(w):
    import torch_fidelity as theirs

    name = "inception-v3-compat"
    m = theirs.calculate_metrics(
        input1=str(w.a), input2=str(w.b), cuda=False, isc=True, fid=True, kid=True, prc=True, feature_extractor=name, batch_size=16,
        feature_extractor_weights_path=str(w.weights), kid_subsets=100, kid_subset_size=20, cache=False, verbose=False)
    a, b = (w.ours.features(f, "tf-bilinear") for f in (w.a, w.b))
    w.table.add("torch-fidelity", "FID, n < d", m["frechet_inception_distance"], w.ours.scores("fid", a, b, "--no-interval")["fid"], FID_FEW)
    ours = w.ours.scores("kid", a, b, "--subsets", 100, "--subset-size", 20)
    w.table.add("torch-fidelity", "KID, 100 subsets of 20", m["kernel_inception_distance_mean"], ours["kid_subsets"], KID_F32)
    w.table.add("torch-fidelity", "IS, shuffled, 10 splits", m["inception_score_mean"], w.ours.scores("is", a, "--shuffle")["is"], IS_F32)
    ours = w.ours.scores("pr", a, b)
    w.table.add("torch-fidelity", "precision, k = 3", m["precision"], ours["precision"], COUNTS)
    w.table.add("torch-fidelity", "recall, k = 3", m["recall"], ours["recall"], COUNTS)
    with quiet():
        net = theirs.utils.create_feature_extractor(name, [str(DIM)], cuda=False, feature_extractor_weights_path=str(w.weights))
    with torch.inference_mode():
        for folder in (w.a, w.large):
            w.table.features("torch-fidelity", f"features of {folder.name}", net(pixels(folder))[0].numpy(), w.ours.features(folder, "tf-bilinear"))


def clean_fid(w):
    from cleanfid import fid, inception_pytorch

    inception_pytorch.load_state_dict_from_url = lambda *_, **__: w.state
    bare = inception_pytorch.InceptionV3([3], resize_input=False, normalize_input=False).eval()

    def clean(x):  # the weights of its own network come as TorchScript; this is what that does with them
        return bare((x - 128) / 128)[0].flatten(1)

    for mode, resize, net in (("clean", "clean", clean),
                              ("legacy_pytorch", "torch-bilinear", fid.build_feature_extractor("legacy_pytorch", torch.device("cpu"), False))):
        f = {folder: fid.get_folder_features(str(folder), net, num_workers=0, batch_size=16, device=torch.device("cpu"), mode=mode, verbose=False)
             for folder in (w.a, w.b, w.large)}
        for folder in (w.a, w.large):
            w.table.features("clean-fid", f"{mode}: features of {folder.name}", f[folder], w.ours.features(folder, resize))
        paths = [w.ours.features(folder, resize) for folder in (w.a, w.b)]
        w.table.add("clean-fid", f"{mode}: FID, n < d", fid.fid_from_feats(f[w.a], f[w.b]), w.ours.scores("fid", *paths, "--no-interval")["fid"], FID_FEW)
        theirs = fid.kernel_distance(f[w.a], f[w.b], num_subsets=1)  # of one size: the subset is all
        w.table.add("clean-fid", f"{mode}: KID, all pairs", theirs, w.ours.scores("kid", *paths)["kid"], KID_F32)


def torchmetrics(w):
    from torchmetrics.functional.image.lpips import _LPIPS
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.inception import InceptionScore
    from torchmetrics.image.kid import KernelInceptionDistance

    a, b = pixels(w.a), pixels(w.b)
    m = FrechetInceptionDistance(feature=DIM, feature_extractor_weights_path=str(w.weights), antialias=False)
    for x, real in ((a, False), (b, True)):
        for part in x.split(16):
            m.update(part, real=real)
    paths = [w.ours.features(f, "tf-bilinear") for f in (w.a, w.b)]
    w.table.add("torchmetrics", "FID without antialias, n < d", m.compute().item(), w.ours.scores("fid", *paths, "--no-interval")["fid"], FID_FEW)

    class Given(torch.nn.Module):  # features computed before: its statistics are what is compared
        def __init__(self, key):
            super().__init__()
            self.key = key

        def forward(self, which):
            return torch.from_numpy(np.load(paths[int(which)])[self.key])

    m = KernelInceptionDistance(feature=Given("features"), subsets=1, subset_size=len(a))
    m.update(torch.tensor(0), real=False)
    m.update(torch.tensor(1), real=True)
    w.table.add("torchmetrics", "KID, all pairs", m.compute()[0].item(), w.ours.scores("kid", *paths)["kid"], KID_F32)
    inception_score(w, InceptionScore(feature=Given("logits"), splits=10), paths)
    for net in ("alex", "vgg", "squeeze"):
        lpips_of(w, "torchmetrics", net, _LPIPS(pretrained=True, net=net, pnet_rand=True).eval(), "lpips")


def inception_score(w, metric, paths):
    """Of a multiple of 10 pictures: its splits are torch.chunk's, of equal size but the last, others have bounds at i n / 10."""
    given, path = np.load(paths[0]), w.ours.work / "tens.npz"
    n = len(given["logits"]) // 10 * 10
    np.savez(path, features=given["features"][:n], logits=given["logits"][:n])
    paths[0] = path
    metric.update(torch.tensor(0))
    shuffle, torch.randperm = torch.randperm, lambda n, **_: torch.arange(n)  # its order is random; ours is the source's
    try:
        w.table.add("torchmetrics", f"IS of {n}, in order, 10 splits", metric.compute()[0].item(), w.ours.scores("is", path, "--no-shuffle")["is"], IS_F32)
    finally:
        torch.randperm = shuffle


def lpips_of(w, peer, net, module, package):
    """LPIPS of pairs of the two sets, with the published heads and a backbone by the formula."""
    import torchvision

    backbone = {"alex": torchvision.models.alexnet, "vgg": torchvision.models.vgg16, "squeeze": torchvision.models.squeezenet1_1}[net](weights=None)
    file = w.ours.work / f"{net}.pth"
    if not file.exists():
        torch.save(formula_state(backbone), file)
    state = torch.load(file)
    own = module.net.state_dict()  # slice1.0.weight, or slices.0.0.weight, is features.0.weight
    module.net.load_state_dict({k: state["features." + k.split(".", 2 if k.startswith("slices.") else 1)[-1]] for k in own})
    heads = importlib.metadata.distribution(package).locate_file(f"lpips/weights/v0.1/{net}.pth")
    a, b = (pixels(f).float() / 127.5 - 1 for f in (w.a, w.b))
    with torch.inference_mode():
        theirs = module(a, b).flatten()
    out = json.loads(w.ours.run("lpips", w.a, w.b, "--net", net, "--backbone", file, "--heads", heads, "--json"))
    ours = torch.tensor(out["pairs"], dtype=torch.float64)
    w.table.add(peer, f"LPIPS {net}, mean; largest difference", theirs.double().mean().item(), ours.mean().item(), LPIPS,
                (theirs.double() - ours).abs().max().item())


def lpips(w):
    import lpips as theirs

    for net in ("alex", "vgg", "squeeze"):
        lpips_of(w, "lpips", net, theirs.LPIPS(net=net, pnet_rand=True, verbose=False).eval(), "lpips")


def piq(w):
    import piq as theirs

    x, y, paths = few_dimensions(w)
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)
    w.table.add("piq", "FID, 1500 vectors in 32 dimensions", theirs.FID()(tx, ty).item(), w.ours.scores("fid", *paths, "--no-interval")["fid"], FID_PIQ)
    w.table.add("piq", "KID, all pairs", theirs.KID()(tx, ty).item(), w.ours.scores("kid", *paths)["kid"], KID_F32)
    precision, recall = theirs.PR(nearest_k=3)(ty, tx)
    ours = w.ours.scores("pr", *paths)
    w.table.add("piq", "precision, k = 3", precision.item(), ours["precision"], COUNTS)
    w.table.add("piq", "recall, k = 3", recall.item(), ours["recall"], COUNTS)


def prdc(w):
    from prdc import compute_prdc

    x, y, paths = few_dimensions(w)
    with quiet():
        theirs = compute_prdc(real_features=y, fake_features=x, nearest_k=5)
    ours = w.ours.scores("prdc", *paths)
    for name, score in (("precision", "precision_prdc"), ("recall", "recall_prdc"), ("density", "density"), ("coverage", "coverage")):
        w.table.add("prdc", f"{name}, k = 5", float(theirs[name]), ours[score], EXACT)


PEERS = {"pytorch-fid": pytorch_fid, "torch-fidelity": torch_fidelity, "clean-fid": clean_fid, "torchmetrics": torchmetrics, "lpips": lpips,
         "piq": piq, "prdc": prdc}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--ablate", default="build/ablate", help="the program")
    p.add_argument("--pictures", type=int, default=50, help="in each set, 20 or more")
    p.add_argument("--only", action="append", choices=list(PEERS), help="this peer; may be repeated")
    o = p.parse_args()
    warnings.filterwarnings("ignore")
    check_formula()
    import torchvision

    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        write_pictures(work / "a", "a", o.pictures, 32, 32, 0)
        write_pictures(work / "b", "b", o.pictures, 32, 32, 9)
        write_pictures(work / "large", "large", 4, 401, 350, 0)
        state = formula_state(torchvision.models.inception_v3(num_classes=1008, aux_logits=False, init_weights=False))
        weights = work / "inception.pth"
        torch.save(state, weights)
        table = Table()
        world = World(Ours(os.path.abspath(o.ablate), work, weights), table, work / "a", work / "b", work / "large", weights, state)
        print("| peer | what | theirs | ours | difference | allowed |\n|---|---|---|---|---|---|", flush=True)
        for name in o.only or PEERS:
            try:
                PEERS[name](world)
            except Exception as why:  # one that cannot be asked is told, and the others are asked
                traceback.print_exc(file=sys.stderr)
                table.failed(name, f"{type(why).__name__}: {why}")
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in [*(o.only or PEERS), "torch"])
    print(f"{len(table.rows)} compared, {table.bad} outside ({versions})")
    return 1 if table.bad else 0


if __name__ == "__main__":
    sys.exit(main())
