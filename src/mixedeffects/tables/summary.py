"""The printed summary of a linear mixed model, laid out as lme4 lays it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mixedeffects.tables.coefficients import STARS_LEGEND, Coefficients
from mixedeffects.tables.html import document, paragraph, table
from mixedeffects.tables.numbers import r_format, r_round, zap_small
from mixedeffects.tables.text import filled, formula_lines, matrix_lines, vector_lines

if TYPE_CHECKING:
    from mixedeffects.tables.varcorr import VarCorr

__all__ = ["Coefficients", "InformationCriteria", "Summary", "glmm_family", "glmm_title", "lmm_title"]

# Significant digits of variances, coefficients and residual quantiles.
_DIGITS = 4
# More coefficients than this are printed without their correlations.
_MOST_CORRELATED = 12


def lmm_title(*, reml: bool, ddf: str | None = None) -> str:
    """Return the first line of the summary of a linear mixed model.

    Parameters
    ----------
    reml : bool
        Restricted or ordinary maximum likelihood.
    ddf : str or None
        Name of the method of the t tests as it reads in a sentence (``"Satterthwaite"``), if there are any.
    """
    method = "REML" if reml else "maximum likelihood "
    if ddf is None:
        return f"Linear mixed model fit by {method} ['lmerMod']"
    return f"Linear mixed model fit by {method}. t-tests use {ddf}'s method ['lmerModLmerTest']"


def glmm_title(nagq: int) -> str:
    """Return the first line of the summary of a generalized linear mixed model.

    Parameters
    ----------
    nagq : int
        0 for the fast approximation, 1 for Laplace's, else the number of quadrature points.
    """
    how = {0: "Adaptive Gauss-Hermite Quadrature, nAGQ = 0", 1: "Laplace Approximation"}
    return (
        "Generalized linear mixed model fit by maximum likelihood "
        f"({how.get(nagq, f'Adaptive Gauss-Hermite Quadrature, nAGQ = {nagq}')}) ['glmerMod']"
    )


def glmm_family(name: str, link: str, dispersion: float | None) -> tuple[str, str | None]:
    """Return the text of the line ``Family:``, and the line on the dispersion if it has one of its own.

    Parameters
    ----------
    name, link : str
        Of the family.
    dispersion : float or None
        Where it is a parameter that is no residual variance. With the negative binomial it stands beside the name, as
        lme4 has it; elsewhere in a line of its own, as glmmTMB has it.
    """
    if name == "negative_binomial" and dispersion is not None:
        return f"Negative Binomial({r_format([r_round(dispersion, 4)])[0]})  ( {link} )", None
    line = None if dispersion is None else f"Dispersion parameter for {name} family (): {r_format([dispersion], 3)[0]}"
    return f"{name}  ( {link} )", line


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationCriteria:
    """Fit statistics of a maximum likelihood fit, in the order in which they are printed."""

    aic: float
    bic: float
    loglik: float
    deviance: float
    df_resid: int

    def cells(self) -> tuple[list[str], list[str]]:
        """Return names and values as text, the values with one decimal."""
        values = [r_round(x, 1) for x in (self.aic, self.bic, self.loglik, self.deviance)]
        # The degrees of freedom share the digits, not the decimals.
        texts = r_format([*values, float(self.df_resid)])[:4] + r_format([float(self.df_resid)])
        return ["AIC", "BIC", "logLik", "deviance", "df.resid"], texts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summary:
    """A printed summary: plain values in, text and HTML out.

    Attributes
    ----------
    title : str
        First line, as from `lmm_title`.
    formula : str
        Text of the formula.
    criterion : float or InformationCriteria
        REML criterion at convergence, or the statistics of a maximum likelihood fit.
    residual_quantiles : tuple of 5 floats
        Minimum, quartiles and maximum of the scaled residuals.
    varcorr : VarCorr
        Variances and correlations of the random effects.
    nobs : int
        Number of rows used.
    groups : tuple of (str, int)
        Name and number of levels of every grouping factor.
    coefficients : Coefficients
        The fixed effects; those that are NaN were dropped for rank deficiency.
    modelled : str or None
        What the means of a response of two categories are, below the formula; None leaves it out.
    family : str or None
        Text of the line ``Family:``; None leaves it out.
    dispersion : str or None
        Line on the dispersion below the random effects; None leaves it out.
    data_name, weights, offset, control, subset : str or None
        Texts of the lines ``Data:``, ``Weights:``, ``Offset:``, ``Control:``, ``Subset:``; None leaves the line out.
    boundary : tuple of str
        For a singular fit: which term, and the direction without variance.
    messages : tuple of str
        Further lines at the end.
    stars : bool
        Whether p-values are marked with stars.
    """

    title: str
    formula: str
    criterion: float | InformationCriteria
    residual_quantiles: tuple[float, ...]
    varcorr: VarCorr
    nobs: int
    groups: tuple[tuple[str, int], ...]
    coefficients: Coefficients
    family: str | None = None
    modelled: str | None = None
    dispersion: str | None = None
    data_name: str | None = None
    weights: str | None = None
    offset: str | None = None
    control: str | None = None
    subset: str | None = None
    boundary: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    stars: bool = False

    @property
    def text(self) -> str:
        """The summary as plain text."""
        lines = [
            self.title,
            *([] if self.family is None else [f" Family: {self.family}"]),
            *self._call_lines(),
            "",
            *self._criterion_lines(),
            "",
            *self._residual_lines(),
            "",
            *self._random_lines(),
            *self._fixed_lines(),
            *self._correlation_lines(),
            *self._closing_lines(),
        ]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _call_parts(self) -> list[tuple[str, str]]:
        parts = (
            ("   Data:", self.data_name),
            ("Weights:", self.weights),
            (" Offset:", self.offset),
            ("Control:", self.control),
            (" Subset:", self.subset),
        )
        return [(head, text) for head, text in parts if text is not None]

    def _call_lines(self) -> list[str]:
        lines = filled("Formula:", *formula_lines(self.formula))
        lines += [] if self.modelled is None else [f"  Means: {self.modelled}"]
        for head, text in self._call_parts():
            lines += filled(head, text)
        return lines

    def _reml_text(self, criterion: float) -> str:
        return f"REML criterion at convergence: {r_format([r_round(criterion, 1)])[0]}"

    def _criterion_lines(self) -> list[str]:
        if isinstance(self.criterion, InformationCriteria):
            names, cells = self.criterion.cells()
            return vector_lines(cells, names)
        return [self._reml_text(self.criterion)]

    def _residual_cells(self) -> tuple[list[str], list[str]]:
        quantiles = zap_small(self.residual_quantiles, _DIGITS + 1)
        return ["Min", "1Q", "Median", "3Q", "Max"], r_format(quantiles, _DIGITS)

    def _residual_lines(self) -> list[str]:
        names, cells = self._residual_cells()
        return ["Scaled residuals: ", *vector_lines(cells, names)]

    def _group_texts(self) -> tuple[str, str]:
        return f"Number of obs: {self.nobs}, groups: ", "; ".join(f"{name}, {n}" for name, n in self.groups)

    def _random_lines(self) -> list[str]:
        heads, columns = self.varcorr.cells(_DIGITS, ("Variance", "Std.Dev."))
        rows = matrix_lines(columns, heads=heads, row_names=[""] * len(columns[0]), right=False)
        below = [] if self.dispersion is None else ["", self.dispersion]
        return ["Random effects:", *rows, *filled(*self._group_texts()), *below]

    def _fixed_lines(self) -> list[str]:
        coefficients = self.coefficients
        if not coefficients.kept:
            return []
        heads, columns = coefficients.cells(_DIGITS, stars=self.stars)
        lines = ["", "Fixed effects:"]
        lines += matrix_lines(columns, heads=heads, row_names=coefficients.kept_names, right=True)
        if self.stars and coefficients.has_stars:
            lines += STARS_LEGEND
        return lines

    def _correlation_note(self) -> tuple[str, ...]:
        p = len(self.coefficients.kept)
        if p <= _MOST_CORRELATED:
            return ()
        return (
            f"Correlation matrix not shown by default, as p = {p} > {_MOST_CORRELATED}.",
            "Use fit.vcov if you need it.",
        )

    def _correlation_lines(self) -> list[str]:
        if note := self._correlation_note():
            return ["", *note]
        if len(self.coefficients.kept) < 2:
            return []
        names, heads, columns = self.coefficients.correlation_cells()
        lines = matrix_lines(columns, heads=heads, row_names=names, right=False)
        return ["", "Correlation of Fixed Effects:", *lines]

    def _closing_lines(self) -> list[str]:
        lines = []
        dropped = len(self.coefficients.names) - len(self.coefficients.kept)
        if dropped:
            what = "1 column / coefficient" if dropped == 1 else f"{dropped} columns / coefficients"
            lines += ["fit warnings:", f"fixed-effect model matrix is rank deficient so dropping {what}"]
        lines += self.messages
        if self.boundary:
            lines.append("boundary (singular) fit: " + "; ".join(self.boundary))
        return lines

    def _repr_html_(self) -> str:
        call = [] if self.family is None else [f"Family: {self.family}"]
        call += [] if self.modelled is None else [f"Means: {self.modelled}"]
        call += [f"{head.strip()} {text}" for head, text in self._call_parts()]
        parts = [paragraph(self.title, title=True), *map(paragraph, [f"Formula: {self.formula}", *call])]
        if isinstance(self.criterion, InformationCriteria):
            names, cells = self.criterion.cells()
            parts.append(table([[cell] for cell in cells], heads=names, n_names=0))
        else:
            parts.append(paragraph(self._reml_text(self.criterion)))
        names, cells = self._residual_cells()
        parts.append(table([[cell] for cell in cells], heads=names, n_names=0, caption="Scaled residuals"))
        heads, columns = self.varcorr.cells(_DIGITS, ("Variance", "Std.Dev."))
        parts.append(table(columns, heads=heads, n_names=2, caption="Random effects"))
        parts.append(paragraph(" ".join(self._group_texts())))
        parts += [] if self.dispersion is None else [paragraph(self.dispersion)]
        parts += self._fixed_html()
        parts += map(paragraph, self._closing_lines())
        return document(parts)

    def _fixed_html(self) -> list[str]:
        coefficients = self.coefficients
        if not coefficients.kept:
            return []
        heads, columns = coefficients.cells(_DIGITS, stars=self.stars)
        parts = [table([coefficients.kept_names, *columns], heads=["", *heads], caption="Fixed effects")]
        if self.stars and coefficients.has_stars:
            parts.append(paragraph(STARS_LEGEND[1]))
        if note := self._correlation_note():
            parts.append(paragraph(" ".join(note)))
        elif len(coefficients.kept) > 1:
            # Full names: a table in HTML needs no abbreviations.
            _, _, columns = coefficients.correlation_cells()
            names = coefficients.kept_names
            parts.append(table([names[1:], *columns], heads=["", *names[:-1]], caption="Correlation of fixed effects"))
        return parts
