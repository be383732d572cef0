"""Training samples per second of MONAI's CacheDataset on one core, for `lacuna bench loader`.

The whole data set is cached (cache_rate 1.0) after loading and normalisation, so what is timed is
the random part of each sample alone: crop, mirror, and, for the second entry, the transforms of
Lacuna's heavy recipe with the same ranges and the same probability per channel (MONAI draws once
for all channels); then the collation into a batch. set_track_meta(False) and one thread: the
fastest way to run it on one core.

Without --data: four cases of the formula that `lacuna bench loader` uses without --data.

Usage: loader.py [--data NIFTI_COHORT] [--patch D,H,W] [--repeats N] [--heavy-repeats N]
Prints JSON: a list of entries with the fields of `lacuna bench loader --json`, one per recipe.
"""

import argparse
import json
import pathlib
import statistics
import time

import numpy
import torch
import monai
from monai import transforms as mt
from monai.data import CacheDataset, DataLoader


def find_cases(folder):
    """One dictionary per case directory that holds five volumes, BraTS names."""
    cases = []
    for directory in sorted(path for path in pathlib.Path(folder).rglob("*") if path.is_dir()):
        files = sorted(str(path) for path in directory.glob("*.nii.gz"))
        label = [path for path in files if "seg" in pathlib.Path(path).name]
        if len(files) == 5 and len(label) == 1:
            cases.append({"image": [path for path in files if path not in label], "label": label[0]})
    if not cases:
        raise SystemExit(f"{folder}: no case directory with four images and one seg file")
    return cases


def formula_cases():
    """What app/bench/bench_loader.cpp makes, as arrays in memory."""
    volume, offset, box, modalities = (155, 240, 240), (5, 30, 50), (140, 175, 140), 4
    inside = tuple(slice(start, start + size) for start, size in zip(offset, box))
    image = numpy.zeros((modalities, *volume), numpy.float32)
    voxel = numpy.arange(numpy.prod(box), dtype=numpy.int64).reshape(box)
    for m in range(modalities):
        image[m][inside] = 1 + (7919 * voxel + 977 * m) % 999
    d, h, w = numpy.ogrid[:box[0], :box[1], :box[2]]
    squared = (d - 60) ** 2 + (h - 80) ** 2 + (w - 60) ** 2
    label = numpy.zeros((1, *volume), numpy.uint8)
    label[0][inside] = numpy.select([squared < 200, squared < 500, squared < 1200], [3, 1, 2], 0)
    return [{"image": torch.from_numpy(image), "label": torch.from_numpy(label)} for _ in range(4)]


class AxialFirst(mt.Transform):
    """NIfTI axes (i, j, k) to D, H, W with D axial, as Lacuna's cache has them; a label channel."""

    def __call__(self, data):
        data = {"image": data["image"], "label": data["label"][None]}
        return {key: value.permute(0, 3, 1, 2).contiguous() for key, value in data.items()}


def deterministic(from_files):
    normalise = [mt.NormalizeIntensityd("image", nonzero=True, channel_wise=True)]
    if not from_files:
        return normalise
    load = [mt.LoadImaged(["image", "label"]), AxialFirst()]
    return load + normalise + [mt.CastToTyped("label", torch.uint8)]


def mirror(patch):
    both = ["image", "label"]
    flips = [mt.RandFlipd(both, prob=0.5, spatial_axis=axis) for axis in range(3)]
    return [mt.RandSpatialCropd(both, roi_size=patch, random_size=False)] + flips


def heavy(patch):
    both, degrees = ["image", "label"], numpy.pi / 180 * 15
    zoom = dict(mode=("bilinear", "nearest"), padding_mode="zeros")
    crop, *flips = mirror(patch)
    return [
        crop,
        mt.Rand3DElasticd(both, (9, 13), (0, 900), prob=0.2, **zoom),
        mt.RandAffined(both, prob=0.2, rotate_range=[degrees] * 3, **zoom),
        mt.RandAffined(both, prob=0.2, scale_range=[(-0.15, 0.25)] * 3, **zoom),
        mt.RandGaussianNoised("image", prob=0.1, std=0.1),
        mt.RandGaussianSmoothd("image", (0.5, 1), (0.5, 1), (0.5, 1), prob=0.1),
        mt.RandScaleIntensityd("image", factors=0.25, prob=0.15),
        mt.RandShiftIntensityd("image", offsets=0.1, prob=0.075),
        mt.RandScaleIntensityFixedMeand("image", factors=0.25, preserve_range=True, prob=0.15),
        mt.RandSimulateLowResolutiond("image", prob=0.125, zoom_range=(0.5, 1)),
        mt.RandAdjustContrastd("image", prob=0.15, gamma=(0.7, 1.5), retain_stats=True),
    ] + flips


def measure(name, cases, first_part, random_part, repeats):
    """Seconds per sample: the median over `repeats` of the mean of 16 samples, as Lacuna does."""
    data = CacheDataset(cases, mt.Compose(first_part + random_part), cache_rate=1.0,
                        num_workers=0, progress=False)
    loader = DataLoader(data, batch_size=1, shuffle=True, num_workers=0)

    def endless():
        while True:
            yield from loader

    batches = endless()

    def take(samples):
        start = time.perf_counter()
        for _ in range(samples):
            batch = next(batches)
            assert batch["image"].shape[:2] == (1, 4) and batch["image"].is_contiguous()
        return (time.perf_counter() - start) / samples

    take(2)  # allocates
    seconds = [take(16) for _ in range(repeats)]
    median = statistics.median(seconds)
    return {"name": name, "seconds": median, "fastest_seconds": min(seconds), "repeats": repeats,
            "samples_per_second": 1 / median, "samples_per_second_per_core": 1 / median,
            "cores": 1, "peer": f"MONAI {monai.__version__} CacheDataset"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of NIfTI cases, BraTS layout")
    parser.add_argument("--patch", default="80,160,160")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--heavy-repeats", type=int, default=2, help="0: leave the second out")
    arguments = parser.parse_args()
    patch = [int(size) for size in arguments.patch.split(",")]
    torch.set_num_threads(1)
    monai.data.set_track_meta(False)
    monai.utils.set_determinism(1)
    cases = find_cases(arguments.data) if arguments.data else formula_cases()
    first = deterministic(from_files=bool(arguments.data))
    entries = [measure("mirror", cases, first, mirror(patch), arguments.repeats)]
    if arguments.heavy_repeats > 0:
        entries.append(measure("heavy", cases, first, heavy(patch), arguments.heavy_repeats))
    print(json.dumps(entries, indent=1))


if __name__ == "__main__":
    main()
