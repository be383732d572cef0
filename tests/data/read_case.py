"""Reads a case file with h5py and compares it with raw voxels: read_case.py CASE.h5 REFERENCE.bin"""
import sys

import h5py
import hdf5plugin  # noqa: F401  registers filter 32004
import numpy as np

case, reference = sys.argv[1:]
raw = open(reference, "rb").read()
with h5py.File(case) as file:
    image, label = file["image"], file["label"][:]
    count = int(np.prod(image.shape))
    if file.attrs["element"] == b"float16":
        expected = np.frombuffer(raw, np.float32, count).reshape(image.shape)
        scale, offset = (file.attrs[name].reshape(-1, 1, 1, 1) for name in ("scale", "offset"))
        found = image[:].astype(np.float64) * scale + offset
        # An absent modality is stored as 0 and means its background.
        present = [m for m in range(image.shape[0]) if int(file.attrs["available"]) >> m & 1]
        close = np.abs(found - expected)[present] <= np.abs(expected - offset)[present] / 2048
        same = bool(close.all()) and image.dtype == np.float16
    else:
        expected = np.frombuffer(raw, np.int16, count).reshape(image.shape)
        same = image.dtype == np.int16 and np.array_equal(image[:], expected)
    same &= np.array_equal(label, np.frombuffer(raw[-label.size:], np.uint8).reshape(label.shape))
    whole = np.isin(label, [1, 2, 3]).ravel().nonzero()[0]
    same &= np.array_equal(file["foreground/WT"][:], whole)
    same &= [m.decode() for m in file.attrs["modalities"]] == ["FLAIR", "T1", "T1c", "T2"]
    same &= list(file.attrs["box_offset"]) == [3, 4, 5] and file.attrs["institution"] == b"TCIA01"
    same &= file.attrs["statistics"].shape == (4, 16) and len(file.attrs["statistics_names"]) == 16
    same &= file.attrs["affine"].shape == (4, 4)
print("equal" if same else "different")
