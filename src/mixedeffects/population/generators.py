"""Random generators from what the caller gives as `rng`."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixedeffects.errors import DataError


def generator_of(rng: Any) -> np.random.Generator:
    """Return a generator.

    Parameters
    ----------
    rng : None, int, Generator or SeedSequence
        A generator is used on; a SeedSequence is copied, so that it gives the same draws each time.

    Raises
    ------
    DataError
        For anything else.
    """
    given = rng
    if isinstance(rng, np.random.SeedSequence):
        given = np.random.SeedSequence(rng.entropy, spawn_key=rng.spawn_key, pool_size=rng.pool_size)
    try:
        return np.random.default_rng(given)
    except (TypeError, ValueError):
        raise DataError(
            f"rng={rng!r} must be None, a whole number that is not negative, or a Generator or SeedSequence of numpy"
        ) from None
