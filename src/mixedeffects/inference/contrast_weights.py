"""Contrasts of marginal means: methods by name, and weights by level."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

_OPERATOR = re.compile(r"[-+*/]")
PAIRWISE = ("pairwise", "revpairwise")
METHODS = (*PAIRWISE, "trt.vs.ctrl")


def contrast_weights(
    method: str | Mapping[str, Any], columns: Mapping[str, Sequence[Hashable]], between: str
) -> tuple[list[str], NDArray[np.float64]]:
    """Names of contrasts, and their weights of the means, (m, k).

    Parameters
    ----------
    method : {"pairwise", "revpairwise", "trt.vs.ctrl"} or mapping of str to weights
        As ``MarginalMeans.contrasts`` takes it.
    columns : mapping of str to sequence (k,)
        The predictors whose means are compared, with their levels.
    between : {"-", "/"}
        Stands between two means in a name.

    Raises
    ------
    DataError
        For another method, weights that do not fit the means, or a single mean.
    """
    keys = list(zip(*columns.values(), strict=True))
    if isinstance(method, str):
        if method not in METHODS:
            raise DataError(
                f"method={method!r} is not known; choose {', '.join(map(repr, METHODS))} or give a mapping of weights "
                "by name"
            )
        return _differences(method, columns, keys, between)
    if not isinstance(method, Mapping) or not method:
        raise DataError(
            f"contrasts are {', '.join(map(repr, METHODS))} or a mapping of weights by name, not {method!r}"
        )
    levels = [key if len(key) > 1 else key[0] for key in keys]
    return list(map(str, method)), np.array([_one_contrast(str(name), given, levels) for name, given in method.items()])


def _differences(
    method: str, columns: Mapping[str, Sequence[Hashable]], keys: list[tuple[Hashable, ...]], between: str
) -> tuple[list[str], NDArray[np.float64]]:
    """All differences of two means, either way round, or those of every mean and the first."""
    k = len(keys)
    if k < 2:
        raise DataError(f"there is one mean of {', '.join(columns)} only: nothing to compare it with")
    # Levels that are numbers say little by themselves.
    prefix = {name: name if all(map(_is_number, values)) else "" for name, values in columns.items()}
    names = [
        " ".join(f"{prefix[spec]}{value_label(value)}" for spec, value in zip(columns, levels, strict=True))
        for levels in keys
    ]
    names = [f"({name})" if _OPERATOR.search(name) else name for name in names]
    if method == "pairwise":
        pairs = list(itertools.combinations(range(k), 2))
    elif method == "revpairwise":
        pairs = [(i, j) for i in range(1, k) for j in range(i)]
    else:
        pairs = [(i, 0) for i in range(1, k)]
    weights = np.zeros((len(pairs), k))
    for row, (i, j) in enumerate(pairs):
        weights[row, i], weights[row, j] = 1.0, -1.0
    return [f"{names[i]} {between} {names[j]}" for i, j in pairs], weights


def _one_contrast(name: str, given: Any, keys: list[Any]) -> NDArray[np.float64]:
    """Weights of the means, from a sequence in their order or from a mapping of levels."""
    if isinstance(given, Mapping):
        unknown = [key for key in given if key not in keys]
        if unknown:
            shown = ", ".join(map(repr, keys[:10])) + (" ..." if keys[10:] else "")
            raise DataError(f"contrast {name!r}: {unknown[0]!r} is no level; those are {shown}")
        given = [given.get(key, 0.0) for key in keys]
    try:
        weights = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        weights = np.empty(0)
    if weights.shape != (len(keys),) or not np.isfinite(weights).all() or not weights.any():
        raise DataError(
            f"contrast {name!r} needs {len(keys)} finite weights, not all zero, one for each of "
            f"{', '.join(map(str, keys[:10]))}{' ...' if keys[10:] else ''}; not {given!r}"
        )
    return weights


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)


def value_label(value: Any) -> str:
    """A level or a value as it is printed."""
    return f"{value:.15g}" if isinstance(value, float) else str(value)
