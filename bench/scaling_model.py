#!/usr/bin/env python3
"""Prints the modelled step times of docs/scaling.md as Markdown tables.

Usage: bench/scaling_model.py [--bytes N] [--compute-ms A,B] [--bucket-bytes N]
Time of one sum: NCCL's own cost model (src/graph/tuning.cc at 01afd20, ncclTopoTuneModel and
ncclTopoGetAlgoTime), the better of ring/Simple and tree/LL128. What is not modelled: ranks that are
slower than others, traffic of other jobs on the network.
"""
import argparse
import math

GPUS_PER_NODE = 8
# us, from the same file (baseLat, hwLat): ring/Simple and tree/LL128 over NVLink and the network.
RING_BASE, RING_NVLINK, RING_NET = 8.4, 3.4, 9.6
TREE_BASE, TREE_NVLINK, TREE_NET = 4.4, 1.2, 8.5
RING_PLATEAU = 1.9  # large sums over several nodes
TREE_SHARE = 0.9 * 0.915  # of the bus bandwidth, for trees and for LL128's flags
BACKWARD = 2 / 3  # of forward and backward: the products with weights and with inputs, against one

# GB/s in one direction: inside a node per GPU, and out of a node in all.
LINKS = {
    "NVLink 450 GB/s, 8 x 400 Gb/s per node": (450, 400),
    "NVLink 450 GB/s, 1 x 100 Gb/s per node": (450, 12.5),
}


def sum_us(size, ranks, links):
    """Microseconds for the sum of `size` bytes over `ranks` GPUs."""
    if ranks == 1:
        return 0.0
    inside, outside = links
    nodes = math.ceil(ranks / GPUS_PER_NODE)
    per_node = ranks / nodes
    bus = inside if nodes == 1 else min(inside, outside)
    steps, net_steps = 2 * (ranks - 1), 2 * (nodes - 1)
    latency = RING_BASE + (steps - net_steps) * RING_NVLINK + net_steps * RING_NET
    if nodes > 1 and size >= ranks / 16 * 65536:
        latency *= RING_PLATEAU
    ring = latency + size / (1000 * bus * ranks / steps)
    tree_latency = TREE_BASE + 2 * ((per_node - 1) * TREE_NVLINK + math.log2(nodes) * TREE_NET)
    tree = tree_latency + size / (1000 * bus * TREE_SHARE / 2)
    return min(ring, tree)


def step_ms(compute_ms, total, bucket, ranks, links):
    """Compute, and what of the sums backward does not hide: all but the last bucket may overlap."""
    buckets = [bucket] * (total // bucket) + ([total % bucket] if total % bucket else [])
    times = [sum_us(size, ranks, links) / 1000 for size in buckets]
    exposed = max(times[-1], sum(times) - BACKWARD * compute_ms)
    return compute_ms + exposed, sum(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=int, default=100_000_000, help="gradients of one step")
    parser.add_argument("--compute-ms", default="14.3,100", help="forward and backward on one GPU")
    parser.add_argument("--bucket-bytes", type=int, default=25 << 20)
    options = parser.parse_args()
    for name, links in LINKS.items():
        print(f"\n{name}, {options.bytes / 1e6:.0f} MB per step\n")
        print("| GPUs | sums (ms) |", end="")
        computes = [float(each) for each in options.compute_ms.split(",")]
        for compute in computes:
            print(f" step of {compute:g} ms | efficiency |", end="")
        print("\n|---|---|" + "---|---|" * len(computes))
        for ranks in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
            cells = []
            for compute in computes:
                step, sums = step_ms(compute, options.bytes, options.bucket_bytes, ranks, links)
                cells.append(f" {step:.2f} | {100 * compute / step:.1f} % |")
            print(f"| {ranks} | {sums:.2f} |" + "".join(cells))


if __name__ == "__main__":
    main()
