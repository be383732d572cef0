"""Times HD95 and NSD of three regions of one case with surface-distance. Prints the fields of the
entry `surface` of `lacuna bench scores --json`; the case is that of case.py, so the values must
agree. Needs the package surface-distance (pip install surface-distance)."""
import argparse
import json
import os
import statistics
import time
from importlib.metadata import version

import surface_distance

from case import make_case, regions


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1)
    options = parser.parse_args()
    prediction, truth = regions(make_case(3, 11)), regions(make_case(0, 1))

    def score():
        values = {"surface.hd95_mm": [], "surface.nsd_1mm": [], "surface.nsd_2mm": []}
        for p, t in zip(prediction, truth):
            distances = surface_distance.compute_surface_distances(t, p, (1, 1, 1))
            values["surface.hd95_mm"].append(surface_distance.compute_robust_hausdorff(distances, 95))
            for mm in (1, 2):
                values[f"surface.nsd_{mm}mm"].append(
                    surface_distance.compute_surface_dice_at_tolerance(distances, mm))
        return values

    seconds, cpu = [], []
    for number in range(options.warm_up + options.repeats):
        wall, processor = time.perf_counter(), time.process_time()
        values = score()
        if number >= options.warm_up:
            seconds.append(time.perf_counter() - wall)
            cpu.append(time.process_time() - processor)
    entry = {"name": "surface", "seconds": statistics.median(seconds), "fastest_seconds": min(seconds),
             "cpu_seconds": statistics.median(cpu), "repeats": options.repeats, **values}
    print(json.dumps({"bench": "scores", "threads": options.threads,
                      "versions": {"surface-distance": version("surface-distance")},
                      "entries": [entry]}))


if __name__ == "__main__":
    main()
