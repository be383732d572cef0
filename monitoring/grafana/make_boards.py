#!/usr/bin/env python3
"""Writes the four Grafana boards beside this file from description/.

Usage: monitoring/grafana/make_boards.py [--check]   --check: exit code 1 when a file is not what
this script writes (the tests ask so).
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from description import modalities, ranks, run, runs  # noqa: E402


def main():
    wrong = []
    for name, board in {"runs": runs, "run": run, "modalities": modalities, "ranks": ranks}.items():
        path, text = HERE / f"{name}.json", json.dumps(board.make().json(), indent=1) + "\n"
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                wrong.append(f"{path.name} is old. Run: monitoring/grafana/make_boards.py")
        else:
            path.write_text(text, encoding="utf-8")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
