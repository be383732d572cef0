"""Prints what TensorBoard itself reads from a log directory, as JSON.

Usage: check_events.py DIRECTORY
"""
import json
import math
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

log = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0, "tensors": 0})
log.Reload()
tags = log.Tags()
hparams = {}
for content in log.summary_metadata.values():
    if content.plugin_data.plugin_name == "hparams":
        data = plugin_data_pb2.HParamsPluginData.FromString(content.plugin_data.content)
        for name, value in data.session_start_info.hparams.items():
            hparams[name] = getattr(value, value.WhichOneof("kind"))
finite = lambda value: value if math.isfinite(value) else None
print(json.dumps({
    "scalars": {tag: [[e.step, finite(e.value), e.wall_time] for e in log.Scalars(tag)]
                for tag in tags["scalars"]},
    "images": {tag: [[e.step, e.width, e.height, e.encoded_image_string[:4].hex()]
                     for e in log.Images(tag)] for tag in tags["images"]},
    "hparams": hparams,
}))
