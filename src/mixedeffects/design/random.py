"""Random-effects terms -> one block each: a factor and k columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.design.encoding import Encoding, encode_columns, plain_encoding, plain_names
from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design.materializer import Functions
    from mixedeffects.formula import Formula, RandomTerm
    from mixedeffects.frame import Factor, ModelFrame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomBlock:
    """One random-effects term: k columns whose coefficients vary over the J levels of a factor.

    Attributes
    ----------
    group : str
        Name of the factor, ``"Subject"`` or ``"b:a"``.
    key : str
        The name in tables: `group`, and ``"Subject.1"`` for a second term on the same factor.
    names : tuple of str, (k,)
        Column names.
    factor : Factor
        The same object for every term on the same factor.
    columns : tuple of ndarray of float64, k times (n,)
        May be read-only views: a constant has stride 0, a column that X has too shares its memory.
    source : RandomTerm
        The term as written.
    encoding : Encoding
        For computing the columns of `source` from new data.
    positions : tuple of int, (k,)
        Which columns of the encoding these are: all of them, or one if the term was split by ``||``.
    """

    group: str
    key: str
    names: tuple[str, ...]
    factor: Factor
    columns: tuple[NDArray[np.float64], ...]
    source: RandomTerm
    encoding: Encoding
    positions: tuple[int, ...]

    def __repr__(self) -> str:
        return f"RandomBlock({self.key!r}, columns {', '.join(self.names)}, {self.factor.n_levels} levels)"

    @property
    def n_columns(self) -> int:
        """Number of columns k."""
        return len(self.columns)

    @property
    def n_effects(self) -> int:
        """Number of random effects, k * J."""
        return len(self.columns) * self.factor.n_levels


def random_blocks(
    formula: Formula,
    frame: ModelFrame,
    X: NDArray[np.float64],
    names: tuple[str, ...],
    functions: Functions | None,
) -> tuple[RandomBlock, ...]:
    """Build the blocks of all terms, sorted by decreasing number of levels, ties as written.

    Parameters
    ----------
    formula : Formula
        The parsed formula.
    frame : ModelFrame
        Complete rows.
    X : ndarray, (n, p)
        Fixed-effects columns, to share memory with.
    names : tuple of str, (p,)
        Their names.
    functions : mapping of str to callable, optional
        The caller's functions.
    """
    shared = {name: X[:, j] for j, name in enumerate(names)}
    factors: dict[tuple[str, ...], Factor] = {}
    made: dict[str, tuple[tuple[NDArray[np.float64], ...], Encoding]] = {}
    blocks: list[RandomBlock] = []
    for term in formula.random:
        if term.group not in factors:
            factors[term.group] = frame.group(term.group)
        if term.expr not in made:
            made[term.expr] = _columns(term, frame, shared, functions)
        columns, encoding = made[term.expr]
        if not columns:
            raise DataError(
                f"the random-effects term {term} has no columns; write (1 | {term.group_name}) for an intercept"
            )
        every = tuple(range(len(columns)))
        for positions in (every,) if term.correlated else tuple((j,) for j in every):
            blocks.append(
                RandomBlock(
                    group=term.group_name,
                    key="",
                    names=tuple(encoding.names[j] for j in positions),
                    factor=factors[term.group],
                    columns=tuple(columns[j] for j in positions),
                    source=term,
                    encoding=encoding,
                    positions=positions,
                )
            )
    return _with_keys(sorted(blocks, key=lambda block: -block.factor.n_levels))


def _with_keys(blocks: list[RandomBlock]) -> tuple[RandomBlock, ...]:
    """Name several terms on one factor Subject, Subject.1, Subject.2."""
    seen: dict[str, int] = {}
    keyed = []
    for block in blocks:
        count = seen.get(block.group, 0)
        seen[block.group] = count + 1
        keyed.append(replace(block, key=f"{block.group}.{count}" if count else block.group))
    return tuple(keyed)


def _columns(
    term: RandomTerm,
    frame: ModelFrame,
    shared: Mapping[str, NDArray[np.float64]],
    functions: Functions | None,
) -> tuple[tuple[NDArray[np.float64], ...], Encoding]:
    plain = plain_names(term.expr, frame.columns)
    if plain is not None:
        encoding = plain_encoding(term.expr, plain, functions)
        return tuple(_plain_column(name, frame, shared) for name in plain), encoding
    # The contrasts asked for concern the fixed part only, as in lme4.
    values, encoding = encode_columns(term.expr, frame.columns, frame.n_rows, functions=functions)
    columns = []
    for j, name in enumerate(encoding.names):
        if name == "Intercept":
            columns.append(_constant(frame.n_rows))
        elif name in shared and np.array_equal(shared[name], values[:, j]):
            columns.append(shared[name])
        else:
            columns.append(values[:, j])
    return tuple(columns), encoding


def _plain_column(name: str, frame: ModelFrame, shared: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    if name == "Intercept":
        return _constant(frame.n_rows)
    if name in shared:
        return shared[name]
    return np.array(frame.columns[name], dtype=np.float64)


def _constant(n_rows: int) -> NDArray[np.float64]:
    return np.broadcast_to(np.float64(1.0), (n_rows,))


def check_grouping(blocks: tuple[RandomBlock, ...], n_rows: int, *, allow_observation_level: bool) -> None:
    """Refuse terms whose variance cannot be told from the residual one, by lme4's rules.

    Parameters
    ----------
    blocks : tuple of RandomBlock
        All terms.
    n_rows : int
        Number of observations.
    allow_observation_level : bool
        Whether as many random effects as observations are legitimate, as in models without a residual variance.

    Raises
    ------
    DataError
        Naming the term.
    """
    for block in blocks:
        levels = block.factor.n_levels
        if levels < 2:
            raise DataError(
                f"the grouping factor {block.group!r} of {block.source} has {levels} level only "
                f"({block.factor.labels[0]!r}); it needs two or more"
            )
        if allow_observation_level:
            continue
        if levels >= n_rows:
            raise DataError(
                f"the grouping factor {block.group!r} of {block.source} has one level per observation ({levels} "
                f"levels, {n_rows} rows); its variance cannot be told from the residual one"
            )
        if block.n_effects >= n_rows:
            raise DataError(
                f"the term {block.source} has {block.n_effects} random effects ({block.n_columns} for each of {levels} "
                f"levels of {block.group!r}) for {n_rows} rows; there must be fewer than rows. Use a simpler term"
            )


def varies_within(codes: NDArray[np.integer[Any]], values: NDArray[Any]) -> bool:
    """Whether values vary within a level of a factor.

    Parameters
    ----------
    codes : ndarray of int (n,)
        The rows' levels.
    values : ndarray (n,)
        Numbers.
    """
    order = np.argsort(codes, kind="stable")
    return bool(np.diff(values[order])[np.diff(codes[order]) == 0].any())
