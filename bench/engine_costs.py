#!/usr/bin/env python3
"""What the engine adds to a step of training, from real runs of `lacuna train` on a phantom.

Usage: bench/engine_costs.py [BUILD] [--rounds N] [--steps N] [--width W] [--patch P]

Runs alternate with and without the part in question; the first steps of each are left out.
  meta        an async meta phase on a validation rank with a core of its own: the trainer's steps
  within      the same inside one run, where the machine's own speed drifts less: all steps against
              those after a result was taken and before the next phase, when the validation rank
              rests
  beside      for comparison: what an unrelated process on the other core costs those steps, by the
              memory and caches that cores share, which no engine can help
  monitor     heartbeats every second, rank watch and status server: the steps, and (exact, for
              differences of steps drown in noise) the processor time of those threads
  checkpoint  for how long a save stops training, as a share of the default interval
  validation  a validation that takes the validation rank some hundred steps: the trainers' steps
              while it is out against those while that rank rests
  restart     from the loss of a rank (SIGKILL) to the first step that is done again
"""
import argparse
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parent.parent
WARM_UP = 3  # steps
WATCHERS = ("heartbeat", "rank watch", "status server")
CLOCK = os.sysconf("SC_CLK_TCK")


def threads_of(directory):
    """Processor seconds of every thread of the processes that train in `directory`, by name."""
    used = {}
    for process in pathlib.Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            if not process.name.isdigit() or str(directory) not in words or "mpirun" in words[0]:
                continue
            for task in (process / "task").iterdir():
                name, fields = (task / "stat").read_text().split("(", 1)[1].rsplit(") ", 1)
                fields = fields.split()
                key = (process.name, task.name)
                used[key] = (name, (int(fields[11]) + int(fields[12])) / CLOCK)
        except OSError:
            continue  # it has ended
    return used


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lost_share(port):
    """Of the time of rank 0's steps so far: what it spent on handing jobs to the validation rank
    and on taking or awaiting the results. None while the run does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            text = answer.read().decode()
    except OSError:
        return None

    def total(name, *labels):
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith(name + "{") and all(label in line for label in labels))

    steps = total("lacuna_train_step_seconds_sum")
    lost = total("lacuna_collective_seconds_sum", 'op="validation_rank"', 'rank="0"')
    return lost / steps if steps else None


class Bench:
    def __init__(self, build, folder, options):
        self.program, self.folder, self.options = build / "lacuna", folder, options
        self.count = 0
        self.call("phantom", "--out", folder / "phantom", "--cases", "10", "--size", "96,112,96",
                  "--quiet")
        self.call("ingest", "--in", folder / "phantom", "--out", folder / "cache", "--quiet")

    def call(self, *words):
        done = subprocess.run([str(self.program), *map(str, words)], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"engine_costs: lacuna {words[0]}: exit code {done.returncode}\n{done.stderr}")

    def train(self, ranks, changes):
        """Means over the run: seconds per step; events; processor time of threads; wall time."""
        patch = [self.options.patch] * 3
        run = {"method": self.options.method, "data": {"cache": str(self.folder / "cache"),
                                                       "patch": patch, "loader_threads": 1},
               "model": {"width": self.options.width}, "validate": {"every": 0},
               "train": {"steps": self.options.steps, "batch": 1, "threads": 1},
               "checkpoint": {"every_steps": 0, "every_seconds": 0}, "log": {"every": 1}}
        port = free_port()
        for path, value in {**changes, "monitor.metrics_port": port}.items():
            section, key = path.split(".")
            run.setdefault(section, {})[key] = value
        self.count += 1
        out = self.folder / f"run-{self.count}"
        (self.folder / "run.json").write_text(json.dumps(run))
        command = [str(self.program), "train", str(self.folder / "run.json"), "--out", str(out),
                   "--quiet"] + (["--ranks", str(ranks)] if ranks > 1 else [])
        log = open(self.folder / "log", "w", encoding="utf-8")
        start, threads, lost = time.monotonic(), {}, None
        with subprocess.Popen(command, stdout=log, stderr=log) as process:
            while process.poll() is None:
                threads.update(threads_of(out))
                if ranks > 1:
                    lost = lost_share(port) or lost
                time.sleep(0.2 if ranks == 1 else 1)
        if process.returncode != 0:
            sys.exit(f"engine_costs: exit code {process.returncode} from {' '.join(command)}\n"
                     + (self.folder / "log").read_text())
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
        timed = [line for line in lines if "seconds" in line][WARM_UP:]  # the others: late scores
        steps = [line["seconds"]["step"] for line in timed]
        return {"lines": lines, "step": statistics.mean(steps), "median": statistics.median(steps),
                "steps": {line["step"]: line["seconds"]["step"] for line in timed},
                "events": events, "threads": threads, "lost": lost,
                "wall": time.monotonic() - start}

    def compare(self, ranks, common, without, with_it):
        return self.alternate(lambda: self.train(ranks, {**common, **without}),
                              lambda: self.train(ranks, {**common, **with_it}))

    def alternate(self, without, with_it):
        results = {"without": [], "with": []}
        for _ in range(self.options.rounds):
            results["without"].append(without())
            results["with"].append(with_it())
        return results

    def train_beside_another(self):
        patch = ",".join([str(self.options.patch)] * 3)
        command = [self.program, "bench", "step", "--methods", self.options.method, "--width",
                   self.options.width, "--patch", patch, "--batch", 1, "--threads", 1,
                   "--repeats", 10 ** 6]
        with subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL) as other:
            try:
                return self.train(1, {})
            finally:
                other.kill()


def difference(results):
    mean = {name: statistics.median(run["step"] for run in runs) for name, runs in results.items()}
    spread = [100 * (run["step"] / mean["without"] - 1) for run in results["without"]]
    return (f"step {1e3 * mean['without']:.1f} ms without, {1e3 * mean['with']:.1f} ms with: "
            f"{100 * (mean['with'] / mean['without'] - 1):+.2f} % "
            f"(runs without differ by {min(spread):+.2f} to {max(spread):+.2f} %)")


def meta(bench):
    common = {"meta.rank": "dedicated", "meta.mode": "async", "meta.lag": 5, "meta.repeats": 1}
    results = bench.compare(2, common, {"meta.period": 10 ** 6}, {"meta.period": 10})
    print("async meta phase every 10 steps:", difference(results))
    for name, runs in results.items():
        print(f"  {name}: rank 0 spent " + ", ".join(f"{100 * run['lost']:.3f} %" for run in runs)
              + " of its steps on the validation rank", flush=True)


def within(bench):
    period, lag = 20, 10
    shares, by_place = [], [[] for _ in range(period)]
    for _ in range(bench.options.rounds):
        run = bench.train(2, {"meta.rank": "dedicated", "meta.mode": "async", "meta.lag": lag,
                              "meta.repeats": 1, "meta.period": period,
                              "train.steps": 10 * period})
        resting = [seconds for step, seconds in run["steps"].items() if step % period > lag]
        rest = statistics.mean(resting)
        shares.append(100 * (statistics.mean(run["steps"].values()) / rest - 1))
        for step, seconds in run["steps"].items():
            by_place[step % period].append(100 * (seconds / rest - 1))
    print(f"async meta phase every {period} steps, all steps against those while the validation rank "
          "rests: " + ", ".join(f"{share:+.2f} %" for share in shares) + " (one figure per run)")
    print("  by step after a phase has begun: "
          + " ".join(f"{statistics.median(place):+.1f}" for place in by_place), flush=True)


def beside(bench):
    results = bench.alternate(lambda: bench.train(1, {}), bench.train_beside_another)
    print("an unrelated process beside:   ", difference(results), flush=True)


def monitor(bench):
    results = bench.compare(1, {}, {"monitor.enabled": False}, {"monitor.enabled": True})
    print("heartbeats, watch and server:   ", difference(results), flush=True)
    for run in results["with"]:
        used = {name: sum(seconds for each, seconds in run["threads"].values() if each == name)
                for name in WATCHERS}
        print("  processor time of " + ", ".join(f"{n} {1e3 * s:.0f} ms" for n, s in used.items())
              + f" in {run['wall']:.0f} s: {100 * sum(used.values()) / run['wall']:.3f} %")


def checkpoint(bench):
    every = 10
    results = bench.compare(1, {}, {}, {"checkpoint.every_steps": every})
    saves = [event for run in results["with"] for event in run["events"]
             if event["event"] == "checkpoint"]
    stall = statistics.median(event["stall_seconds"] for event in saves)
    writing = statistics.median(event["seconds"] for event in saves)
    print(f"checkpoint every {every} steps:       ", difference(results))
    print(f"  training stands still for {1e3 * stall:.1f} ms, written beside it in "
          f"{1e3 * writing:.0f} ms; every 900 s: {100 * stall / 900:.4f} % (with all of the "
          f"writing {100 * (stall + writing) / 900:.3f} %)", flush=True)


def validation(bench):
    every = bench.options.validate_every
    for round_ in range(bench.options.rounds):
        for ranks in (2, 3):
            changes = {"meta.rank": "dedicated", "train.steps": 3 * every + 1, "validate.every": every,
                       "validate.cases": bench.options.validate_cases, "train.batch": ranks - 1}
            run = bench.train(ranks, changes)
            lines = [line for line in run["lines"] if line.get("validation")]
            lasts = [line["validation"]["seconds"] for line in lines]
            out, resting = [], []
            ends = {line["validation"]["step"]: line["validation"]["seconds"] for line in lines}
            spent = {step: 0.0 for step in ends}
            for step, seconds in sorted(run["steps"].items()):
                begun = (step - 1) // every * every
                if begun not in ends:
                    continue  # before the first
                spent[begun] += seconds
                (out if spent[begun] < ends[begun] else resting).append(seconds)
            if not out or not resting:
                sys.exit(f"engine_costs: a validation lasts {lasts} s, {every} steps "
                         f"{every * run['step']:.1f} s: choose another --validate-every")
            rest = statistics.median(resting)
            print(f"validation, {ranks} ranks: {statistics.median(lasts) / rest:.0f} steps long; "
                  f"steps of {1e3 * rest:.1f} ms while the validation rank rests, "
                  f"{1e3 * statistics.median(out):.1f} ms beside it "
                  f"({100 * (statistics.median(out) / rest - 1):+.1f} %); rank 0 spent "
                  f"{100 * run['lost']:.3f} % of its steps on the validation rank", flush=True)


def ranks_of(out):
    """Process ids of the ranks that train in `out`, by rank."""
    found = {}
    for process in pathlib.Path("/proc").iterdir():
        try:
            if not process.name.isdigit():
                continue
            words = (process / "cmdline").read_bytes().decode().split("\0")
            variables = (process / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        rank = [v.split("=")[1] for v in variables if v.startswith("OMPI_COMM_WORLD_RANK=")]
        if rank and str(out) in words:
            found[int(rank[0])] = int(process.name)
    return found


def restart(bench):
    for round_ in range(bench.options.rounds):
        out = bench.folder / f"restart-{round_}"
        run = {"method": bench.options.method,
               "data": {"cache": str(bench.folder / "cache"), "patch": [bench.options.patch] * 3,
                        "loader_threads": 1},
               "model": {"width": bench.options.width}, "validate": {"every": 0},
               "train": {"steps": 10 ** 6, "batch": 2, "threads": 1},
               "checkpoint": {"every_steps": 5, "every_seconds": 0}, "log": {"every": 1}}
        (bench.folder / "run.json").write_text(json.dumps(run))
        command = [str(bench.program), "train", str(bench.folder / "run.json"), "--out", str(out),
                   "--quiet", "--ranks", "2", "--max-restarts", "1"]
        with open(bench.folder / "log", "w", encoding="utf-8") as log, \
                subprocess.Popen(command, stdout=log, stderr=log) as process:
            def steps():
                try:
                    text = (out / "metrics.jsonl").read_text()
                    return [json.loads(line)["step"] for line in text.splitlines() if line]
                except (OSError, ValueError):
                    return []  # not there, or being written

            def wait(condition):
                while not condition():
                    if process.poll() is not None:
                        sys.exit("engine_costs: the run ended\n" + (bench.folder / "log").read_text())
                    time.sleep(0.01)

            wait(lambda: steps() and steps()[-1] >= 12)
            victims = ranks_of(out)
            os.kill(victims[1], signal.SIGKILL)
            lost = time.monotonic()
            wait(lambda: 1 in ranks_of(out) and ranks_of(out)[1] != victims[1])
            started = time.monotonic()
            # The file is cut back to the checkpoint, then the first step again is its newest line.
            resumed = lambda: [json.loads(line) for line in (out / "events.jsonl").read_text()
                               .splitlines() if '"resume"' in line]
            wait(resumed)
            first = resumed()[-1]["step"] + 1
            wait(lambda: steps() and steps()[-1] < first)
            wait(lambda: steps() and steps()[-1] >= first)
            done = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait()
        print(f"restart after the loss of a rank: {done - lost:.1f} s to the next step "
              f"({started - lost:.1f} s to the start of new ranks)", flush=True)


PARTS = {"meta": meta, "within": within, "beside": beside, "monitor": monitor,
         "checkpoint": checkpoint, "validation": validation, "restart": restart}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", default="build")
    parser.add_argument("--method", default="mckd")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=43)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--patch", type=int, default=64)
    parser.add_argument("--validate-every", type=int, default=200)
    parser.add_argument("--validate-cases", type=int, default=1)
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=list(PARTS))
    options = parser.parse_args()
    build = pathlib.Path(options.build).resolve()
    if not (build / "lacuna").exists():
        sys.exit(f"engine_costs: {build}/lacuna is missing. Run: make")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(build, pathlib.Path(folder), options)
        for part in options.parts:
            PARTS[part](bench)


if __name__ == "__main__":
    main()
