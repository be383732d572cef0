"""Times a training step of a method in PyTorch eager: forward, loss, backward, and SGD with Nesterov
momentum or (MST-KDNet, the joint phase; RFNet; mmFormer) Adam. Prints the fields of `lacuna bench step --json`."""
import argparse
import json
import os
import statistics
import time

import torch

import networks


def memory(key):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(key))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", default="mckd", choices=sorted(networks.KINDS))
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--patch", default="64,64,64")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1)
    parser.add_argument("--layout", default="contiguous", choices=("contiguous", "channels_last"))
    options = parser.parse_args()

    options.patch = [int(extent) for extent in options.patch.split(",")]
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    torch.ones(8).sum()
    before = memory("VmRSS")
    kind = networks.KINDS[options.method]
    sized = (options.patch,) if options.method in networks.SIZED else ()
    model = kind(*sized, width=options.width)
    image = torch.randn(options.batch, 4, *options.patch)
    label = torch.randint(0, 4, (options.batch, *options.patch), dtype=torch.uint8)
    if options.layout == "channels_last":
        model = model.to(memory_format=torch.channels_last_3d)
        image = image.contiguous(memory_format=torch.channels_last_3d)
    if options.method == "mst-kdnet":
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-4,
                                     weight_decay=1e-5)
    elif options.method == "pmkl":
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3,
                                    momentum=0.9, weight_decay=1e-5)
    elif options.method == "robust-mseg":
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, weight_decay=1e-4)
    elif options.method in networks.OWN_LOSS:
        optimizer = torch.optim.Adam(model.parameters(), lr=2e-4, weight_decay=1e-4, amsgrad=True)
    else:
        optimizer = torch.optim.SGD(
            [p for n, p in model.named_parameters() if n != "importance"],
            lr=1e-2, momentum=0.99, nesterov=True)
    parts = {"forward_seconds": [], "backward_seconds": [], "optimizer_seconds": []}
    times, processor = [], []
    for _ in range(options.warm_up + options.repeats):
        start, cpu_start = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        loss = networks.loss_of(options.method, model, image, label)
        loss.item()
        forward = time.perf_counter()
        loss.backward()
        backward = time.perf_counter()
        optimizer.step()
        end = time.perf_counter()
        times.append(end - start)
        processor.append(time.process_time() - cpu_start)
        for key, value in zip(parts, (forward - start, backward - forward, end - backward)):
            parts[key].append(value)
    times = times[options.warm_up:]
    entry = {
        "name": options.method,
        "seconds": statistics.median(times),
        "fastest_seconds": min(times),
        "cpu_seconds": statistics.median(processor[options.warm_up:]),
        "repeats": options.repeats,
        "parameters": sum(p.numel() for p in model.parameters()),
        "peak_bytes": memory("VmHWM"),
        "step_bytes": memory("VmHWM") - before,
        "layout": options.layout,
        **{key: statistics.median(value[options.warm_up:]) for key, value in parts.items()},
    }
    print(json.dumps({"bench": "step", "peer": f"PyTorch {torch.__version__} eager",
                      "threads": options.threads, "entries": [entry]}))


if __name__ == "__main__":
    main()
