"""Times a nibabel + NumPy + h5py script that makes the same case files as `lacuna ingest`: the same
checks, statistics, crop, foreground lists and layout, one process per core. Prints the fields of
`lacuna bench ingest --json`. Usage: ingest.py --data NIFTI_COHORT [--threads N]"""
import argparse
import json
import multiprocessing
import os
import pathlib
import shutil
import statistics
import tempfile
import time

import h5py
import hdf5plugin
import nibabel
import numpy as np

SUFFIXES = [("_flair", "_t1", "_t1ce", "_t2", "_seg"), ("-t2f", "-t1n", "-t1c", "-t2w", "-seg")]
REGIONS = {"ET": (3,), "TC": (1, 3), "WT": (1, 2, 3)}


def load(path):
    image = nibabel.load(path)
    return np.transpose(np.asanyarray(image.dataobj), (2, 0, 1)), image.affine


def measure(volume):
    background = volume[0, 0, 0]
    values = volume[volume != background]
    histogram, _ = np.histogram(volume, bins=int(volume.max()))
    cap = np.argwhere(histogram >= 50)[-1, 0]
    capped = np.minimum(values, cap)
    low, high = np.percentile(volume[volume > 0], (1, 99))
    return (volume.min(), volume.max(), background, values.mean(), values.std(), cap, capped.mean(),
            capped.std(), low, high)


def ingest(job):
    directory, out, codec = job
    name = directory.name
    suffixes = next(s for s in SUFFIXES if (directory / f"{name}{s[0]}.nii.gz").exists())
    loaded = [load(directory / f"{name}{suffix}.nii.gz") for suffix in suffixes]
    *volumes, label = (volume for volume, _ in loaded)
    assert all(v.shape == label.shape for v in volumes)
    assert all(np.allclose(affine, loaded[0][1], atol=0.1) for _, affine in loaded)
    assert all(np.isfinite(v).all() for v in volumes)
    assert np.isin(label, (0, 1, 2, 3, 4)).all()
    tissue = np.where(label == 4, 3, label).astype(np.uint8)
    content = np.any([v != v[0, 0, 0] for v in volumes], axis=0) | (tissue > 0)
    box = []
    for axis in range(3):
        where = np.flatnonzero(content.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(where[0], where[-1] + 1))
    box = tuple(box)
    image = np.stack([v[box] for v in volumes]).astype(np.int16)
    tissue = tissue[box]
    packed = codec == "lz4"
    filters = {"shuffle": True, **hdf5plugin.LZ4()} if packed else {}
    with h5py.File(out / f"{name}.h5", "w") as file:
        file.create_dataset("image", data=image, chunks=(1, 32, 32, 32) if packed else None, **filters)
        file.create_dataset("label", data=tissue, chunks=(32, 32, 32) if packed else None, **filters)
        for region, values in REGIONS.items():
            voxels = np.flatnonzero(np.isin(tissue, values)).astype(np.uint32)
            file.create_dataset(f"foreground/{region}", data=voxels)
        file.attrs["statistics"] = np.array([measure(v) for v in volumes], np.float64)
        file.attrs["affine"] = loaded[0][1]
        file.attrs["box_offset"] = [s.start for s in box]
    return (out / f"{name}.h5").stat().st_size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1)
    options = parser.parse_args()
    cases = sorted({path.parent for path in options.data.rglob("*.nii.gz")})
    entries = []
    with multiprocessing.Pool(options.threads) as pool:
        for codec in ("none", "lz4"):
            times, size = [], 0
            for _ in range(options.warm_up + options.repeats):
                out = pathlib.Path(tempfile.mkdtemp(prefix="lacuna-bench-"))
                start = time.perf_counter()
                size = sum(pool.imap_unordered(ingest, [(case, out, codec) for case in cases]))
                times.append(time.perf_counter() - start)
                shutil.rmtree(out)
            times = times[options.warm_up:]
            entries.append({"name": codec, "seconds": statistics.median(times),
                            "fastest_seconds": min(times), "repeats": options.repeats,
                            "cases": len(cases),
                            "cases_per_second": len(cases) / statistics.median(times),
                            "cache_bytes": size})
    print(json.dumps({"bench": "ingest", "peer": "nibabel + NumPy + h5py",
                      "threads": options.threads, "entries": entries}))


if __name__ == "__main__":
    main()
