"""The parameters of a mixed model as they are reported: sd, correlation, sigma, coefficient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.fit.effects import covariances
from mixedeffects.fit.kinds import scale_parameter
from mixedeffects.formula import bare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name : str
        ``sd_Days|Subject``, ``cor_Days.Intercept|Subject``, ``sigma``, ``dispersion``, or the name of a
        coefficient.
    kind : {"sd", "cor", "sigma", "coefficient"}
        What it is.
    term : int
        For sd and cor the random-effects term.
    row, column : int
        For sd (row = column) and cor (row > column) the columns of the term; for a coefficient both its place among
        the estimated ones.
    """

    name: str
    kind: Literal["sd", "cor", "sigma", "coefficient"]
    term: int = -1
    row: int = -1
    column: int = -1


def parameters(fit: LmmFit) -> tuple[Parameter, ...]:
    """List the parameters: lower triangles by column, terms in the order of theta; sigma; estimated coefficients.

    Parameters
    ----------
    fit : LmmFit
        The fit. A generalized one has its dispersion in the place of sigma, or neither.
    """
    design = fit.model
    out = []
    for t, term in enumerate(design.terms):
        for column, name in enumerate(term.names):
            out.append(Parameter(name=f"sd_{name}|{term.key}", kind="sd", term=t, row=column, column=column))
            for row in range(column + 1, len(term.names)):
                pair = f"cor_{term.names[row]}.{name}|{term.key}"
                out.append(Parameter(name=pair, kind="cor", term=t, row=row, column=column))
    scale = scale_parameter(fit)
    if scale is not None:
        out.append(Parameter(name=scale[0], kind="sigma"))
    out += [Parameter(name=name, kind="coefficient", row=j, column=j) for j, name in enumerate(design.kept_names)]
    return tuple(out)


def select(every: Sequence[Parameter], wanted: str | Sequence[str] | None) -> tuple[Parameter, ...]:
    """Return the parameters asked for, in the order in which they are asked for.

    Parameters
    ----------
    every : sequence of Parameter
        Those of the model.
    wanted : str, sequence of str, or None
        Names; ``"theta_"`` stands for all but the coefficients, ``"beta_"`` for the coefficients; None for all.

    Raises
    ------
    DataError
        For a name that the model does not have.
    """
    if wanted is None:
        return tuple(every)
    by_name: dict[str, tuple[Parameter, ...]] = {p.name: (p,) for p in every}
    by_name["theta_"] = tuple(p for p in every if p.kind != "coefficient")
    by_name["beta_"] = tuple(p for p in every if p.kind == "coefficient")
    out: dict[str, Parameter] = {}
    for name in map(bare, [wanted] if isinstance(wanted, str) else wanted):
        if name not in by_name:
            raise DataError(
                f"there is no parameter {name!r}; choose among {', '.join(p.name for p in every)}, "
                "theta_ (all variance parameters) and beta_ (all coefficients)"
            )
        out.update((p.name, p) for p in by_name[name])
    return tuple(out.values())


def estimates(fit: LmmFit, chosen: Sequence[Parameter]) -> NDArray[np.float64]:
    """Estimates of parameters, in their order; a correlation that involves a standard deviation of 0 is NaN.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    chosen : sequence of Parameter
        Parameters of its model.

    Returns
    -------
    ndarray
        Standard deviations and sigma in units of y per unit of the column.
    """
    matrices = covariances(fit)
    out = np.empty(len(chosen))
    for i, p in enumerate(chosen):
        if p.kind == "sigma":
            scale = scale_parameter(fit)
            out[i] = np.nan if scale is None else scale[1]
        elif p.kind == "coefficient":
            out[i] = fit.solution.beta[p.row]
        else:
            sd = np.sqrt(np.diag(matrices[p.term]))
            product = float(sd[p.row] * sd[p.column])
            if p.kind == "sd":
                out[i] = sd[p.row]
            else:
                out[i] = np.clip(matrices[p.term][p.row, p.column] / product, -1.0, 1.0) if product else np.nan
    return out
