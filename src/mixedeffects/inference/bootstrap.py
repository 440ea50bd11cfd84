"""Parametric bootstrap: responses drawn from the fit, with new random effects, and the model fitted to each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError, MixedEffectsError
from mixedeffects.fit.draws import response_model
from mixedeffects.fit.effects import working_theta
from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.fit.kinds import draw_and_fit
from mixedeffects.fit.refitter import Refitter
from mixedeffects.inference.bootstrap_intervals import limits
from mixedeffects.inference.interval_estimates import Intervals
from mixedeffects.inference.monte_carlo import checked_draws
from mixedeffects.inference.parameters import estimates, parameters, select
from mixedeffects.inference.sufficient import Sampler, sampler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

    Statistic = Callable[[LmmFit], Any]

_CHUNK = 256  # replicates that share a stream of random numbers, whatever the number of workers
_SMALL = 1200  # random and fixed effects for which the draws never touch rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bootstrap:
    """Replicates of the estimates.

    Attributes
    ----------
    fit : LmmFit
        The fit that was drawn from.
    names : tuple of str (m,)
        The parameters, or the names of the statistic's values.
    estimate : ndarray (m,)
        At the fit.
    values : ndarray (n, m)
        One row per replicate that converged, in the order of the draws.
    theta : ndarray (n, d)
        Relative covariance factors in the working columns; empty with a statistic of the caller's.
    n_asked, n_done, n_failed : int
        Replicates asked for, drawn, and left out because their refit did not converge.
    message : str
        What else there is to say; empty if nothing.
    """

    fit: LmmFit
    names: tuple[str, ...]
    estimate: NDArray[np.float64]
    values: NDArray[np.float64]
    theta: NDArray[np.float64]
    n_asked: int
    n_done: int
    n_failed: int
    message: str = ""

    def intervals(self, level: float = 0.95, kind: str = "percentile", params: Any = None) -> Intervals:
        """Confidence intervals from the replicates.

        Parameters
        ----------
        level : float
            Confidence level.
        kind : {"percentile", "basic", "normal", "bca"}
            Kind of interval; bca corrects for bias and, by deleting the levels of the coarsest factor in turn, for the
            acceleration.
        params : str or sequence of str, optional
            Some of the parameters.
        """
        if params is None:
            chosen = list(range(len(self.names)))
        elif set(self.names) == {p.name for p in parameters(self.fit)}:
            wanted = [p.name for p in select(parameters(self.fit), params)]
            chosen = [self.names.index(name) for name in wanted]
        else:
            chosen = [self.names.index(name) for name in ([params] if isinstance(params, str) else params)]
        lower, upper = limits(self, chosen, level, kind)
        return Intervals(
            names=tuple(self.names[j] for j in chosen),
            estimate=self.estimate[chosen],
            lower=lower,
            upper=upper,
            level=level,
            method=f"parametric bootstrap, {kind}, {len(self.values)} replicates",
            message=self.message,
        )


def bootstrap(
    fit: LmmFit,
    n: int = 1000,
    *,
    statistic: Statistic | None = None,
    rng: Any = None,
    kind: str = "parametric",
    workers: int | None = None,
    progress: bool | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Bootstrap:
    """Draw responses from a fit and refit the model to each.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    n : int
        Number of replicates.
    statistic : callable, optional
        Function of a refitted model that returns a number, or a mapping of names to numbers; the parameters by default.
    rng : None, int, Generator or SeedSequence
        Source of the draws.
    kind : {"parametric"}
        New random effects and new errors are drawn.
    workers : int, optional
        Threads; those of the fit's control by default. The replicates do not depend on them.
    progress : bool, optional
        Show a progress bar (needs tqdm); None shows it only where the work is long and a terminal watches.
    path : path, optional
        Write the replicates to this file as they come; where it exists, resume to the same result.

    Returns
    -------
    Bootstrap
        An interrupt (Ctrl-C) returns what is done, and says so.

    Raises
    ------
    DataError
        For another kind, an n that is no positive number, or a file of another fit.

    Notes
    -----
    With up to 1,200 effects only the products of a response with Z and X are drawn: with y - X beta = Z gamma + e they
    are normal given the cross-products, and what is left of the sum of squares is chi-square [1]_.

    References
    ----------
    .. [1] Davison & Hinkley (1997), Bootstrap Methods and their Application, section 2.2 for the intervals.
    """
    n = checked_draws(n)
    if kind != "parametric":
        raise DataError(f'kind={kind!r} is not known; it is "parametric": new random effects and errors are drawn')
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, Integral) or workers < 1):
        raise DataError(f"workers={workers!r}: give the number of threads, 1 or more")
    if fit.control.fixed_theta is not None:
        raise MixedEffectsError("theta was given, not estimated: there is nothing to refit")
    seeds = _seeds(rng, n, path, fit)
    names, estimate = _observed(fit, statistic)
    draw = _worker(fit, statistic, len(names), workers or fit.control.n_threads)
    chunks, message = _run(seeds, draw, n, path, fit, names, progress)
    values = np.concatenate([chunk[0] for chunk in chunks]) if chunks else np.empty((0, len(names)))
    theta = np.concatenate([chunk[1] for chunk in chunks]) if chunks else np.empty((0, 0))
    ok = np.isfinite(values[:, -1]) if len(values) else np.empty(0, dtype=bool)
    n_failed = int((~ok).sum())
    if n_failed:
        left_out = f"{n_failed} of {len(ok)} refits did not converge and are left out"
        message = f"{message}; {left_out}" if message else left_out
    return Bootstrap(
        fit=fit,
        names=names,
        estimate=estimate,
        values=values[ok],
        theta=theta[ok],
        n_asked=n,
        n_done=len(ok),
        n_failed=n_failed,
        message=message,
    )


def _observed(fit: LmmFit, statistic: Statistic | None) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    if statistic is None:
        every = parameters(fit)
        return tuple(p.name for p in every), estimates(fit, every)
    names, values = _named(statistic(fit))
    return names, np.array(values)


def _named(result: Any) -> tuple[tuple[str, ...], list[float]]:
    if hasattr(result, "items"):
        pairs = [(str(name), float(value)) for name, value in result.items()]
        return tuple(name for name, _ in pairs), [value for _, value in pairs]
    values = np.atleast_1d(np.asarray(result, dtype=np.float64))
    return tuple(f"statistic{j + 1}" if len(values) > 1 else "statistic" for j in range(len(values))), values.tolist()


Chunk = tuple["NDArray[np.float64]", "NDArray[np.float64]"]


def _worker(
    fit: LmmFit, statistic: Statistic | None, m: int, workers: int
) -> Callable[[np.random.Generator, int], Chunk]:
    """A function that draws and refits one chunk; m is the number of values of each replicate."""
    if statistic is None and isinstance(fit, GlmmFit):
        every = parameters(fit)
        statistic = partial(estimates, chosen=every)
    if statistic is not None:
        return lambda generator, n: _with_statistic(fit, statistic, m, generator, n, workers)
    size = len(fit.solution.beta) + fit.model.n_effects
    if size <= _SMALL:
        source = sampler(fit)
        return lambda generator, n: _from_products(fit, source, generator, n, workers)
    refitter = Refitter(fit)
    return lambda generator, n: _from_rows(fit, refitter, generator, n, workers)


def _from_products(fit: LmmFit, source: Sampler, generator: np.random.Generator, n: int, workers: int) -> Chunk:
    drawn = source.draw(_CHUNK, generator)  # always a whole chunk, so that a longer run begins with a shorter one
    Zy = [products[:n] for products in drawn.Zy]
    control = fit.control
    raw = fit.objective.core.minimize_many(
        Zy, drawn.Xy[:n], drawn.yy[:n], control.tolerance, control.max_evaluations, workers
    )
    beta = raw["beta"] @ np.linalg.inv(fit.objective.basis.R).T + fit.solution.beta
    failed = ~np.isfinite(raw["decrement"])
    return _reported(fit, raw["theta"], beta, raw["rss"], failed)


def _from_rows(fit: LmmFit, refitter: Refitter, generator: np.random.Generator, n: int, workers: int) -> Chunk:
    model = response_model(fit)
    return replicates(fit, refitter, [model.draw(generator, 1).y[0] for _ in range(n)], workers)


def replicates(fit: LmmFit, refitter: Refitter, responses: Sequence[NDArray[np.float64]], workers: int) -> Chunk:
    """Refit a linear model to responses in the core.

    Parameters
    ----------
    fit : LmmFit
        The model.
    refitter : Refitter
        That of the fit.
    responses : sequence of ndarray (nobs,)
        The responses, n of them.
    workers : int
        Threads.

    Returns
    -------
    values : ndarray (n, m)
        Estimates in the order of `parameters`; NaN where a refit did not converge.
    theta : ndarray (n, d)
        In the working columns.
    """
    n = len(responses)
    if workers == 1:
        refits = [refitter(y) for y in responses]
    else:
        with ThreadPoolExecutor(workers) as pool:
            refits = list(pool.map(refitter, responses))
    R = fit.objective.basis.R
    theta = np.array([r.theta for r in refits]).reshape(n, -1)
    beta = np.array([fit.objective.basis.b0 + np.linalg.solve(R, r.beta) for r in refits]).reshape(n, -1)
    return _reported(fit, theta, beta, np.array([r.rss for r in refits]), np.array([not r.converged for r in refits]))


def _with_statistic(
    fit: LmmFit, statistic: Statistic, size: int, generator: np.random.Generator, n: int, workers: int
) -> Chunk:
    rows = []
    for again in draw_and_fit(fit, n, generator, workers):
        if again is None or not (again.optimum.converged or again.is_singular):
            rows.append([np.nan] * size)
        else:
            rows.append(_named(statistic(again))[1])
    return np.array(rows), np.empty((n, 0))


def _reported(
    fit: LmmFit,
    theta: NDArray[np.float64],
    beta: NDArray[np.float64],
    rss: NDArray[np.float64],
    failed: NDArray[np.bool_],
) -> Chunk:
    """Parameters on the reported scale, in the order of `parameters`: (n, m)."""
    sigma = np.sqrt(rss / fit.objective.degrees)
    layout = fit.objective.layout
    columns = []
    at = 0
    for k, T in zip(layout.widths, fit.objective.basis.T, strict=True):
        L = np.zeros((len(theta), k, k))
        columns_, rows_ = np.triu_indices(k)
        L[:, rows_, columns_] = theta[:, at : at + k * (k + 1) // 2]
        at += k * (k + 1) // 2
        F = np.linalg.inv(T) @ L
        S = F @ F.swapaxes(1, 2)
        sd = np.sqrt(np.einsum("naa->na", S))
        for column in range(k):
            columns.append(sd[:, column] * sigma)
            for row in range(column + 1, k):
                with np.errstate(invalid="ignore", divide="ignore"):
                    columns.append(np.clip(S[:, row, column] / (sd[:, row] * sd[:, column]), -1.0, 1.0))
    values = np.column_stack([*columns, sigma, beta]) if len(beta.T) else np.column_stack([*columns, sigma])
    values[failed] = np.nan
    return values, theta


def _seeds(rng: Any, n: int, path: str | os.PathLike[str] | None, fit: LmmFit) -> list[np.random.SeedSequence]:
    """One seed for each chunk; those of the file if there is one."""
    n_chunks = -(-n // _CHUNK)
    if path is not None and Path(path).exists():
        with np.load(path, allow_pickle=False) as stored:
            head = json.loads(str(stored["head"]))
        if head["fit"] != _fingerprint(fit):
            raise DataError(f"{os.fspath(path)!r} holds replicates of another fit; remove it or give another path")
        root = np.random.SeedSequence(head["entropy"], spawn_key=tuple(head["spawn_key"]))
        return root.spawn(n_chunks)
    if isinstance(rng, np.random.SeedSequence):
        root = rng
    elif isinstance(rng, np.random.Generator):
        root = np.random.SeedSequence(rng.integers(2**63, size=4).tolist())
    else:
        root = np.random.SeedSequence(rng)
    # Spawned anew, so that the same SeedSequence gives the same replicates each time.
    return np.random.SeedSequence(root.entropy, spawn_key=root.spawn_key).spawn(n_chunks)


def _fingerprint(fit: LmmFit) -> list[float]:
    return [fit.criterion, fit.solution.sigma, *working_theta(fit).tolist(), *fit.solution.beta.tolist()]


def _run(
    seeds: Sequence[np.random.SeedSequence],
    draw: Callable[[np.random.Generator, int], Chunk],
    n: int,
    path: str | os.PathLike[str] | None,
    fit: LmmFit,
    names: tuple[str, ...],
    progress: bool | None,
) -> tuple[list[Chunk], str]:
    """Draw the chunks that are not on file yet; an interrupt keeps what is done."""
    done = _stored(path, names) if path is not None else []
    chunks = [(values[:n], theta[:n]) for values, theta in done[: len(seeds)]]
    try:
        for j in _watched(range(len(chunks), len(seeds)), progress):
            chunks.append(draw(np.random.default_rng(seeds[j]), min(_CHUNK, n - j * _CHUNK)))
            if path is not None:
                _store(path, chunks, seeds[0], fit, names)
    except KeyboardInterrupt:
        return chunks, f"interrupted after {sum(len(c[0]) for c in chunks)} of {n} replicates"
    return chunks, ""


def _watched(steps: range, progress: bool | None) -> Iterable[int]:
    if progress is False or (progress is None and len(steps) < 40):
        return steps
    try:
        from tqdm.auto import tqdm
    except ImportError:
        if progress:
            raise MixedEffectsError("a progress bar needs tqdm: pip install tqdm, or use progress=False") from None
        return steps
    bar: Iterable[int] = tqdm(steps, unit_scale=_CHUNK, unit=" refits", disable=None if progress is None else False)
    return bar


def _store(
    path: str | os.PathLike[str],
    chunks: Sequence[Chunk],
    first: np.random.SeedSequence,
    fit: LmmFit,
    names: tuple[str, ...],
) -> None:
    """Write all chunks and put the file in place at once, so that an interrupt leaves the old one or the new."""
    head = {
        "version": 1,
        "fit": _fingerprint(fit),
        "names": list(names),
        "entropy": first.entropy,
        "spawn_key": list(first.spawn_key[:-1]),
    }
    target = Path(path)
    temporary = target.with_name(target.name + ".part")
    arrays: dict[str, Any] = {}
    for j, (values, theta) in enumerate(chunks):
        arrays[f"values{j}"], arrays[f"theta{j}"] = values, theta
    with temporary.open("wb") as file:
        np.savez(file, head=np.array(json.dumps(head)), **arrays)
    temporary.replace(target)


def _stored(path: str | os.PathLike[str], names: tuple[str, ...]) -> list[Chunk]:
    if not Path(path).exists():
        return []
    with np.load(path, allow_pickle=False) as stored:
        head = json.loads(str(stored["head"]))
        if tuple(head["names"]) != names:
            raise DataError(f"{os.fspath(path)!r} holds another statistic: {', '.join(head['names'])}")
        count = sum(key.startswith("values") for key in stored.files)
        chunks = [(stored[f"values{j}"], stored[f"theta{j}"]) for j in range(count)]
    while chunks and len(chunks[-1][0]) < _CHUNK:  # the last chunk of a shorter run is drawn anew, in full
        chunks.pop()
    return chunks
