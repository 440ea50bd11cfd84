"""Whether predictions from a rank-deficient fit depend on which columns were dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.design import replay
from mixedeffects.errors import RankDeficiencyWarning
from mixedeffects.frame import warn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design

_CLOSE = 1e-6  # of the size of a column's parts


def inestimable(model: Design, X: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the rows whose mean the data of the fit do not determine.

    Parameters
    ----------
    model : Design
        The design of the fit.
    X : ndarray (n, p_full)
        All fixed-effects columns of the rows, the dropped ones too.

    Returns
    -------
    ndarray of bool (n,)

    Notes
    -----
    In the data of the fit a dropped column is X A for the kept ones. x'beta can be estimated if and only if the dropped
    columns of the row obey the same relation.
    """
    if model.kept.all():
        return np.zeros(len(X), dtype=bool)
    dropped = replay(model.encoding, model.columns, model.nobs)[:, ~model.kept]
    size = np.linalg.norm(model.X, axis=0)
    A = np.linalg.lstsq(model.X / size, dropped, rcond=None)[0] / size[:, None]
    kept, rest = X[:, model.kept], X[:, ~model.kept]
    usual = np.sqrt((dropped**2).mean(axis=0))  # a column that is 0 in a row leaves nothing else to compare with
    scale = np.abs(kept) @ np.abs(A) + np.abs(rest) + usual
    wrong: NDArray[np.bool_] = (np.abs(rest - kept @ A) > _CLOSE * scale).any(axis=1)
    return wrong


def warn_not_estimable(model: Design, X: NDArray[np.float64]) -> None:
    """Warn about rows whose mean the data of the fit do not determine, if there are any; as for `inestimable`."""
    count = int(inestimable(model, X).sum())
    if count:
        dropped = [name for name, kept in zip(model.names, model.kept, strict=True) if not kept]
        shown = ", ".join(dropped[:5]) + (" ..." if len(dropped) > 5 else "")
        warn(
            f"{count} of {len(X)} predictions cannot be estimated: the columns dropped from the fit ({shown}) are not "
            "there the combination of the others that they were in the data; the dropped coefficients are taken as 0",
            RankDeficiencyWarning,
        )
