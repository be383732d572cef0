#!/usr/bin/env python3
"""Asks a real Prometheus, which scrapes a real two-rank run, every query of every board.

Usage: check_boards.py PROGRAM CACHE WORK   Exit code 1 and a line per panel without data.
"""

import json
import math
import pathlib
import re
import sys

from prometheus_run import ROOT, Prometheus, Run, end_all, wait_for

# Panels that only a machine with NVIDIA GPUs fills; named on the output.
GPU = "lacuna_gpu_"
UNFILLED = set()


def filled_in(expression, run):
    for name, value in {
        "$__rate_interval": "10s",
        "$run": run,
        "$sweep": ".*",
        "$rank": ".*",
    }.items():
        expression = expression.replace(name, value)
    left = re.search(r"\$[a-z_]+", expression)
    if left:
        raise SystemExit(f"FAILED: variable {left[0]} is not known to this test: {expression}")
    return expression


def has_numbers(result):
    return any(not math.isnan(value) for _, value in result)


def queries(board):
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def variables(board, prometheus, run):
    """label_values(METRIC, LABEL) must offer something."""
    for variable in board["templating"]["list"]:
        if variable["type"] != "query":
            continue
        metric, label = re.fullmatch(
            r"label_values\((.*), (\w+)\)", variable["query"]["query"]
        ).groups()
        result = prometheus.query(filled_in(metric, run))
        if label != "sweep" and not any(labels.get(label) for labels, _ in result):
            yield f"{board['title']}: variable {variable['name']} offers nothing"


def problems(board, prometheus, run):
    yield from variables(board, prometheus, run)
    for title, expression in queries(board):
        try:
            result = prometheus.query(filled_in(expression, run))
        except ValueError as error:
            yield f"{board['title']} / {title}: {error}: {expression}"
            continue
        if has_numbers(result):
            continue
        if GPU in expression and not result:
            UNFILLED.add(f"no GPU here, not filled: {board['title']} / {title}")
        else:
            yield f"{board['title']} / {title}: no data: {expression}"
    for each in board["annotations"]["list"]:
        prometheus.query(filled_in(each["expr"], run))  # a query that is none raises


def private_words(cache, work):
    """What must not be in any label: case ids, and directories on the way to the data."""
    cohort = json.loads((pathlib.Path(cache) / "cohort.json").read_text())
    cases = [case["id"] for case in cohort["cases"]]
    return cases + [part for part in [*pathlib.Path(cache).parts, *work.parts] if len(part) > 4]


def check_labels(text, words):
    for label, value in re.findall(r'(\w+)="([^"]*)"', text):
        if "/" in value or "\\" in value:
            yield f"label {label} holds a path: {value}"
        for word in words:
            if word in value:
                yield f"label {label}={value} tells of {word}"


def main():
    program, cache, work = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    prometheus = Prometheus(work)
    # Two trainers of the method that has importance weights and a phase on the meta set.
    run = Run(
        program,
        cache,
        work,
        "boards",
        prometheus.targets,
        ranks=2,
        method="mckd",
        **{
            "model.width": 0.03125,
            "validate.every": 4,
            "validate.hd95": "true",
            "meta.period": 2,
            "checkpoint.every_steps": 4,
        },
    )
    boards = [
        json.loads(path.read_text())
        for path in sorted((ROOT / "monitoring/grafana").glob("*.json"))
    ]
    state = {}

    def all_filled():
        if run.process.poll() is not None:
            raise SystemExit(f"FAILED: the run ended with {run.process.returncode}: {run.told()}")
        names = prometheus.query("lacuna_run_info")
        state["found"] = (
            ["no run is known"]
            if not names
            else [
                problem
                for board in boards
                for problem in problems(board, prometheus, names[0][0]["run"])
            ]
        )
        return not state["found"]

    try:
        wait_for("data in every panel", all_filled, 240)
        text = run.scrape()
        found = list(check_labels(text, private_words(cache, work)))
        print("\n".join(sorted(UNFILLED)))
        print(
            f"{sum(len(list(queries(board))) for board in boards)} queries of {len(boards)} boards,"
            f" {len(re.findall('^lacuna', text, re.M))} series lines, {len(text)} bytes"
        )
    except SystemExit:
        found = state.get("found", []) + [run.told()]
        raise
    finally:
        print("\n".join(f"FAILED: {each}" for each in found))
        end_all()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
