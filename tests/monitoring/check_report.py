"""Checks a report: well-formed HTML, nothing loaded from outside, and tables that equal cases.csv.

Usage: check_report.py REPORT.html RUNDIR...   Exit code 1 and a message on the first difference.
"""
import csv
import math
import os
import re
import sys
from collections import defaultdict
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects tables and attributes; refuses tags that do not close in order."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.stack, self.tables, self.ids, self.sources = [], [], [], []
        self.summary, self.cell, self.script = "", None, 0

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for name, value in attributes.items():
            if name in ("src", "href", "action", "data", "poster", "srcset"):
                self.sources.append(value)
            assert not name.startswith("on"), f"inline handler {name} on <{tag}>"
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag in VOID:
            return
        self.stack.append(tag)
        if tag == "summary":
            self.summary = ""
        elif tag == "table":
            self.tables.append({"class": attributes.get("class", ""), "id": attributes.get("id"),
                                "run": self.summary, "rows": []})
        elif tag == "tr" and self.tables:
            self.tables[-1]["rows"].append({"subset": attributes.get("data-subset"), "cells": []})
        elif tag in ("td", "th"):
            self.cell = ""
        elif tag == "script":
            self.script += 1

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1] == tag, f"</{tag}> closes {self.stack[-3:]}"
        self.stack.pop()
        if tag in ("td", "th"):
            self.tables[-1]["rows"][-1]["cells"].append(self.cell)
            self.cell = None

    def handle_data(self, data):
        if self.stack and self.stack[-1] in ("script", "style"):
            return
        if "summary" in self.stack:
            self.summary += data
        if self.cell is not None:
            self.cell += data


def mean(values):
    return sum(values) / len(values)


def scores(run):
    """(subset, region) -> (mean Dice, mean HD95), in file order of subsets and regions."""
    values = defaultdict(list)
    with open(os.path.join(run, "eval", "fold0-test", "cases.csv"), newline="") as file:
        for row in csv.DictReader(file):
            values[row["subset"], row["region"]].append((float(row["dice"]), float(row["hd95_mm"])))
    return {
key: (mean([d for d, _ in v]), mean([h for _, h in v])) for key, v in values.items()
}

def check_heat(table, expected):
    regions = list(dict.fromkeys(region for _, region in expected))
    rows = [row for row in table["rows"] if row["subset"]]
    assert len(rows) == 15, f"{len(rows)} rows"
    for row in rows:
        numbers = row["cells"][4:]
        want = [f"{100 * expected[row['subset'], r][0]:.1f}" for r in regions]
        want += [f"{expected[row['subset'], r][1]:.1f}" for r in regions]
        assert numbers == want, f"{row['subset']}: page {numbers}, cases.csv {want}"
        dots = "".join(row["cells"][:4])
        names = row["subset"].split("+")
        assert dots == "".join("●" if m in names else "○" for m in ("FLAIR", "T1", "T1c", "T2"))


def check_comparison(table, first, second):
    for row in (row for row in table["rows"] if row["subset"]):
        for i, region in enumerate(("ET", "TC", "WT")):
            a, b = first[row["subset"], region][0], second[row["subset"], region][0]
            cells = row["cells"][1 + 3 * i:4 + 3 * i]
            assert cells[:2] == [f"{100 * a:.1f}", f"{100 * b:.1f}"], cells
            shown = float(cells[2].replace("−", "-").replace("+", ""))
            assert math.isclose(shown, 100 * (a - b), abs_tol=0.0501), cells


def main():
    path, runs = sys.argv[1], sys.argv[2:]
    text = open(path, encoding="utf-8").read()
    page = Page()
    page.feed(text)
    page.close()
    assert page.stack == [], f"not closed: {page.stack}"
    assert len(page.ids) == len(set(page.ids)), "an id occurs twice"
    for source in page.sources:
        assert source.startswith(("#", "data:image/png;base64,")), f"loads {source[:80]}"
        assert not source.startswith("#") or source[1:] in page.ids, f"dead link {source}"
    assert not re.search(r"url\(\s*['\"]?(?!data:)", text.split("</style>")[0]), "CSS loads something"
    assert page.script == 3, f"{page.script} scripts"
    heat = [t for t in page.tables if t["class"] == "heat"]
    assert len(heat) == len(runs), f"{len(heat)} heat tables"
    expected = {}
    for table, run in zip(heat, runs):
        expected[run] = scores(run)
        check_heat(table, expected[run])
    for table, run in zip((t for t in page.tables if t["class"] == "compare"), runs[1:]):
        check_comparison(table, expected[runs[0]], expected[run])


if __name__ == "__main__":
    try:
        main()
    except AssertionError as difference:
        sys.exit(f"check_report: {difference}")
