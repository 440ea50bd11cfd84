"""The bootstrap of a fit and its intervals, for all kinds of models."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from mixedeffects.errors import DataError
from mixedeffects.fit import LmmFit
from mixedeffects.fit.calls import instead
from mixedeffects.results.views import BootstrapView

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from mixedeffects.tables.frames import IntervalFrame


class BootstrapMethods(LmmFit):
    """What every fit offers for resampling."""

    __slots__ = ()

    def bootstrap(
        self,
        n: int = 1000,
        *,
        statistic: Callable[[Any], Any] | None = None,
        rng: Any = None,
        kind: str = "parametric",
        workers: int | None = None,
        progress: bool | None = None,
        path: str | os.PathLike[str] | None = None,
    ) -> BootstrapView:
        """Draw responses from the fit, with new random effects, and refit the model to each.

        Parameters
        ----------
        n : int
            Number of replicates.
        statistic : callable, optional
            Function of a refitted model that returns a number, or a mapping of names to numbers.
        rng : None, int, Generator or SeedSequence
            Source of the draws.
        kind : {"parametric"}
            New random effects and new errors.
        workers : int, optional
            Threads; the replicates do not depend on them.
        progress : bool, optional
            Show a progress bar (needs tqdm); None shows it for long work in a terminal.
        path : path, optional
            Write the replicates as they come, and resume from the file to the same result.

        Returns
        -------
        BootstrapView
            replicates, confint, and how many failed. An interrupt returns what is done.
        """
        from mixedeffects.inference.bootstrap import bootstrap

        def as_result(fit: LmmFit) -> Any:
            return type(self)(**{field.name: getattr(fit, field.name) for field in fields(fit)})

        chosen = None if statistic is None else lambda fit: statistic(as_result(fit))
        return BootstrapView(
            bootstrap(self, n, statistic=chosen, rng=rng, kind=kind, workers=workers, progress=progress, path=path)
        )

    def _bootstrap_limits(
        self, level: float, params: str | Sequence[str] | None, options: Mapping[str, Any]
    ) -> IntervalFrame:
        """Intervals from replicates that are drawn for them."""
        drawn = {name: value for name, value in options.items() if name != "kind"}
        kind = options.get("kind", "percentile")
        return self.bootstrap(**drawn).confint(level=level, kind=kind, params=params)


def refuse_options(method: str, options: Mapping[str, Any]) -> None:
    """Refuse options where the intervals are none of a bootstrap, which may have some."""
    for name in options:
        if name in inspect.signature(BootstrapMethods.bootstrap).parameters:
            raise DataError(f"{name!r} is an option of the bootstrap only, not of method={method!r}")
        raise DataError(f"confint() has no argument {name!r}; {instead('confint', name)}")
