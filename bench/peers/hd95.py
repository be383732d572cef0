"""HD95 of three regions by MONAI and medpy, for `lacuna bench hd95`.

Usage: hd95.py MASKS.safetensors REPEATS
The file holds uint8 tensors `prediction` and `truth` (regions x D x H x W, 0 or 1) and `spacing`
(float64, D, H, W, mm). Prints one JSON object: per peer the seconds of each repeat for all regions
together and the HD95 per region.
"""
import json
import os
import struct
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
DTYPES = {"U8": np.uint8, "F64": np.float64}


def read_tensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], DTYPES[entry["dtype"]]).reshape(
            entry["shape"]
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def measure(function, repeats):
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        values = function()
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds, "hd95": [float(value) for value in values]}


def main():
    import medpy.metric.binary as medpy
    import torch
    from monai.metrics import compute_hausdorff_distance

    torch.set_num_threads(int(os.environ.get("LACUNA_THREADS", "1")))
    tensors = read_tensors(sys.argv[1])
    repeats = int(sys.argv[2])
    prediction, truth = tensors["prediction"].copy(), tensors["truth"].copy()
    spacing = tuple(float(value) for value in tensors["spacing"])

    prediction_batch = torch.from_numpy(prediction)[None].float()
    truth_batch = torch.from_numpy(truth)[None].float()

    def run_monai():
        return compute_hausdorff_distance(
            prediction_batch, truth_batch, include_background=True, percentile=95, spacing=spacing
        )[0].tolist()

    def run_medpy():
        return [
            medpy.hd95(p, t, voxelspacing=spacing)
            for p, t in zip(prediction.astype(bool), truth.astype(bool))
        ]

    print(json.dumps({"monai": measure(run_monai, repeats), "medpy": measure(run_medpy, repeats)}))


if __name__ == "__main__":
    main()
