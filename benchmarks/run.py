"""Run problems x libraries and write one table with ratios, criteria, versions and the machine.

    python benchmarks/run.py [--problems insteval,...] [--libraries ours,lme4,...] [--rounds 5] [--seconds 2]

Every fit is timed inside a process of its own library. Rounds are interleaved: each round visits every library of a
problem once, in an order that rotates, so that a machine that slows down slows all of them. A timing counts only if the
criterion agrees with the expected one to 1e-6 relative.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import resource
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from machine import describe
from problems import PROBLEMS, Problem, ensure_data
from report import write

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent / ".venv-bench"
AGREES = 1e-6
MEMORY = 12 * 2**30  # bytes a library's process may map
SLOW = 10.0  # seconds a fit; slower ones are run in two rounds only

# name -> (environment, program, its further arguments)
LIBRARIES = {
    "ours": ("mixedeffects", "ours.py"),
    "lme4": (None, "lme4.R"),
    "glmmTMB": (None, "glmmTMB.R"),
    "glmm": ("glmm", "rival_glmm.py"),
    "glmm-defaults": ("glmm", "rival_glmm.py", "defaults"),
    "mixedlm": ("mixedlm", "rival_mixedlm.py"),
    "mixedlm-rs": ("mixedlm-rs", "rival_mixedlm_rs.py"),
    "lme-python": ("lme-python", "rival_lme_python.py"),
    "statsmodels": ("statsmodels", "rival_statsmodels.py"),
    "gpboost": ("gpboost", "rival_gpboost.py"),
}


@dataclass(slots=True)
class Cell:
    """What one library did with one problem."""

    times: list[float] = field(default_factory=list)
    criterion: float | None = None
    verdict: str = ""  # why there is no answer, if there is none

    @property
    def given_up(self) -> bool:
        return bool(self.verdict) or (bool(self.times) and min(self.times) > SLOW and len(self.times) > 1)


def command(library: str, ours: str, job: dict[str, object]) -> list[str] | None:
    """Return the command of one process, or None where the library is not installed."""
    environment, program, *further = LIBRARIES[library]
    if environment is None:
        interpreter = shutil.which("Rscript")
    elif library == "ours":
        interpreter = ours
    else:
        interpreter = shutil.which(ENVIRONMENTS / environment / "bin" / "python")
    return [interpreter, str(HERE / "libraries" / program), json.dumps(job), *further] if interpreter else None


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def visit(program: list[str] | None, timeout: float) -> dict[str, object]:
    """Run one library's process once and return its report, or {"verdict": why there is none}."""
    if program is None:
        return {"verdict": "not installed"}
    try:
        done = subprocess.run(program, capture_output=True, text=True, timeout=timeout, preexec_fn=limit_memory)
    except subprocess.TimeoutExpired:
        return {"verdict": f"no answer in {timeout:.0f} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        said = next((line for line in reversed(lines) if re.search(r"Error\b|memory allocation", line)), lines[-1])
        return {"verdict": f"failed: {said[:120]}"}
    report = json.loads(lines[-1])
    return {"verdict": "not supported", **report} if report.get("unsupported") else report


def judge(problem: Problem, criterion: float) -> str:
    """Say whether the criterion is the expected one."""
    if not abs(criterion - problem.expected) <= AGREES * abs(problem.expected):  # so written, NaN is wrong too
        return f"WRONG: {criterion:.6f}, expected {problem.expected:.6f}"
    return "agrees"


def warm_up(problem: Problem) -> Problem:
    """Return the small problem of the same kind."""
    return PROBLEMS["sleepstudy" if problem.family == "gaussian" else "contraception"]


def compare(problem: Problem, libraries: list[str], options: argparse.Namespace) -> tuple[dict[str, Cell], dict]:
    """Run all rounds of one problem."""
    cells: dict[str, Cell] = defaultdict(Cell)
    versions: dict[str, dict[str, object]] = {}
    job = {
        "problem": problem.record(),
        "warm_up": warm_up(problem).record(),
        "seconds": options.seconds,
        "at_most": 500,
    }
    for turn in range(options.rounds):
        first = turn % len(libraries)
        for library in [*libraries[first:], *libraries[:first]]:
            cell = cells[library]
            if cell.given_up:
                continue
            found = visit(command(library, options.python, job), options.timeout)
            cell.verdict = str(found.get("verdict", ""))
            cell.times += found.get("seconds", [])
            cell.criterion = found.get("criterion", cell.criterion)
            versions[library] = {key: found[key] for key in ("version", "python", "r", "blas") if key in found}
            spent = f"{median(cell.times):.4g} s" if cell.times else cell.verdict
            print(f"{problem.name:16} round {turn + 1} {library:12} {spent}", flush=True)
    return cells, versions


def rows(problem: Problem, cells: dict[str, Cell]) -> list[dict[str, object]]:
    """Return one row per library; a time stands only beside a right answer."""
    verdicts = {
        name: cell.verdict or judge(problem, cell.criterion)
        for name, cell in cells.items()
        if cell.verdict or cell.times
    }
    right = {name: cell for name, cell in cells.items() if verdicts.get(name) == "agrees"}
    ours = median(right["ours"].times) if "ours" in right else None
    table = []
    for name, cell in cells.items():
        seconds = median(cell.times) if name in right else None
        table.append(
            {
                "problem": problem.name,
                "title": problem.title,
                "library": name,
                "median_seconds": seconds,
                "best_seconds": min(cell.times) if name in right else None,
                "repetitions": len(cell.times),
                "times_ours": seconds / ours if seconds and ours else None,
                "criterion": cell.criterion,
                "verdict": verdicts.get(name, ""),
            }
        )
    return sorted(table, key=lambda row: row["median_seconds"] or math.inf)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare libraries on the same models.")
    parser.add_argument("--problems", default=",".join(PROBLEMS), help="comma-separated names")
    parser.add_argument("--libraries", default=",".join(LIBRARIES), help="comma-separated names")
    parser.add_argument("--rounds", type=int, default=5, help="processes per library and problem")
    parser.add_argument("--seconds", type=float, default=2.0, help="repetitions within a process stop after this")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds a process may take")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has mixedeffects")
    parser.add_argument("--output", default="compare", help="name of the files in benchmarks/results")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    libraries = options.libraries.split(",")
    table, versions = [], {}
    for name in options.problems.split(","):
        problem = PROBLEMS[name]
        for data in {problem.data, warm_up(problem).data}:
            ensure_data(data)
        cells, seen = compare(problem, libraries, options)
        versions |= {library: found for library, found in seen.items() if found}
        table += rows(problem, cells)
    write(options.output, {"machine": describe(), "versions": versions, "command": sys.argv, "rows": table})


if __name__ == "__main__":
    main()
