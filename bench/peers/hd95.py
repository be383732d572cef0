"""Times HD95 of three regions of one case with MONAI (directed) and medpy (pooled), from ready
binary masks. Prints the fields of `lacuna bench hd95 --json`; the case is made by the formula of
app/bench/bench_hd95.cpp, so the HD95 values must agree."""
import argparse
import json
import os
import statistics
import time
import warnings

import medpy.metric.binary
import monai
import numpy as np
import torch
from importlib.metadata import version
from monai.metrics import compute_hausdorff_distance

EXTENT = (155, 240, 240)


def add_body(labels, centre, weight, limit, seed, tissue):
    position = np.meshgrid(*(np.arange(n, dtype=np.int64) for n in EXTENT), indexing="ij", sparse=True)
    blocks = [axis >> 2 for axis in position]
    hashed = blocks[0] * 73856093 ^ blocks[1] * 19349663 ^ blocks[2] * 83492791 ^ seed * 2654435761
    rough = (hashed >> 7 & 255) * limit // 1024
    radius = sum(k * (axis - c) ** 2 for k, axis, c in zip(weight, position, centre))
    labels[radius + rough <= limit] = tissue


def make_case(shift, seed):
    labels = np.zeros(EXTENT, np.uint8)
    add_body(labels, (70 + shift, 110, 150 - shift), (10, 8, 9), 12000, seed, 2)
    add_body(labels, (72, 112 + shift, 150), (10, 9, 11), 4500, seed + 1, 1)
    add_body(labels, (74, 110 + shift, 148 + shift), (10, 12, 9), 1800, seed + 2, 3)
    if shift:
        add_body(labels, (60, 160, 90), (10, 10, 10), 250, seed + 3, 2)
    return labels


def regions(labels):
    return np.stack([labels == 3, (labels == 1) | (labels == 3), labels > 0])


def main():
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    prediction, truth = regions(make_case(3, 11)), regions(make_case(0, 1))
    batches = [torch.from_numpy(mask)[None].float() for mask in (prediction, truth)]

    def directed():
        return compute_hausdorff_distance(*batches, include_background=True, percentile=95)[0].tolist()

    def pooled():
        return [float(medpy.metric.binary.hd95(p, t)) for p, t in zip(prediction, truth)]

    entries = []
    for name, work, peer in (("directed", directed, f"MONAI {monai.__version__}"),
                             ("pooled", pooled, f"medpy {version('medpy')}")):
        times = []
        for _ in range(options.warm_up + options.repeats):
            start = time.perf_counter()
            values = work()
            times.append(time.perf_counter() - start)
        times = times[options.warm_up:]
        entries.append({
            "name": name,
            "peer": peer,
            "seconds": statistics.median(times),
            "fastest_seconds": min(times),
            "repeats": options.repeats,
            "hd95_mm": values,
            "predicted_voxels": [int(mask.sum()) for mask in prediction],
            "true_voxels": [int(mask.sum()) for mask in truth],
        })
    print(json.dumps({"bench": "hd95", "peer": "MONAI and medpy", "threads": options.threads,
                      "entries": entries}))


if __name__ == "__main__":
    main()
