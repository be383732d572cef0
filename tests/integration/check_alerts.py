#!/usr/bin/env python3
"""Sees every alert of monitoring/alerts/lacuna.yml fire: real faults in real runs, scraped by a real
Prometheus with the same rules, whose waits and windows are a sixtieth as long.

Usage: check_alerts.py PROGRAM CACHE WORK [ALERT...]   Exit code 1 and a line per alert that stayed
silent. An alert that cannot be provoked here (no right to mount) is named as skipped.
"""

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

    def __init__(self, prometheus, run):
        self.prometheus, self.run, self.began, self.seen = prometheus, run, time.monotonic(), {}

    def look(self):
        for alert in self.prometheus.alerts():
            name = alert["labels"]["alertname"]
            mine = alert["labels"].get("run", "").startswith(f"{self.run}-")
            if alert["state"] == "firing" and mine and name not in self.seen:
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
    run = make(watch.run, ranks=2)
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
    run = make(watch.run, **{"train.learning_rate": 1e30, "train.nonfinite_limit": 1000000})
    watch.until("LacunaTrainingNonFinite")
    end(run.process)


def diverged(make, watch):
    # Loud enough to grow, not to leave the range of floats.
    run = make(watch.run, **{"train.learning_rate": 40})
    watch.until("LacunaLossDiverged")
    end(run.process)


def data_bound(make, watch):
    """The loader's only thread gets what endless loops of the same session leave it: nothing."""
    run = make(watch.run, beside="while :; do :; done")
    training(run, 3)
    pid = run.pids()[0]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "loader":
            os.sched_setaffinity(int(task.name), {0})
            os.sched_setscheduler(int(task.name), os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(pid, {max(os.sched_getaffinity(0))})
    watch.until("LacunaDataBound")
    end(run.process)


def eval_behind(make, watch):
    """A validation of all subsets every two steps: trainers wait for the validation rank."""
    run = make(watch.run, ranks=2, **{"meta.rank": "dedicated", "meta.lag": 1, "validate.every": 2})
    watch.until("LacunaEvalBehind")
    end(run.process)


def restart_loop(make, watch):
    """Killed before its first checkpoint, five times, as a batch system would start it again."""
    port = 0
    run = make(watch.run, **{"monitor.metrics_port": port})
    for _ in range(5):
        training(run, 1)
        known = run.scrape()
        restarts = int(re.search(r"^lacuna_restarts_total\{[^}]*\} (\d+)", known, re.M)[1])
        wait_for(
            "a scrape of this start",
            lambda: any(
                value == restarts
                for _, value in watch.prometheus.query(
                    'lacuna_restarts_total{run=~"restart_loop-.*"}'
                )
            ),
            PATIENCE,
        )
        end(run.process)
        run.process = run.start()
    watch.until("LacunaRestartLoop")
    end(run.process)


def full_disk(make, watch):
    """A run directory on a file system of its own that fills up, until checkpoints fail."""
    small = watch.work / "runs" / watch.run
    small.mkdir(parents=True)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", small], stderr=subprocess.DEVNULL
    ).returncode:
        for name in ("LacunaDiskNearlyFull", "LacunaCheckpointFailing", "LacunaCheckpointStale"):
            watch.skipped[name] = "no right to mount a small file system"
        return
    MOUNTED.append(small)
    run = make(watch.run, **{"checkpoint.every_seconds": 2})
    training(run)
    filler = small / "filler"
    with open(filler, "ab", buffering=0) as file:  # nothing left to write when it is closed
        while "LacunaDiskNearlyFull" not in watch.look() and file.tell() < 40 << 20:
            file.write(bytes(256 << 10))
            time.sleep(0.5)
        watch.until("LacunaDiskNearlyFull")
        try:
            while True:
                file.write(bytes(64 << 10))
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
            watch = Watch(prometheus, scenario.__name__)
            watch.work, watch.skipped = work, skipped
            scenario(
                lambda name, **more: Run(program, cache, work, name, prometheus.targets, **more),
                watch,
            )
            for name in names:
                if name not in watch.seen and name not in skipped:
                    silent.append(f"{name} did not fire (load {os.getloadavg()[0]:.0f})")
    finally:
        end_all()
        for path in MOUNTED:
            subprocess.run(["umount", "-l", path], check=False)
    for name, why in skipped.items():
        print(f"SKIPPED: {name}: {why}")
    print("\n".join(f"FAILED: {what}" for what in silent))
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
