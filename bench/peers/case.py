"""The case of `lacuna bench hd95` and `scores`: label maps by the integer formula of
app/bench/bench_hd95.cpp."""
import numpy as np

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
