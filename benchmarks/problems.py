"""The problems: data, formula and the criterion that a right answer has.

Expected criteria of the named data sets are R's, polished far below its default tolerance; those of the simulated data
are the lowest value on which independent programs agree (see README.md). Data are written once to benchmarks/.cache as
CSV with all digits, which every library's program reads before its clock starts.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

CACHE = Path(__file__).resolve().parent / ".cache"
Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One model on one data set; `fixed`, `group` and `slopes` repeat `formula` for libraries without its grammar."""

    name: str
    title: str
    data: str  # a key of DATA
    formula: str
    reml: bool = True
    expected: float  # REML criterion, or -2 log-likelihood, at the optimum
    factors: tuple[str, ...]  # columns to read as categories
    texts: tuple[str, ...] = ()  # columns to read as strings
    fixed: str
    group: str | None  # None where the grouping factors are crossed or nested
    slopes: str | None = None
    refit: str | None = None  # the column to refit with: the clock then runs for the refit alone

    def record(self) -> dict[str, object]:
        """Return what a library's program needs, ready for JSON."""
        facts = asdict(self) | {"csv": str(CACHE / f"{self.data}.csv")}
        del facts["expected"]  # no program is told the answer
        return facts


SLEEP = dict(
    data="sleepstudy",
    formula="Reaction ~ Days + (Days | Subject)",
    factors=("Subject",),
    fixed="Reaction ~ Days",
    group="Subject",
    slopes="~Days",
)

PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem(name="sleepstudy", title="sleepstudy, random slope (180 rows)", expected=1743.62827195849, **SLEEP),
        Problem(
            name="refit",
            title="sleepstudy, refit with another response",
            reml=False,  # lme4 1.1-31 refits with one degree of freedom for X in REML, whatever its columns
            expected=1679.1128028528,
            refit="simulated",
            **SLEEP,
        ),
        Problem(
            name="insteval",
            title="InstEval, two crossed factors (73,421 rows, 2,972 and 1,128 levels)",
            data="InstEval",
            formula="y ~ service + (1 | s) + (1 | d)",
            expected=237743.583116107,
            factors=("s", "d", "service"),
            fixed="y ~ service",
            group=None,
        ),
        Problem(
            name="chem97",
            title="Chem97, a false boundary nearby (31,022 rows, 2,410 and 131 levels)",
            data="Chem97",
            formula="score ~ gcsecnt + (1 | school) + (1 | lea)",
            expected=141696.988149308,
            factors=("school", "lea"),
            fixed="score ~ gcsecnt",
            group=None,
        ),
        Problem(
            name="slopes_1m",
            title="1,000,000 rows, random slope in 10,000 string-named groups",
            data="slopes_1m",
            formula="y ~ x + (x | g)",
            expected=2915242.03974778,
            factors=(),
            texts=("g",),
            fixed="y ~ x",
            group="g",
            slopes="~x",
        ),
        Problem(
            name="intercepts_500k",
            title="500,000 rows, random intercept in 125,000 groups",
            data="intercepts_500k",
            formula="y ~ x + (1 | g)",
            expected=1577512.80517857,
            factors=(),
            fixed="y ~ x",
            group="g",
        ),
    )
}


def simulate_slopes(rows: int, groups: int, seed: int) -> dict[str, np.ndarray]:
    """Draw y = 1 + 0.5 x + intercept and slope of the group (sd 1 and 0.5, correlation 0.3) + unit noise."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, groups, rows)
    x = rng.standard_normal(rows)
    intercepts, other = rng.standard_normal((2, groups))
    slopes = 0.5 * (0.3 * intercepts + np.sqrt(1 - 0.3**2) * other)
    y = 1 + 0.5 * x + intercepts[codes] + slopes[codes] * x + rng.standard_normal(rows)
    return {"y": y, "x": x, "g": codes}


def slopes_1m() -> Columns:
    """A million rows; the groups are named by strings in no order."""
    columns = simulate_slopes(1_000_000, 10_000, seed=20261)
    return columns | {"g": np.char.add("group-", columns["g"].astype(str))}


def intercepts_500k() -> Columns:
    """Four rows in each of 125,000 groups, in random order; the groups are integers."""
    rng = np.random.default_rng(20262)
    codes = rng.permutation(np.repeat(np.arange(125_000), 4))
    x = rng.standard_normal(codes.size)
    y = 1 + 0.5 * x + 0.8 * rng.standard_normal(125_000)[codes] + rng.standard_normal(codes.size)
    return {"y": y, "x": x, "g": codes}


def shipped(name: str) -> Columns:
    """Return a data set that comes with the package."""
    import mixedeffects as me

    frame = me.datasets.load(name)
    return {column: frame[column].to_numpy() for column in frame.columns}


def sleepstudy() -> Columns:
    """Return the sleep study and another response for it, drawn from a model like the fitted one."""
    columns = shipped("sleepstudy")
    rng = np.random.default_rng(20263)
    _, codes = np.unique(columns["Subject"].astype(str), return_inverse=True)
    days = columns["Days"].astype(float)
    intercepts, slopes = (sd * rng.standard_normal(18) for sd in (25.0, 6.0))
    simulated = 250 + 10 * days + intercepts[codes] + slopes[codes] * days + 25 * rng.standard_normal(days.size)
    return {**columns, "simulated": simulated.round(4)}


DATA: dict[str, Callable[[], Columns]] = {
    "sleepstudy": sleepstudy,
    "InstEval": lambda: shipped("InstEval"),
    "Chem97": lambda: shipped("Chem97"),
    "slopes_1m": slopes_1m,
    "intercepts_500k": intercepts_500k,
}


def ensure_data(name: str) -> Path:
    """Write the data set to the cache unless it is there, and return its path."""
    path = CACHE / f"{name}.csv"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        columns = DATA[name]()
        partial = path.with_suffix(".partial")
        with partial.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
        partial.rename(path)
    return path
