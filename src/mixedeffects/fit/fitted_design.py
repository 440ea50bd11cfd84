"""The model matrices together with the estimated covariance of the random effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mixedeffects.errors import DataError
from mixedeffects.fit import effects
from mixedeffects.fit.kinds import linear_equivalent

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from mixedeffects.design import Design, RandomBlock
    from mixedeffects.design.sparse import ZLabels
    from mixedeffects.fit.record import LmmFit

_LARGEST_V = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedDesign:
    """The matrices of a fit: y = X beta + Z gamma + e, var(gamma) = Sigma, var(y) = V. Arrays are read-only.

    Of a generalized fit the model is that of the working response.

    Attributes
    ----------
    fit : LmmFit
        The fit they belong to.
    """

    fit: LmmFit

    def __repr__(self) -> str:
        return repr(self.arrays)

    @property
    def arrays(self) -> Design:
        """The design as it was fitted, without estimates."""
        return self.fit.model

    @property
    def X(self) -> NDArray[np.float64]:
        """Fixed-effects matrix of the estimated coefficients, (n, p)."""
        return self.arrays.X

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of X."""
        return self.arrays.kept_names

    @property
    def y(self) -> NDArray[np.float64]:
        """Response, (n,)."""
        return self.arrays.y

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """Prior weights, (n,), if any."""
        return self.arrays.weights

    @property
    def offset(self) -> NDArray[np.float64] | None:
        """Sum of the offsets, (n,), if any."""
        return self.arrays.offset

    @property
    def terms(self) -> tuple[RandomBlock, ...]:
        """The random-effects terms, in the order of theta."""
        return self.arrays.terms

    @property
    def levels(self) -> dict[str, list[str]]:
        """For each grouping factor its levels."""
        return {name: [str(label) for label in factor.labels] for name, factor in self.arrays.factors.items()}

    @property
    def Z(self) -> sp.csc_array:
        """Random-effects matrix, (n, q), columns ordered by term, level, column, as in lme4."""
        return self.arrays.Z

    def Z_by_column(self) -> sp.csc_array:
        """Z with columns ordered by term, column, level: all intercepts, then all slopes."""
        return self.arrays.Z_by_column()

    def Z_labels(self, *, by_column: bool = False) -> ZLabels:
        """Name the term, level and column that each column of Z stands for."""
        return self.arrays.Z_labels(by_column=by_column)

    @property
    def Lambda(self) -> sp.csc_array:
        """Relative covariance factor, (q, q): Sigma = sigma^2 Lambda Lambda'."""
        return effects.relative_factor(self.fit)

    def Sigma(self) -> sp.csc_array:
        """var(gamma) on the data scale, (q, q), in the order of the columns of Z."""
        return effects.covariance_matrix(self.fit)

    def V(self) -> NDArray[np.float64]:
        """var(y) = Z Sigma Z' + sigma^2 W^-1, (n, n), dense.

        Of a generalized fit it is the variance of the working response eta + d1 / W on the scale of the link,
        Z Sigma Z' + W^-1 with the working weights W at the conditional modes; var(y) itself has no such form.

        Raises
        ------
        DataError
            For more than 20,000 rows.
        """
        n = self.arrays.nobs
        if n > _LARGEST_V:
            raise DataError(
                f"V would have {n} x {n} entries; it is made for at most {_LARGEST_V} rows. Use Z and Sigma()"
            )
        return effects.marginal_covariance(linear_equivalent(self.fit))
