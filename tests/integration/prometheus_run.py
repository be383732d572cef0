"""A real Prometheus and real runs of the program, for the live tests of boards and alerts.

Everything started here is ended by end_all(), also when the test fails.
"""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
STARTED = []
# So that end_all() in a `finally` is reached.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def start(command, log, **more):
    """A process in a group of its own."""
    process = subprocess.Popen(
        command,
        stdout=open(log, "ab"),
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        **more,
    )
    STARTED.append(process)
    return process


def end(process):
    for sign in (signal.SIGCONT, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            pass
    process.wait()


def end_all():
    for process in STARTED:
        end(process)
    STARTED.clear()


def wait_for(what, condition, seconds):
    """The first true value of condition(); an error after the time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    raise SystemExit(f"FAILED: {what}: not within {seconds} s")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Prometheus:
    """rules: text of a rule file, or None. others: ports of further jobs on this host, by name."""

    def __init__(self, work, rules=None, interval="2s", others=()):
        self.targets = work / "targets"
        self.targets.mkdir()
        self.port = free_port()
        config = {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": interval,
                "evaluation_interval": "1s",
            },
            "scrape_configs": [
                {
                    "job_name": "lacuna",
                    "honor_labels": True,
                    "file_sd_configs": [
                        {"files": [str(self.targets / "*.json")], "refresh_interval": "1s"}
                    ],
                },
                *(
                    {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                    for name, port in dict(others).items()
                ),
            ],
        }
        if rules:
            (work / "rules.yml").write_text(rules)
            config["rule_files"] = ["rules.yml"]
        (work / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        start(
            [
                "prometheus",
                f"--config.file={work}/prometheus.yml",
                f"--storage.tsdb.path={work}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            work / "prometheus.log",
        )
        wait_for("Prometheus", self.ready, 60)

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=30) as reply:
            return reply.read()

    def ready(self):
        try:
            return b"Ready" in self.get("/-/ready")
        except OSError:
            return False

    def query(self, expression):
        """[(labels, value), ...]; raises ValueError with Prometheus' own words."""
        try:
            reply = json.loads(self.get("/api/v1/query", query=expression))
        except urllib.error.HTTPError as error:
            raise ValueError(json.loads(error.read()).get("error")) from error
        data = reply["data"]
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(each["metric"], float(each["value"][1])) for each in data["result"]]

    def alerts(self):
        return json.loads(self.get("/api/v1/alerts"))["data"]["alerts"]


def shortened(rules, factor=60, floor=10):
    """The same rules with all waits, windows and forecasts `factor` times as short."""
    seconds = {"s": 1, "m": 60, "h": 3600}

    def scale(text, least):
        number, unit = re.fullmatch(r"(\d+)([smh])", text).groups()
        return f"{max(int(number) * seconds[unit] // factor, least)}s"

    rules = rules.replace("4 * 3600", f"4 * {3600 // factor}")
    rules = re.sub(r"(?<=for: )\d+[smh]", lambda m: scale(m[0], 1), rules)
    rules = re.sub(r"(?<=offset )\d+[smh]", lambda m: scale(m[0], 1), rules)
    return re.sub(
        r"\[(\d+[smh])(?::(\d+[smh]))?\]",
        lambda m: f"[{scale(m[1], floor)}" + (f":{scale(m[2], 1)}]" if m[2] else "]"),
        rules,
    )


class Run:
    """A training by the program; `settings` as --set takes them."""

    def __init__(self, program, cache, work, name, targets, ranks=1, method="unet", **settings):
        self.directory, self.ranks = work / "runs" / name, ranks
        self.log = work / f"{name}.log"
        keys = {
            "data.cache": cache,
            "data.split": "small",
            "data.patch": "[32,32,32]",
            "data.loader_threads": 1,
            "model.width": 0.0625,
            "train.steps": 1000000,
            "train.batch": 2,
            "train.threads": 1,
            "train.device": "cpu",
            "validate.every": 0,
            "log.every": 1,
            "checkpoint.every_steps": 0,
            "checkpoint.every_seconds": 0,
            "monitor.heartbeat_seconds": 0.2,
            "monitor.heartbeat_limit": 600,
            "monitor.stall_limit": 0,
            "monitor.metrics_targets": targets,
            **settings,
        }
        file = work / f"{name}.json"
        file.write_text(json.dumps({"method": method}))
        self.command = [program, "train", str(file), "--quiet", "--out", str(self.directory)]
        for key, value in keys.items():
            self.command += ["--set", f"{key}={value}"]
        if ranks > 1:
            self.command = [
                "mpirun",
                "-n",
                str(ranks),
                "--oversubscribe",
                "--bind-to",
                "none",
                *self.command,
            ]
        self.process = self.start()

    def start(self):
        environment = {
            **os.environ,
            "OMPI_MCA_mpi_yield_when_idle": "1",
            "OMP_NUM_THREADS": "1",
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        }
        return start(self.command, self.log, env=environment)

    def place(self):
        try:
            return json.loads((self.directory / "coordinator.json").read_text())
        except (OSError, ValueError):
            return None

    def scrape(self):
        """Its /metrics now, or ""."""
        place = self.place()
        try:
            return (
                urllib.request.urlopen(place["metrics"], timeout=5).read().decode() if place else ""
            )
        except OSError:
            return ""

    def pids(self):
        """Process ids by rank, from the status."""
        place = self.place()
        token = (self.directory / "coordinator.token").read_text().strip()
        request = urllib.request.Request(
            f"http://{place['address']}:{place['port']}/api/status",
            headers={"Authorization": f"Bearer {token}"},
        )
        status = json.loads(urllib.request.urlopen(request, timeout=30).read())
        return [rank["pid"] for rank in status["ranks"]]

    def told(self):
        """The end of what it printed, for the report of a failure."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
