"""The errors and warnings of the package: one tree of each.

A message says what is wrong, which value, what is allowed and what to do.
"""

from __future__ import annotations


class MixedEffectsError(Exception):
    """Base of every error that the package raises on purpose."""


class FormulaError(MixedEffectsError, ValueError):
    """The formula text cannot be read, or asks for something that is not supported."""


class DataError(MixedEffectsError, ValueError):
    """The data do not fit the formula: a missing column, a wrong type, an impossible value."""


class ConvergenceError(MixedEffectsError, RuntimeError):
    """The criterion could not be minimized at all; no answer exists to return."""


class ArgumentError(DataError, TypeError):
    """A function was called with an argument that it does not have, or without one that it needs."""


class UnavailableError(MixedEffectsError, AttributeError):
    """A method was asked for that only another kind of fit has."""


class MixedEffectsWarning(UserWarning):
    """Base of every warning that the package issues."""


class SingularFitWarning(MixedEffectsWarning):
    """An estimated covariance matrix is singular: a variance of 0, or a correlation of +-1."""


class ConvergenceWarning(MixedEffectsWarning):
    """The optimizer stopped at a point that its certificate does not call a minimum, or some estimate is not finite."""


class RankDeficiencyWarning(MixedEffectsWarning):
    """Columns of the fixed-effects matrix were dropped because others determine them."""


class DroppedRowsWarning(MixedEffectsWarning):
    """Rows with missing values or zero weights were left out."""
