"""Random effects of a population: one vector for each level of a group, from a covariance matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.population.expressions import numbers
from mixedeffects.population.factors import Factor, factor_of
from mixedeffects.population.generators import generator_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

Redraw = Literal["sample_y", "sample_x", "never"]
_INTERCEPT = ("Intercept", "1")
_ROUNDING = 1e-10  # of the largest eigenvalue is what a smallest one may lack


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomEffects:
    """Normal random effects of the levels of a group.

    Attributes
    ----------
    group : str
        The variable whose levels have effects; ``"a:b"`` for the combinations of two.
    names : tuple of str, (k,)
        ``"Intercept"``, or the variable that an effect multiplies.
    covariance : ndarray (k, k)
        Of the effects of one level, in units of the linear predictor.
    root : ndarray (k, k)
        A with covariance A A'.
    redraw : {"sample_y", "sample_x", "never"}
        When new effects are drawn.
    seed : tuple of int or None
        Of effects that are never drawn anew.
    """

    group: str
    names: tuple[str, ...]
    covariance: NDArray[np.float64]
    root: NDArray[np.float64]
    redraw: Redraw
    seed: tuple[int, ...] | None

    @property
    def factors(self) -> tuple[str, ...]:
        """The variables that make the group."""
        return tuple(self.group.split(":"))

    @property
    def variables(self) -> tuple[str, ...]:
        """Every variable that is read."""
        return (*self.factors, *(name for name in self.names if name not in _INTERCEPT))

    def levels(self, values: Mapping[str, Any]) -> Factor:
        """The group of each row."""
        for name in self.factors:
            if np.ndim(values[name]) != 1:
                raise DataError(
                    f"{self!r}: the group {name!r} has {np.shape(values[name])[1]} columns; give one that has levels"
                )
        parts = [_as_factor(values[name]) for name in self.factors]
        if len(parts) == 1:
            return parts[0]
        escaped = [[_escaped(label) for label in part.tolist()] for part in parts]
        joined = np.array([":".join(row) for row in zip(*escaped, strict=True)])
        return _as_factor(joined)

    def draw(self, rng: np.random.Generator, levels: Sequence[str]) -> NDArray[np.float64]:
        """Draw the effects of some levels, (J, k); those that are never drawn anew depend on seed and level only."""
        k = len(self.names)
        if self.seed is None:
            normal = rng.standard_normal((len(levels), k))
        else:
            streams = [np.random.default_rng([*self.seed, *level.encode()]) for level in levels]
            normal = np.array([one.standard_normal(k) for one in streams])
        return np.asarray(normal @ self.root.T)

    def add_to(
        self,
        eta: NDArray[np.float64],
        effects: NDArray[np.float64],
        codes: NDArray[np.int64],
        values: Mapping[str, Any],
    ) -> None:
        """Add the effects to a linear predictor, (n,)."""
        for name, effect in zip(self.names, effects.T, strict=True):
            slope = 1.0 if name in _INTERCEPT else numbers(values[name], len(eta), f"random_effects of {name!r}")
            eta += slope * effect[codes]

    def __repr__(self) -> str:
        sd = ", ".join(f"{value:g}" for value in np.sqrt(np.diag(self.covariance)))
        return f"random_effects({self.group!r}, names={self.names!r}, sd=[{sd}], redraw={self.redraw!r})"


def _escaped(label: str) -> str:
    """A label that can be joined to others by colons and told from them again."""
    return label.replace("\\", "\\\\").replace(":", "\\:")


def _as_factor(value: Any) -> Factor:
    known = factor_of(value)
    if known is not None:
        return known
    labels, codes = np.unique(np.asarray(value), return_inverse=True)
    return Factor(codes, labels.tolist())


def random_effects(
    group: str,
    *,
    sd: Any = None,
    covariance: Any = None,
    corr: Any = None,
    names: Sequence[str] | None = None,
    redraw: Redraw = "sample_y",
    rng: Any = None,
) -> RandomEffects:
    """Give the levels of a group random effects on a response.

    Parameters
    ----------
    group : str
        The variable whose levels have effects; ``"a:b"`` for the combinations of two.
    sd : float or array-like (k,), optional
        Standard deviations of the effects.
    covariance : array-like (k, k), optional
        Their covariance matrix, instead of `sd` and `corr`.
    corr : float or array-like (k, k), optional
        Their correlation (of two), or correlation matrix; independent by default.
    names : sequence of str, optional
        For each effect ``"Intercept"`` or the numeric variable that it multiplies; an intercept by default.
    redraw : {"sample_y", "sample_x", "never"}
        New effects with every response (a mixed model's sampling distribution), with every sample of X (the groups stay
        the same ones while their responses are drawn again), or never (effects of this population).
    rng : None, int, Generator or SeedSequence
        Source of effects that are never drawn anew.

    Returns
    -------
    RandomEffects
        For ``response(random=...)``.

    Raises
    ------
    DataError
        For a matrix that is no covariance matrix, or names that do not belong to it.

    Examples
    --------
    >>> from mixedeffects.population import balanced, population, predictor, random_effects, response
    >>> subjects = random_effects("subject", sd=[25, 6], corr=0.1, names=["Intercept", "day"])
    >>> study = population(
    ...     subject=predictor(balanced, each=10),
    ...     day=predictor(balanced, levels=range(10)),
    ...     time=response(lambda day: 250 + 10 * day, random=subjects, error_scale=25),
    ... )
    """
    if not isinstance(group, str) or not all(part.strip() for part in group.split(":")):
        raise DataError(f"random_effects: group={group!r} must name a variable, or two as 'a:b'")
    if "/" in group:
        outer, _, inner = (part.strip() for part in group.partition("/"))
        raise DataError(
            f"random_effects: group={group!r} stands for two groups in a formula; give each its own effects: "
            f"random_effects({outer!r}, ...) and random_effects({inner + ':' + outer!r}, ...)"
        )
    factors = [part.strip() for part in group.replace("`", "").split(":")]
    if len(set(factors)) < len(factors):
        raise DataError(f"random_effects: group={group!r} names a variable twice")
    if redraw not in get_args(Redraw):
        raise DataError(f"random_effects: redraw={redraw!r} is not known; choose 'sample_y', 'sample_x' or 'never'")
    if rng is not None and redraw != "never":
        raise DataError("random_effects: rng= is for redraw='never'; other effects come from that of the sample")
    matrix = _covariance(sd, covariance, corr)
    if names is None:
        if len(matrix) > 1:
            raise DataError(
                f"random_effects of {group!r}: name the {len(matrix)} effects, such as names=['Intercept', 'x']"
            )
        names = ("Intercept",)
    labels = tuple(name.replace("`", "") for name in ([names] if isinstance(names, str) else names))
    distinct = {_INTERCEPT[0] if name in _INTERCEPT else name for name in labels}
    if len(labels) != len(matrix) or len(distinct) < len(labels):
        raise DataError(f"random_effects of {group!r}: names={list(labels)} must be {len(matrix)} different names")
    seed = None
    if redraw == "never":
        seed = tuple(generator_of(rng).integers(2**32, size=4).tolist())
    values, vectors = np.linalg.eigh(matrix)
    return RandomEffects(
        group=":".join(factors),
        names=labels,
        covariance=matrix,
        root=vectors * np.sqrt(np.maximum(values, 0.0)),
        redraw=redraw,
        seed=seed,
    )


def _covariance(sd: Any, covariance: Any, corr: Any) -> NDArray[np.float64]:
    if (sd is None) == (covariance is None):
        raise DataError("random_effects: give sd=, with corr= if there are several, or covariance=; one of them")
    if covariance is not None:
        if corr is not None:
            raise DataError("random_effects: corr= goes with sd=; a covariance matrix holds the correlations")
        matrix = _numbers(covariance, "covariance")
        matrix = matrix.reshape(1, 1) if matrix.size == 1 else matrix
    else:
        scale = np.atleast_1d(_numbers(sd, "sd"))
        if scale.ndim != 1 or np.any(scale < 0):
            raise DataError(f"random_effects: sd={sd!r} must be a number or a list of numbers, none negative")
        matrix = np.diag(scale**2) if corr is None else _correlation(corr, len(scale)) * np.outer(scale, scale)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.allclose(matrix, matrix.T):
        raise DataError(f"random_effects: a covariance matrix is square and symmetric; this has shape {matrix.shape}")
    least, most = np.linalg.eigvalsh(matrix)[[0, -1]]
    if least < -_ROUNDING * max(most, 1e-300):
        raise DataError(f"random_effects: this is no covariance matrix: it has a negative eigenvalue, {least:.3g}")
    return matrix


def _correlation(corr: Any, k: int) -> NDArray[np.float64]:
    found = _numbers(corr, "corr")
    if found.ndim == 0 and k == 2:
        found = np.array([[1.0, float(found)], [float(found), 1.0]])
    if found.shape != (k, k) or not np.allclose(np.diag(found), 1.0):
        raise DataError(f"random_effects: corr={corr!r} must be one number for two effects, or a ({k}, {k}) matrix")
    return found


def _numbers(value: Any, name: str) -> NDArray[np.float64]:
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.array(np.nan)
    if not np.all(np.isfinite(found)) or not found.size:
        raise DataError(f"random_effects: {name}={value!r} must hold finite numbers")
    return found
