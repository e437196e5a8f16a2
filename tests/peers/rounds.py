"""What the peers' scripts share: their options, PyTorch's best environment, and rounds of this program and PyTorch in turn."""
import json
import os
import statistics
import subprocess
import sys


def add_options(parser):
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--channels-last", action="store_true", help="NHWC instead of NCHW")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--dtype", default="fp32", choices=["fp32", "tf32", "bf16"], help="of products and convolutions")
    parser.add_argument("--peer-dtype", choices=["fp32", "tf32", "bf16"], help="of the peer's, where it is another")
    parser.add_argument("--batch", type=int, help="images at a time, instead of the default")
    parser.add_argument("--compile", nargs="?", const="blocks", choices=["blocks", "whole"], help="torch.compile: each block (default), or all in one")
    parser.add_argument("--beside", metavar="ABLATE", help="the program to measure in turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--here", action="store_true", help="in this process, PyTorch alone")


def check(parser, options):
    """Ends the script where PyTorch cannot do what is asked."""
    try:
        import torch
    except ImportError as e:
        sys.exit("%s: %s (pip install -r tests/peers/requirements.txt)" % (parser.prog, e))
    version = [int(x) for x in torch.__version__.split(".")[:2]]
    if version < [1, 13] or (version < [2, 0] and (options.compile or options.device != "cpu")):
        parser.error("PyTorch %s: 2 or newer is needed, or 1.13 on a CPU without --compile" % torch.__version__)
    if options.device != "cpu" and not torch.cuda.is_available():
        parser.error("--device %s: PyTorch finds no CUDA device" % options.device)


def prepare(options):
    """Settings of this process. Returns torch."""
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.device != "cpu":
        torch.set_default_device(options.device)
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.dtype != "fp32"
    return torch


def autocast(options):
    import torch

    return torch.autocast(options.device.split(":")[0], dtype=torch.bfloat16, enabled=options.dtype == "bf16")


def about(options):
    """What a row says of the machine and the settings."""
    import torch

    return {
        "device": torch.cuda.get_device_name() if options.device != "cpu" else "cpu",
        "dtype": options.dtype,
        "compiled": options.compile,
        "threads": options.threads,
        "channels_last": options.channels_last,
        "torch": torch.__version__,
    }


def tuned():
    """The environment that serves PyTorch best on this machine; what is set already stays."""
    try:
        with open("/proc/cpuinfo") as f:
            flags = f.read()
    except OSError:
        flags = ""
    best = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(32 << 30)}
    if " avx512f" in flags:
        best["OPENBLAS_CORETYPE"] = "SkylakeX"
    elif " avx2" in flags:
        best["OPENBLAS_CORETYPE"] = "Haswell"
    return {**best, **os.environ}


def shared(options, dtype):
    """What both are told alike."""
    told = ["--seconds", str(options.seconds), "--threads", str(options.threads), "--device", options.device, "--dtype", dtype]
    return told + (["--batch", str(options.batch)] if options.batch else [])


def peer(script, options, *what):
    """The script itself, in a process of its own."""
    command = [sys.executable, script, *what, "--here", *shared(options, options.peer_dtype or options.dtype)]
    command += ["--channels-last"] if options.channels_last else []
    command += ["--compile=" + options.compile] if options.compile else []
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=tuned()).stdout)


def ours(options, bench, *what):
    command = [options.beside, "bench", bench, *what, *shared(options, options.dtype), "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)[bench]


def beside(name, options, ours, theirs):
    """Rounds of both, in turn: the medians, the range of the ratios of neighbours, and the last row of each."""
    rounds, ratios = [], []
    for _ in range(options.rounds):
        x, y = ours(), theirs()
        rounds.append((x, y))
        ratios.append(x["images_per_s"] / y["images_per_s"])
        print("%s: %.4g and %.4g images/s" % (name, x["images_per_s"], y["images_per_s"]), file=sys.stderr, flush=True)
    return {
        "config": name,
        "rounds": options.rounds,
        "images_per_s": statistics.median(x["images_per_s"] for x, _ in rounds),
        "peer_images_per_s": statistics.median(y["images_per_s"] for _, y in rounds),
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "ours": rounds[-1][0],
        "peer": rounds[-1][1],
    }
