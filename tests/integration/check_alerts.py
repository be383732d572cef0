#!/usr/bin/env python3
"""Sees every alert of monitoring/alerts/lacuna.yml fire: real faults in real runs, scraped by a real
Prometheus with the same rules, whose waits and windows are a sixtieth as long.

Usage: check_alerts.py PROGRAM CACHE WORK [ALERT...]   Exit code 1 and a line per alert that stayed
silent. An alert that cannot be provoked here (no right to mount) is named as skipped.
"""

import ctypes
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from prometheus_run import ROOT, Prometheus, Run, end, end_all, shortened, wait_for

PATIENCE = 150  # seconds for one alert
MOUNTED = []


class Watch:
    """What fired, with the text that people would get."""

    def __init__(self, prometheus):
        self.prometheus, self.began, self.seen = prometheus, time.monotonic(), {}

    def look(self):
        for alert in self.prometheus.alerts():
            name = alert["labels"]["alertname"]
            if alert["state"] == "firing" and name not in self.seen:
                self.seen[name] = alert
                print(
                    f"{name} fired after {time.monotonic() - self.began:.0f} s: "
                    f"{alert['annotations']['summary']}. {alert['annotations']['description']}",
                    flush=True,
                )
        return self.seen

    def until(self, *names):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not set(names) <= set(self.look()):
            time.sleep(0.3)
        return set(names) <= set(self.seen)


def training(run, steps=5):
    """Waits until the run has done some steps."""

    def far_enough():
        if run.process.poll() is not None:
            raise SystemExit(
                f"FAILED: {run.directory.name} ended with {run.process.returncode}: {run.told()}"
            )
        done = re.search(r"^lacuna_run_step\{[^}]*\} (\d+)", run.scrape(), re.M)
        return done and int(done[1]) >= steps

    wait_for(f"steps of {run.directory.name}", far_enough, PATIENCE)


def stopped(make, watch):
    """A rank is stopped, then the whole job; one rank that gets less of the processor than the other."""
    run = make("stopped", ranks=2)
    training(run)
    pids = run.pids()
    watch.until("LacunaStraggler") if slow_down(pids[1], watch) else None
    os.kill(pids[1], signal.SIGSTOP)
    watch.until("LacunaRankMissing", "LacunaTrainingStalled")
    watch.seen.pop("LacunaTrainingStalled", None)
    os.kill(pids[1], signal.SIGCONT)
    wait_for(
        "the end of the alert",
        lambda: not any(
            alert["labels"]["alertname"] == "LacunaTrainingStalled"
            and "stopped" in alert["labels"]["run"]
            for alert in watch.prometheus.alerts()
        ),
        PATIENCE,
    )
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    watch.until("LacunaTrainingStalled", "LacunaRunUnreachable")
    end(run.process)
    for pid in pids:
        kill(pid)


def slow_down(pid, watch):
    """Stops and continues a rank in turns until the alert has fired: a straggler."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and "LacunaStraggler" not in watch.seen:
        for _ in range(10):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.15)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.03)
        watch.look()
    return True


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def nonfinite(make, watch):
    run = make("nonfinite", **{"train.learning_rate": 1e30, "train.nonfinite_limit": 1000000})
    watch.until("LacunaTrainingNonFinite")
    end(run.process)


def diverged(make, watch):
    run = make("diverged", **{"train.learning_rate": 0.5})
    watch.until("LacunaLossDiverged")
    end(run.process)


def data_bound(make, watch):
    """The loader's only thread is held most of the time, as by storage that answers late."""
    run = make("databound")
    training(run, 3)
    tasks = pathlib.Path(f"/proc/{run.pids()[0]}/task")
    loader = next(
        int(task.name)
        for task in tasks.iterdir()
        if (task / "comm").read_text().strip() == "loader"
    )
    if not hold_thread(loader, watch):
        watch.skipped["LacunaDataBound"] = "no right to hold a thread (ptrace)"
    end(run.process)


def hold_thread(thread, watch):
    """Stops one thread in turns until the alert has fired; False when that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    seize, interrupt, go_on, every_thread = 0x4206, 0x4207, 7, 0x40000000
    if libc.ptrace(seize, thread, None, None):
        return False
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and "LacunaDataBound" not in watch.look():
        libc.ptrace(interrupt, thread, None, None)
        os.waitpid(thread, every_thread)
        time.sleep(2)
        libc.ptrace(go_on, thread, None, None)
        time.sleep(0.02)
    return True


def eval_behind(make, watch):
    """A validation of all subsets every two steps: trainers wait for the validation rank."""
    run = make(
        "evalbehind", ranks=2, **{"meta.rank": "dedicated", "meta.lag": 1, "validate.every": 2}
    )
    watch.until("LacunaEvalBehind")
    end(run.process)


def restart_loop(make, watch):
    """Killed before its first checkpoint, five times, as a batch system would start it again."""
    port = 0
    run = make("restarts", **{"monitor.metrics_port": port})
    for _ in range(5):
        training(run, 1)
        known = run.scrape()
        restarts = int(re.search(r"^lacuna_restarts_total\{[^}]*\} (\d+)", known, re.M)[1])
        wait_for(
            "a scrape of this start",
            lambda: any(
                value == restarts
                for _, value in watch.prometheus.query('lacuna_restarts_total{run=~"restarts-.*"}')
            ),
            PATIENCE,
        )
        end(run.process)
        run.process = run.start()
    watch.until("LacunaRestartLoop")
    end(run.process)


def full_disk(make, watch):
    """A run directory on a file system of its own that fills up, until checkpoints fail."""
    small = watch.work / "runs" / "fulldisk"
    small.mkdir(parents=True)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", small], stderr=subprocess.DEVNULL
    ).returncode:
        for name in ("LacunaDiskNearlyFull", "LacunaCheckpointFailing", "LacunaCheckpointStale"):
            watch.skipped[name] = "no right to mount a small file system"
        return
    MOUNTED.append(small)
    run = make("fulldisk", **{"checkpoint.every_seconds": 2})
    training(run)
    filler = small / "filler"
    with open(filler, "ab") as file:
        while "LacunaDiskNearlyFull" not in watch.look() and file.tell() < 40 << 20:
            file.write(bytes(256 << 10))
            file.flush()
            time.sleep(0.5)
        watch.until("LacunaDiskNearlyFull")
        try:
            while True:
                file.write(bytes(64 << 10))
                file.flush()
        except OSError:
            pass  # full
    watch.until("LacunaCheckpointFailing", "LacunaCheckpointStale")
    end(run.process)


SCENARIOS = {
    stopped: [
        "LacunaStraggler",
        "LacunaRankMissing",
        "LacunaTrainingStalled",
        "LacunaRunUnreachable",
    ],
    nonfinite: ["LacunaTrainingNonFinite"],
    diverged: ["LacunaLossDiverged"],
    data_bound: ["LacunaDataBound"],
    eval_behind: ["LacunaEvalBehind"],
    restart_loop: ["LacunaRestartLoop"],
    full_disk: ["LacunaDiskNearlyFull", "LacunaCheckpointFailing", "LacunaCheckpointStale"],
}


def main():
    program, cache, work = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    rules = (ROOT / "monitoring/alerts/lacuna.yml").read_text()
    wanted = set(sys.argv[4:]) or set(re.findall(r"- alert: (\w+)", rules))
    planned = {name for names in SCENARIOS.values() for name in names}
    if set(re.findall(r"- alert: (\w+)", rules)) != planned:
        raise SystemExit(
            "FAILED: no scenario, or no rule, for"
            f" {planned ^ set(re.findall(r'- alert: (.*)', rules))}"
        )
    prometheus = Prometheus(work, shortened(rules))
    silent, skipped = [], {}
    try:
        for scenario, names in SCENARIOS.items():
            if not wanted & set(names):
                continue
            watch = Watch(prometheus)
            watch.work, watch.skipped = work, skipped
            scenario(
                lambda name, **more: Run(program, cache, work, name, prometheus.targets, **more),
                watch,
            )
            silent += [name for name in names if name not in watch.seen and name not in skipped]
    finally:
        end_all()
        for path in MOUNTED:
            subprocess.run(["umount", "-l", path], check=False)
    for name, why in skipped.items():
        print(f"SKIPPED: {name}: {why}")
    print("\n".join(f"FAILED: {name} did not fire" for name in silent))
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
