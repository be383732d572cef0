#!/usr/bin/env python3
"""Sees every alert of monitoring/alerts/lacuna.yml fire: real faults in real runs, scraped by a real
Prometheus with the same rules, whose waits and windows are a sixtieth as long. Most of the time is
such waiting, so two scenarios run at once; alerts are told apart by their run.

Usage: check_alerts.py PROGRAM CACHE WORK [ALERT...]   Exit code 1 and a line per alert that stayed
silent. An alert that cannot be provoked here (no right to mount) is named as skipped.
"""

import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from dcgm_stand_in import DcgmStandIn
from prometheus_run import ROOT, Prometheus, Run, end, end_all, free_port, shortened, wait_for
from stopped_thread import StoppedThread

PATIENCE = 150  # seconds for one alert
AT_ONCE = 2
WAITING_FOR_DATA = 1  # of lacuna_rank_activity
MOUNTED = []


class Watch:
    """What fired, with the text that people would get."""

    def __init__(self, prometheus, run, names):
        self.prometheus, self.run, self.names = prometheus, run, names
        self.began, self.seen = time.monotonic(), {}

    def is_mine(self, labels):
        if "run" in labels:
            return labels["run"].startswith(f"{self.run}-")
        return labels["alertname"] in self.names  # figures of a GPU know no run

    def look(self):
        for alert in self.prometheus.alerts():
            name = alert["labels"]["alertname"]
            if (
                alert["state"] == "firing"
                and name not in self.seen
                and self.is_mine(alert["labels"])
            ):
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


def figure(run, name, rank=0):
    """A figure of its /metrics now; None while there is none."""
    found = re.search(rf'^{name}\{{run="[^"]*"(?:,rank="{rank}")?\}} (\S+)', run.scrape(), re.M)
    return float(found[1]) if found else None


def data_bound(make, watch):
    """The loader's thread stands still half of the time, as behind a slow disk. No setting does that:
    one loader thread is faster than the smallest network here."""
    run = make(watch.run)
    training(run, 3)
    pid = run.pids()[0]
    until = time.monotonic() + PATIENCE
    while "LacunaDataBound" not in watch.look() and time.monotonic() < until:
        step, began = figure(run, "lacuna_run_step"), time.monotonic()
        wait_for("a step", lambda: (figure(run, "lacuna_run_step") or 0) > step, PATIENCE)
        with StoppedThread(pid, "loader"):
            # Briefly, in case that it was stopped inside a lock that others need.
            patience = time.monotonic() + 20
            while figure(run, "lacuna_rank_activity") != WAITING_FOR_DATA:
                if time.monotonic() > patience:
                    break
                time.sleep(0.05)
            else:
                time.sleep(time.monotonic() - began)  # as long again
    end(run.process)


def eval_behind(make, watch):
    """Every step asks for a validation with distances and for a meta phase, and waits for both."""
    run = make(
        watch.run,
        ranks=2,
        method="mckd",
        **{
            "model.width": 0.03125,
            "meta.rank": "dedicated",
            "meta.period": 1,
            "meta.lag": 1,
            "validate.every": 1,
            "validate.hd95": "true",
        },
    )
    watch.until("LacunaEvalBehind")
    end(run.process)


def restart_loop(make, watch):
    """Killed before its first checkpoint, five times, as a batch system would start it again."""
    # At the same address each time: Prometheus looks at target files every five seconds only.
    run = make(watch.run, **{"monitor.metrics_port": free_port()})
    for _ in range(5):
        training(run, 1)
        restarts = figure(run, "lacuna_restarts_total")
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


def gpu_xid(make, watch):
    """An exporter of GPU figures for this host, in the words of NVIDIA's, tells of an error."""
    run = make(watch.run)
    training(run, 1)
    watch.exporter.xid = 79
    watch.until("LacunaGpuXid")
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
    gpu_xid: ["LacunaGpuXid"],
    restart_loop: ["LacunaRestartLoop"],
    full_disk: ["LacunaDiskNearlyFull", "LacunaCheckpointFailing", "LacunaCheckpointStale"],
}


def provoke(todo, make_watch, make_run, silent):
    """Takes scenarios from the queue until it is empty."""
    while True:
        try:
            scenario, names = todo.get_nowait()
        except queue.Empty:
            return
        watch, began = make_watch(scenario.__name__, names), time.monotonic()
        try:
            scenario(make_run, watch)
        except BaseException as error:  # its run ended, or Prometheus: the others go on
            silent.append(f"{scenario.__name__}: {error!r}")
        for name in names:
            if name not in watch.seen and name not in watch.skipped:
                silent.append(f"{name} did not fire (load {os.getloadavg()[0]:.0f})")
        print(f"{scenario.__name__} took {time.monotonic() - began:.0f} s", flush=True)


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
    exporter = DcgmStandIn(socket.gethostname())
    prometheus = Prometheus(work, shortened(rules), others={"dcgm": exporter.port})
    silent, skipped = [], {}
    todo = queue.Queue()
    for scenario, names in SCENARIOS.items():
        if wanted & set(names):
            todo.put((scenario, names))

    def make_watch(name, names):
        watch = Watch(prometheus, name, names)
        watch.work, watch.skipped, watch.exporter = work, skipped, exporter
        return watch

    def make_run(name, **more):
        return Run(program, cache, work, name, prometheus.targets, **more)

    threads = [  # daemons, so that a signal to this script ends them
        threading.Thread(target=provoke, args=(todo, make_watch, make_run, silent), daemon=True)
        for _ in range(AT_ONCE)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
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
