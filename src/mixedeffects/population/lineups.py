"""The true diagnostics hidden among those of data simulated from the fit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mixedeffects.errors import ConvergenceError, DataError
from mixedeffects.population.diagnostics import augmented
from mixedeffects.population.generators import generator_of
from mixedeffects.population.refits import Tally, checked_count, is_fit, quiet
from mixedeffects.population.sampling import simulated_fits
from mixedeffects.population.tables import stacked

if TYPE_CHECKING:
    from collections.abc import Callable

_SALT, _CHECK = 4, 2  # bytes of a code


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lineup:
    """Diagnostics of a fit among others of simulated data.

    Attributes
    ----------
    data : data frame
        What the function of a fit returns, with the place of each in `.sample`, from 1.
    nsim : int
        Number of places.
    code : str
        Tells `decrypt` the place of the true ones.
    """

    data: Any
    nsim: int
    code: str

    def __repr__(self) -> str:
        return f"{self.data!r}\nThe true data are among the {self.nsim}: decrypt({self.code!r}) tells where."


def lineup(fit: Any, fn: Callable[[Any], Any] | None = None, nsim: int = 20, *, rng: Any = None) -> Lineup:
    """Hide the diagnostics of a fit among those of data for which the model is true.

    Parameters
    ----------
    fit : LmmResult or GlmmResult
        The fit.
    fn : callable, optional
        Takes a fit and returns a data frame, a mapping of names to values, or a number; by default the data with fitted
        values and residuals.
    nsim : int
        Number of places, the true one among them; at least 2.
    rng : None, int, Generator or SeedSequence
        Source of the draws and of the true place, which depends on the data too.

    Returns
    -------
    Lineup
        `data` has the place in `.sample`; ``decrypt(lineup)`` or ``decrypt(lineup.code)`` tells the true one.

    Raises
    ------
    DataError
        If there is no fit, or `nsim` is less than 2.
    ConvergenceError
        If a place stays empty because simulated responses could not be fitted.

    Notes
    -----
    Responses are simulated with new random effects and the model is fitted to each [1]_. Who picks the true place by
    chance does so with probability 1 / nsim.

    References
    ----------
    .. [1] Buja et al. (2009), Philosophical Transactions of the Royal Society A 367, 4361-4383,
       doi:10.1098/rsta.2009.0120.

    See Also
    --------
    mixedeffects.LmmResult.plot : ``fit.plot.lineup()`` draws a line-up of residuals or random effects.
    """
    from mixedeffects.plots.lineup import hidden_place

    if not is_fit(fit):
        raise DataError(f"lineup: give a fit of lmer or glmer, not {type(fit).__name__}")
    if fn is not None and not callable(fn):
        raise DataError(f"lineup: fn={fn!r} must be a function of a fit")
    nsim = checked_count(nsim, least=2)
    generator = generator_of(rng)
    position = hidden_place(fit, generator, nsim, "table")
    salt = generator.bytes(_SALT)
    measure = fn or (lambda one: augmented(one))
    made, tally = [], Tally()
    with quiet():
        # A simulated response to which the model cannot be fitted is drawn again, a few times.
        for one in simulated_fits(fit, fit, generator.spawn(2 * nsim)):
            tally.add(one)
            if not isinstance(one, Exception):
                made.append(one)
            if len(made) == nsim - 1:
                break
    if len(made) < nsim - 1:
        raise ConvergenceError(
            f"{tally.failed} of {tally.total} simulated responses could not be fitted: {tally.first_failure}"
        )
    made.insert(position - 1, fit)
    data = stacked([(j, measure(one)) for j, one in enumerate(made, start=1)], fit.model.data_kind)
    return Lineup(data=data, nsim=nsim, code=_encrypted(position, salt))


def decrypt(code: Any) -> str:
    """Tell where the true data of a line-up are.

    Parameters
    ----------
    code : Lineup, str, or what ``fit.plot.lineup()`` returns
        A line-up or its code.

    Returns
    -------
    str
        ``"True data in position 5"``.

    Raises
    ------
    DataError
        For a text that is no code of a line-up.

    Examples
    --------
    >>> import mixedeffects as me
    >>> from mixedeffects.population import decrypt, lineup
    >>> fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
    >>> decrypt(lineup(fit, nsim=5, rng=1))
    'True data in position 2'
    """
    position = getattr(code, "position", None)  # of drawn panels
    if position is None:
        position = _decrypted(getattr(code, "code", code))
    return f"True data in position {position}"


def _key(salt: bytes) -> bytes:
    return hashlib.sha256(b"line-up" + salt).digest()


def _encrypted(position: int, salt: bytes) -> str:
    body = position.to_bytes(4, "big")
    check = hashlib.sha256(salt + body).digest()[:_CHECK]
    return (salt + bytes(a ^ b for a, b in zip(body + check, _key(salt), strict=False))).hex()


def _decrypted(code: Any) -> int:
    problem = DataError(f"{code!r} is no code of a line-up; give what lineup() returned, or its code")
    try:
        raw = bytes.fromhex(code)
    except (TypeError, ValueError):
        raise problem from None
    salt, rest = raw[:_SALT], raw[_SALT:]
    plain = bytes(a ^ b for a, b in zip(rest, _key(salt), strict=False))
    body, check = plain[:4], plain[4:]
    if len(rest) != 4 + _CHECK or hashlib.sha256(salt + body).digest()[:_CHECK] != check:
        raise problem
    return int.from_bytes(body, "big")
