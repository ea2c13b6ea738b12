"""Hold planners and model at full branch coverage: read what the last test run with --cov left, and judge it.

``scripts/coverage-gaps`` names the files that are not there yet; it only ever gets shorter.
"""

from __future__ import annotations

import sys
from pathlib import Path

import coverage

GAPS = Path(__file__).with_name("coverage-gaps")
WHERE = ("minikctl/plan/*", "minikctl/model/*")


def main() -> int:
    """Return 0 if every file but the listed ones is covered, else say what is not and return 1."""
    gaps = {line for line in GAPS.read_text().splitlines() if line and not line.startswith("#")}
    unknown = sorted(name for name in gaps if not Path(name).exists())
    measured = coverage.Coverage()
    measured.load()
    code = 0
    print("== branch coverage of planners and model, but for", len(gaps), "files in", GAPS.name)
    if measured.report(include=WHERE, omit=sorted(gaps), skip_covered=True, show_missing=True) < 100:
        print("Planners and model are to be covered in full: add the missing case, or remove dead code.")
        code = 1
    if unknown:
        print("No such file, take it off the list:", *unknown, sep="\n  ")
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
