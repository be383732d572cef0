#!/usr/bin/env python3
"""Checks boards, alerts and documents of the monitoring against one another and against the schema.

Usage: check_monitoring.py boards|names|runbook   Exit code 1 and a line per finding; 77 and a line
when what the check needs is not installed.
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOARDS = sorted((ROOT / "monitoring/grafana").glob("*.json"))
RULES = ROOT / "monitoring/alerts/lacuna.yml"
UNITS = {"none", "s", "bytes", "Bps", "percentunit", "lengthmm", "watt", "celsius"}
METRIC = re.compile(r'Metric k\w+\{\s*"(lacuna_\w+)",\s*(kCounter|kGauge|kHistogram)')
LIBRARY = {"lacuna_test"}  # a file, no metric


def declared():
    return dict(METRIC.findall((ROOT / "base/metrics/metric_names.h").read_text()))


def overlaps(one, other):
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def schema_problems(given, known, path):
    """What Grafana's own models do not take over from the file, or change."""
    if isinstance(given, dict) and isinstance(known, dict):
        for key, value in given.items():
            if key not in known:
                yield f"{path}: Grafana knows no {key}"
            else:
                yield from schema_problems(value, known[key], f"{path}/{key}")
    elif isinstance(given, list) and isinstance(known, list) and len(given) == len(known):
        for i, (one, other) in enumerate(zip(given, known)):
            yield from schema_problems(one, other, f"{path}[{i}]")
    elif given != known:
        yield f"{path}: {given!r} becomes {known!r}"


def panel_problems(board):
    panels = board["panels"]
    ids = [panel["id"] for panel in panels]
    if len(set(ids)) != len(ids):
        yield "panel ids repeat"
    for i, panel in enumerate(panels):
        where = f"panel {panel['title']!r}"
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > 24:
            yield f"{where} is wider than the board"
        for other in panels[:i]:
            if overlaps(panel["gridPos"], other["gridPos"]):
                yield f"{where} lies over {other['title']!r}"
        if panel["type"] == "row":
            continue
        if len(panel.get("description", "")) < 10:
            yield f"{where} has no description"
        if panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
            yield f"{where} has no unit, or one that is not known here"
        letters = [target["refId"] for target in panel["targets"]]
        if not letters or len(set(letters)) != len(letters):
            yield f"{where} has no queries, or two of one letter"
        for source in [panel, *panel["targets"]]:
            if source["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
                yield f"{where} has a data source of its own"


def check_boards():
    try:
        from grafana_foundation_sdk.cog import plugins
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
        from grafana_foundation_sdk.models import dashboard
    except ImportError:
        print("grafana-foundation-sdk is not installed: tools/setup test")
        sys.exit(77)
    plugins.register_default_plugins()
    uids = set()
    for path in BOARDS:
        board = json.loads(path.read_text())
        known = json.loads(JSONEncoder().encode(dashboard.Dashboard.from_json(board)))
        found = [*schema_problems(board, known, ""), *panel_problems(board)]
        if board["uid"] in uids or not board["uid"].startswith("lacuna-"):
            found.append(f"uid {board['uid']} is not its own")
        uids.add(board["uid"])
        if not any(each["type"] == "datasource" for each in board["templating"]["list"]):
            found.append("no variable for the data source")
        yield from (f"{path.name}: {each}" for each in found)
    if len(uids) != 4:
        yield f"{len(uids)} boards instead of 4"


def used(text):
    names = set(re.findall(r"\blacuna_[a-z0-9_]+", text)) - LIBRARY
    return {
        (
            re.sub(r"_(bucket|sum|count)$", "", name)
            if re.sub(r"_(bucket|sum|count)$", "", name) in declared()
            else name
        )
        for name in names
    }


def check_names():
    """Boards, rules and documents use declared names only; the documents have all of them."""
    names = declared()
    places = [
        *BOARDS,
        RULES,
        RULES.with_name("lacuna_test.yml"),
        ROOT / "docs/monitoring.md",
        *sorted((ROOT / "docs/runbook").glob("*.md")),
    ]
    for path in places:
        for name in sorted(used(path.read_text()) - set(names)):
            yield (
                f"{path.relative_to(ROOT)} uses {name}, which base/metrics/metric_names.h does not declare"
            )
    text = (ROOT / "docs/monitoring.md").read_text()
    for name, kind in names.items():
        if not re.search(rf"\| `{name}` \| {kind[1:].lower()} \|", text):
            yield f"docs/monitoring.md does not list {name} as a {kind[1:].lower()}"


def check_runbook():
    """Every alert has a page that says what it means, how to look and what to do; no page is left over."""
    rules = RULES.read_text()
    alerts = re.findall(r"- alert: (\w+)(.*?)(?=- alert: |\Z)", rules, re.S)
    pages = set()
    monitoring = (ROOT / "docs/monitoring.md").read_text()
    for name, body in alerts:
        page = re.search(r"runbook: (\S+)", body)
        if not page or not (ROOT / page[1]).exists():
            yield f"{name} has no page"
            continue
        pages.add(ROOT / page[1])
        text = (ROOT / page[1]).read_text()
        if not text.startswith(f"# {name}\n"):
            yield f"{page[1]} is not headed {name}"
        for heading in ("## What it means", "## How to look", "## What to do"):
            section = re.search(rf"^{heading}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
            if not section or len(section[1].split()) < 15:
                yield f"{page[1]} lacks {heading!r}, or says little there"
        for word in ("summary", "description", "severity"):
            if word not in body:
                yield f"{name} has no {word}"
        if name not in monitoring:
            yield f"docs/monitoring.md does not name {name}"
    for page in sorted((ROOT / "docs/runbook").glob("*.md")):
        if page not in pages:
            yield f"{page.relative_to(ROOT)} belongs to no alert"


def main():
    found = list(
        {"boards": check_boards, "names": check_names, "runbook": check_runbook}[sys.argv[1]]()
    )
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
