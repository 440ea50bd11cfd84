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
    family: str = "gaussian"  # or binomial, poisson: fitted by the Laplace approximation
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
        Problem(
            name="verbagg",
            title="VerbAgg, binary, two crossed factors (7,584 rows, 316 and 24 levels)",
            data="VerbAgg",
            formula="yes ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)",
            family="binomial",
            expected=8151.39971974201,
            factors=("Gender", "btype", "situ", "id", "item"),
            fixed="yes ~ Anger + Gender + btype + situ",
            group=None,
        ),
        Problem(
            name="contraception",
            title="Contraception, binary, random slope (1,934 rows, 60 levels)",
            data="Contraception",
            formula="yes ~ age + age2 + urban + livch + (urban | district)",
            family="binomial",
            expected=2360.610285433981,
            factors=("urban", "livch", "district"),
            fixed="yes ~ age + age2 + urban + livch",
            group="district",
            slopes="~urban",
        ),
        Problem(
            name="counts_100k",
            title="100,000 counts, two crossed factors of 1,000 levels",
            data="counts_100k",
            formula="y ~ x + (1 | a) + (1 | b)",
            family="poisson",
            expected=324800.0917093707,
            factors=("a", "b"),
            fixed="y ~ x",
            group=None,
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


def counts_100k() -> Columns:
    """Counts of mean exp(0.5 + 0.3 x + a + b), sd 0.5 and 0.4; every row draws its two levels."""
    rng = np.random.default_rng(20266)
    a, b = rng.integers(0, 1000, (2, 100_000))
    x = rng.standard_normal(a.size)
    eta = 0.5 + 0.3 * x + 0.5 * rng.standard_normal(1000)[a] + 0.4 * rng.standard_normal(1000)[b]
    return {"y": rng.poisson(np.exp(eta)), "x": x, "a": a, "b": b}


def binary(name: str, response: str, **further: Callable[[Columns], np.ndarray]) -> Columns:
    """Return a shipped data set with its yes/no response as 0 and 1, and further columns."""
    columns = shipped(name)
    made = {"yes": (columns[response] == "Y").astype(int)} | {key: make(columns) for key, make in further.items()}
    return {**columns, **made}


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
    "VerbAgg": lambda: binary("VerbAgg", "r2"),
    "Contraception": lambda: binary("Contraception", "use", age2=lambda columns: columns["age"] ** 2),
    "counts_100k": counts_100k,
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
