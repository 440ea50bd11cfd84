"""The model of one grouping factor without each of its many levels, all refitted at once.

What all levels add to the criterion is a smooth function of theta, which is fitted once by a polynomial around the
estimate; a level's own part is subtracted exactly. So a refit costs as much as the level it leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.crossproducts import row_arguments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit.record import LmmFit

_DEGREES = {1: 12, 2: 9, 3: 7, 4: 5, 5: 4, 6: 4}  # of the polynomial, by the length of theta
_SHARE = 0.995  # of the levels lie within the region by their first step; the others are refitted one by one
_STEPS = 12
_ACCURACY = 1e-8, 1e-13  # what the polynomial may be off, in the criterion and relative to it (which is rounding)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels:
    """Products of the rows of each level in the working columns, y beside X.

    Attributes
    ----------
    A : ndarray (J, k, k)
        Z'WZ.
    C : ndarray (J, k, p + 1)
        Z'W[X y].
    outer : ndarray (J, p + 1, p + 1)
        [X y]'W[X y].
    n : ndarray (J,)
        Numbers of rows.
    sum_log_weights : ndarray (J,)
        Sums of the logs of their weights.
    """

    A: NDArray[np.float64]
    C: NDArray[np.float64]
    outer: NDArray[np.float64]
    n: NDArray[np.int64]
    sum_log_weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """What rows add to the criterion at some theta, for m thetas.

    Attributes
    ----------
    log_det : ndarray (m,)
        log|Lambda'Z'WZ Lambda + I|.
    products : ndarray (m, p + 1, p + 1)
        [X y]'V^-1[X y].
    """

    log_det: NDArray[np.float64]
    products: NDArray[np.float64]


def applies(fit: LmmFit) -> bool:
    """Whether the model has one grouping factor and few enough variance parameters."""
    objective = fit.objective
    return len(objective.layout.n_levels) == 1 and objective.layout.n_theta in _DEGREES and objective.products.p > 0


def delete_levels(
    fit: LmmFit, theta: NDArray[np.float64], curvature: NDArray[np.float64]
) -> dict[str, NDArray[Any]] | None:
    """Refit the model without each level of its factor.

    Parameters
    ----------
    fit : LmmFit
        One for which `applies` holds.
    theta : ndarray (d,)
        The estimate, in the working columns.
    curvature : ndarray (d, d)
        The exact Hessian there, positive definite.

    Returns
    -------
    dict or None
        By level theta, beta, XVX, value, rss, converged, as the core has them; levels that lie outside the region are
        not converged. None where the polynomial does not reach its accuracy.
    """
    levels = _levels_of(fit)
    search = _Search(fit, levels, curvature)
    whole = _whole(levels, search.lambdas(theta[None]))
    first = search.step(np.tile(theta, (len(levels.n), 1)), whole.part, whole.slopes)
    width = 2.0 * np.quantile(np.abs(first), _SHARE, axis=0) + 1e-9
    sums = _sums(fit, theta, width)
    if sums is None:
        return None
    return search.run(theta, sums)


def _levels_of(fit: LmmFit) -> Levels:
    objective, model = fit.objective, fit.model
    ZZ, ZX, Zy = objective.products.core.block(0)
    X, y, weights, codes, *_ = row_arguments(model, objective.layout, objective.basis)
    rows = np.column_stack([*X, y]) if X else y[:, None]
    rows[:, -1] -= rows[:, :-1] @ objective.basis.b0
    rows[:, :-1] = np.linalg.solve(objective.basis.R.T, rows[:, :-1].T).T
    order = np.argsort(codes[0], kind="stable")
    start = np.searchsorted(codes[0][order], np.arange(len(ZZ)))
    w = np.ones(len(rows)) if weights is None else weights
    p = rows.shape[1]
    outer = np.empty((len(ZZ), p, p))
    for a, b in product(range(p), repeat=2):
        outer[:, a, b] = np.add.reduceat((w * rows[:, a] * rows[:, b])[order], start) if a <= b else outer[:, b, a]
    return Levels(
        A=ZZ,
        C=np.concatenate([ZX, Zy[:, :, None]], axis=2),
        outer=outer,
        n=np.bincount(codes[0], minlength=len(ZZ)),
        sum_log_weights=np.add.reduceat(np.log(w)[order], start),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Whole:
    """All levels at one theta, with slopes along the relative covariance S: H summed, and U by level's outer sums."""

    part: Part
    slopes: tuple[NDArray[np.float64], NDArray[np.float64]]


def _own(levels: Levels, Lambda: NDArray[np.float64]) -> tuple[Part, NDArray[np.float64], NDArray[np.float64]]:
    """Each level's part at its own factor (J, k, k), with H = A (I + SA)^-1 and U = (I + SA)^-T C."""
    k = Lambda.shape[-1]
    LA = Lambda.swapaxes(1, 2) @ levels.A
    M = LA @ Lambda + np.eye(k)
    K = Lambda @ np.linalg.solve(M, np.broadcast_to(Lambda.swapaxes(1, 2), M.shape))
    AK = levels.A @ K
    part = Part(
        log_det=np.linalg.slogdet(M)[1],
        products=levels.outer - levels.C.swapaxes(1, 2) @ K @ levels.C,
    )
    return part, levels.A - AK @ levels.A, levels.C - AK @ levels.C


def _whole(levels: Levels, Lambda: NDArray[np.float64]) -> _Whole:
    part, H, U = _own(levels, Lambda)
    J, k, p = U.shape
    flat = U.reshape(J, k * p)
    return _Whole(
        part=Part(log_det=part.log_det.sum(keepdims=True), products=part.products.sum(axis=0, keepdims=True)),
        slopes=(H.sum(axis=0), (flat.T @ flat).reshape(k, p, k, p)),
    )


class _Sums:
    """Polynomials for the log-determinant and the products of all levels around a theta."""

    def __init__(self, centre: NDArray[np.float64], width: NDArray[np.float64]) -> None:
        self.centre, self.width = centre, width
        d = len(centre)
        degree = _DEGREES[d]
        self.powers = np.array([a for a in product(range(degree + 1), repeat=d) if sum(a) <= degree])
        self.coefficients: NDArray[np.float64] = np.empty(0)

    def points(self) -> NDArray[np.float64]:
        """Where to sample: more points than coefficients, dense towards the edges as Chebyshev's are."""
        n, d = 2 * len(self.powers) + 3, len(self.centre)
        steps = np.sqrt(np.array([2.0, 3.0, 5.0, 7.0, 11.0, 13.0])[:d])
        u = (0.5 + np.arange(n)[:, None] * steps) % 1.0
        return np.asarray(self.centre + self.width * np.cos(np.pi * u), dtype=np.float64)

    def basis(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Products of Chebyshev polynomials at m thetas, (m, coefficients)."""
        t = np.clip((theta - self.centre) / self.width, -1.0, 1.0)
        angles = np.arccos(t)
        values = np.cos(angles[:, :, None] * np.arange(self.powers.max() + 1))
        out = np.ones((len(theta), len(self.powers)))
        for i in range(theta.shape[1]):
            out *= values[:, i, self.powers[:, i]]
        return out

    def slopes(self, theta: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Their derivatives along each entry of theta."""
        t = np.clip((theta - self.centre) / self.width, -1.0, 1.0)
        n = np.arange(self.powers.max() + 1)
        T = np.cos(np.arccos(t)[:, :, None] * n)
        dT = np.zeros_like(T)
        for m in n[1:]:  # T'_m = 2 m T_{m-1} + m / (m - 2) T'_{m-2}
            dT[:, :, m] = m * (1.0 if m == 1 else 2.0) * T[:, :, m - 1]
            if m > 2:
                dT[:, :, m] += m / (m - 2) * dT[:, :, m - 2]
        out = []
        for i in range(theta.shape[1]):
            column: NDArray[np.float64] = np.ones((len(theta), len(self.powers)))
            for other in range(theta.shape[1]):
                column *= (dT if other == i else T)[:, other, self.powers[:, other]]
            out.append(column / self.width[i])
        return out

    def part(self, basis: NDArray[np.float64]) -> Part:
        """The sums that belong to values of the basis (or to its slopes)."""
        values = basis @ self.coefficients
        p = round((values.shape[1] - 1) ** 0.5)
        return Part(log_det=values[:, 0], products=values[:, 1:].reshape(-1, p, p))


def _sums(fit: LmmFit, theta: NDArray[np.float64], width: NDArray[np.float64]) -> _Sums | None:
    """Fit the polynomials to evaluations of the core; None if they miss points that they were not fitted to."""
    sums = _Sums(theta, width)
    points = sums.points()
    sampled = [_sample(fit, point) for point in points]
    if any(one is None for one in sampled):
        return None
    values = np.array(sampled)
    test = np.arange(len(points)) % 5 == 4
    # In units of what is fitted: the products are compared by what they mean for the criterion.
    fitted = np.linalg.lstsq(sums.basis(points[~test]), values[~test], rcond=None)[0]
    sums.coefficients = fitted
    off = np.abs(sums.basis(points[test]) @ fitted - values[test])
    off[:, 1:] *= fit.objective.degrees / np.abs(values[:, 1:]).max()
    return sums if off.max() <= _ACCURACY[0] + _ACCURACY[1] * abs(fit.solution.value) else None


def _sample(fit: LmmFit, theta: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Log-determinant and products of all rows at one theta, from what the core reports."""
    raw = fit.objective.core.evaluate(theta, None, False)
    if not raw["ok"]:
        return None
    XVX, beta, rss, m = raw["XVX"], raw["beta"], raw["rss"], fit.objective.degrees
    fixed = np.linalg.slogdet(XVX)[1] + 2.0 * fit.objective.basis.log_det_R if fit.reml else 0.0
    core = fit.objective.products.core
    log_det = raw["value"] + core.sum_log_weights - fixed - m * (1.0 + np.log(2.0 * np.pi * rss / m))
    Xy = XVX @ beta
    products = np.block([[XVX, Xy[:, None]], [Xy[None], np.array([[rss + beta @ Xy]])]])
    return np.concatenate([[log_det], products.ravel()])


class _Search:
    """Newton's method for all levels at once, with the curvature of all rows."""

    def __init__(self, fit: LmmFit, levels: Levels, curvature: NDArray[np.float64]) -> None:
        self.fit, self.levels = fit, levels
        self.entries = np.array(fit.objective.layout.entries(), dtype=np.intp)[:, 1:]
        self.inverse = np.linalg.inv(curvature)
        self.m = fit.nobs - levels.n - (fit.objective.products.p if fit.reml else 0)

    def lambdas(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Factors of the working columns, (m, k, k)."""
        k = self.levels.A.shape[-1]
        out = np.zeros((len(theta), k, k))
        out[:, self.entries[:, 0], self.entries[:, 1]] = theta
        return out

    def left(self, whole: Part, own: Part) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Products, inverse of X'V^-1X and (-beta, 1) of the rows left."""
        products = whole.products - own.products
        D = np.asarray(np.linalg.inv(products[:, :-1, :-1]), dtype=np.float64)
        beta = np.einsum("mpq,mq->mp", D, products[:, :-1, -1])
        return products, D, np.concatenate([-beta, np.ones((len(beta), 1))], axis=1)

    def gradient(
        self, theta: NDArray[np.float64], whole: Part, slopes: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Gradient (J, d), products, (-beta, 1) and the log-determinants of the rows left.

        `slopes` are those of all levels along S (a `_Whole`'s), or functions of theta: a list of `Part` by entry.
        """
        Lambda = self.lambdas(theta)
        own, H, U = _own(self.levels, Lambda)
        products, D, w = self.left(whole, own)
        rss = np.einsum("mp,mpq,mq->m", w, products, w)
        penalty = self.m / rss
        Dx = D if self.fit.reml else np.zeros_like(D)
        v = np.einsum("mkp,mp->mk", U, w)
        G = H - U[:, :, :-1] @ Dx @ U[:, :, :-1].swapaxes(1, 2) - penalty[:, None, None] * v[:, :, None] * v[:, None, :]
        if isinstance(slopes, list):
            along = [
                s.log_det
                + np.einsum("mpq,mqp->m", Dx, s.products[:, :-1, :-1])
                + penalty * np.einsum("mp,mpq,mq->m", w, s.products, w)
                for s in slopes
            ]
            total = np.stack(along, axis=1)
        else:
            sum_H, UU = slopes
            full = sum_H - np.einsum("kplq,mpq->mkl", UU[:, :-1, :, :-1], Dx, optimize=True)
            full = full - penalty[:, None, None] * np.einsum("kplq,mp,mq->mkl", UU, w, w, optimize=True)
            total = self._entries(full @ Lambda)
        return total - self._entries(G @ Lambda), products, w, whole.log_det - own.log_det

    def _entries(self, GL: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(2.0 * GL[:, self.entries[:, 0], self.entries[:, 1]], dtype=np.float64)

    def step(self, theta: NDArray[np.float64], whole: Part, slopes: Any) -> NDArray[np.float64]:
        """Newton steps from theta, (J, d)."""
        return np.asarray(-self.gradient(theta, whole, slopes)[0] @ self.inverse, dtype=np.float64)

    def run(self, centre: NDArray[np.float64], sums: _Sums) -> dict[str, NDArray[Any]]:
        """Iterate until no level gains; what leaves the region of the polynomial is not converged."""
        tolerance = 0.01 * self.fit.control.tolerance
        theta = np.tile(centre, (len(self.levels.n), 1))
        for last in [False] * _STEPS + [True]:
            slopes = [sums.part(one) for one in sums.slopes(theta)]
            whole = sums.part(sums.basis(theta))
            gradient, products, w, log_det = self.gradient(theta, whole, slopes)
            step = -gradient @ self.inverse
            decrement = -0.5 * (gradient * step).sum(axis=1)
            inside = np.asarray((np.abs(theta - centre) <= sums.width).all(axis=1))
            if last or (decrement[inside] < tolerance).all():
                break
            theta = theta + np.where(inside[:, None], step, 0.0)
        rss = np.einsum("mp,mpq,mq->m", w, products, w)
        XVX = products[:, :-1, :-1]
        value = self.m * (1.0 + np.log(2.0 * np.pi * rss / self.m)) + log_det
        value -= self.fit.objective.products.core.sum_log_weights - self.levels.sum_log_weights
        if self.fit.reml:
            value += np.linalg.slogdet(XVX)[1] + 2.0 * self.fit.objective.basis.log_det_R
        return {
            "theta": theta,
            "beta": -w[:, :-1],
            "XVX": XVX,
            "value": value,
            "rss": rss,
            "converged": inside & (decrement < self.fit.control.tolerance) & (rss > 0.0),
        }
