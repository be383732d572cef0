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
import torch
from importlib.metadata import version
from monai.metrics import compute_hausdorff_distance

from case import make_case, regions


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
