"""Times the usual evaluation of a network of networks.py in PyTorch eager: one forward pass per subset and
window. Prints the fields of `lacuna bench eval --json`."""
import argparse
import json
import math
import os
import statistics
import time
from itertools import combinations

import torch

import networks

MODALITIES = 4
EXCLUSIVE = ("rfnet", "mmformer", "robust-mseg")  # their networks give probabilities of classes
OVERLAP = {False: 1 / 3, True: 1 / 2}


def subsets():
    """All 15, by size and then in canonical order."""
    for size in range(1, MODALITIES + 1):
        yield from combinations(range(MODALITIES), size)


def forward(method, model, window, subset):
    """Missing channels are zero; missing bottlenecks are the mean of the available (shared) ones."""
    if method in EXCLUSIVE:  # features are masked, in their own order of modalities
        mask = torch.tensor([[networks.CHANNELS[k] in subset for k in range(MODALITIES)]])
        return model(window, mask.expand(len(window), -1))
    image = torch.zeros_like(window)
    image[:, list(subset)] = window[:, list(subset)]
    if method == "unet":
        return model(image)
    n, m = image.shape[:2]
    features, skips, _ = model.encoder(image.reshape(n * m, 1, *image.shape[2:]))
    features = features.reshape(n, m, *features.shape[1:])
    filled = features.clone()
    missing = [i for i in range(m) if i not in subset]
    filled[:, missing] = features[:, list(subset)].mean(1, keepdim=True)
    if method == "shaspec":
        for i in subset:
            private = model.private[i](image[:, i:i + 1])[0]
            filled[:, i] += model.compose(torch.cat((features[:, i], private), 1))
    return model.decoder(filled.flatten(1, 2), [s.reshape(n, -1, *s.shape[2:]) for s in skips])


def window_starts(extent, patch, overlap):
    stride = math.ceil((1 - overlap) * patch - 1e-9)
    return [*range(0, extent - patch, stride), extent - patch]


def segment(method, model, volume, patch, subset):
    """Mean of the probabilities over windows along D, then WT -> TC -> ET, or the likeliest class."""
    classes = method in EXCLUSIVE
    total = torch.zeros(1, 4 if classes else 3, *volume.shape[2:])
    count = torch.zeros(volume.shape[2])
    for start in window_starts(volume.shape[2], patch[0], OVERLAP[classes]):
        output = forward(method, model, volume[:, :, start:start + patch[0]], subset)
        total[:, :, start:start + patch[0]] += output if classes else output.sigmoid()
        count[start:start + patch[0]] += 1
    probability = total / count.view(1, 1, -1, 1, 1)
    if classes:
        return probability[0].argmax(0).to(torch.uint8)
    labels = torch.zeros(volume.shape[2:], dtype=torch.uint8)
    for channel, tissue in ((1, 2), (2, 1), (0, 3)):
        labels[probability[0, channel] > 0.5] = tissue
    return labels


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", default="mckd", choices=sorted(networks.KINDS))
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--patch", type=int, nargs=3, default=(64, 64, 64))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    sized = (options.patch,) if options.method in networks.SIZED else ()
    model = networks.KINDS[options.method](*sized, width=options.width)
    model.eval()
    depth, height, width = options.patch
    volume = torch.randn(1, MODALITIES, depth + depth // 2, height, width)
    times = []
    with torch.inference_mode():
        for _ in range(options.warm_up + options.repeats):
            start = time.perf_counter()
            for subset in subsets():
                segment(options.method, model, volume, options.patch, subset)
            times.append(time.perf_counter() - start)
    times = times[options.warm_up:]
    print(json.dumps({
        "bench": "eval",
        "peer": f"PyTorch {torch.__version__} eager",
        "threads": options.threads,
        "entries": [{
            "name": options.method,
            "seconds": statistics.median(times),
            "fastest_seconds": min(times),
            "repeats": options.repeats,
            "subsets": len(list(subsets())),
            "windows": len(window_starts(volume.shape[2], depth,
                                         OVERLAP[options.method in EXCLUSIVE])),
        }],
    }))


if __name__ == "__main__":
    main()
