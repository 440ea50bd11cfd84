"""The compiled core: cross-products, the profiled criterion and its minimizer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

class CrossProducts:
    @property
    def n(self) -> int: ...
    @property
    def p(self) -> int: ...
    @property
    def yy(self) -> float: ...
    @property
    def sum_log_weights(self) -> float: ...
    @property
    def XX(self) -> _Floats: ...
    @property
    def Xy(self) -> _Floats: ...
    def block(self, f: int) -> tuple[_Floats, _Floats, _Floats]: ...
    def pair(self, f: int, g: int) -> tuple[NDArray[np.int64], NDArray[np.int32], _Floats]: ...
    def __add__(self, other: CrossProducts) -> CrossProducts: ...

class Criterion:
    def __init__(self, products: CrossProducts, entries: list[list[int]], reml: bool, log_det_R: float) -> None: ...
    @property
    def n_theta(self) -> int: ...
    @property
    def reml(self) -> bool: ...
    @property
    def dense_size(self) -> int: ...
    @property
    def moments(self) -> _Floats: ...
    @property
    def hessian_is_dear(self) -> bool: ...
    @property
    def eliminated(self) -> list[int]: ...
    def evaluate(self, theta: _Floats, transform: list[_Floats] | None, derivatives: bool) -> dict[str, Any]: ...
    def hessian(self, theta: _Floats, transform: list[_Floats] | None) -> _Floats | None: ...
    def conditional_variances(self, theta: _Floats, transform: list[_Floats] | None) -> list[_Floats]: ...
    def functionals(
        self, theta: _Floats, X: _Floats, codes: list[NDArray[np.int32]], Z: list[_Floats], n_threads: int
    ) -> tuple[_Floats, _Floats] | None: ...
    def effect_moments(self, theta: _Floats) -> dict[str, Any] | None: ...
    def moment_start(self) -> _Floats: ...
    def minimize(
        self, start: _Floats, tolerance: float, max_evaluations: int, n_threads: int = 1
    ) -> dict[str, Any]: ...
    def minimize_many(
        self,
        Zy: list[_Floats],
        Xy: _Floats,
        yy: _Floats,
        tolerance: float,
        max_evaluations: int,
        n_threads: int,
    ) -> dict[str, NDArray[Any]]: ...
    def with_response(self, products: CrossProducts) -> Criterion: ...

class Refitter:
    def __init__(
        self,
        criterion: Criterion,
        X: list[_Floats],
        y: _Floats,
        weights: _Floats | None,
        codes: list[NDArray[np.int32]],
        n_levels: list[int],
        columns: list[list[_Floats]],
        R: _Floats,
        b0: _Floats,
        T: list[_Floats],
    ) -> None: ...
    def __call__(
        self, y: _Floats, tolerance: float, max_evaluations: int
    ) -> tuple[_Floats, float, _Floats, float, bool, int]: ...

def triangular_factor(columns: list[_Floats], weights: _Floats | None, n_threads: int) -> _Floats: ...
def dense_size(products: CrossProducts) -> int: ...
def cross_products(
    X: list[_Floats],
    y: _Floats,
    weights: _Floats | None,
    codes: list[NDArray[np.int32]],
    n_levels: list[int],
    columns: list[list[_Floats]],
    R: _Floats,
    b0: _Floats,
    T: list[_Floats],
    n_threads: int,
) -> CrossProducts: ...
def response_products(
    products: CrossProducts,
    X: list[_Floats],
    y: _Floats,
    weights: _Floats | None,
    codes: list[NDArray[np.int32]],
    n_levels: list[int],
    columns: list[list[_Floats]],
    R: _Floats,
    b0: _Floats,
    T: list[_Floats],
) -> CrossProducts: ...
def deletions(
    products: CrossProducts,
    criterion: Criterion,
    X: list[_Floats],
    y: _Floats,
    weights: _Floats | None,
    codes: list[NDArray[np.int32]],
    n_levels: list[int],
    columns: list[list[_Floats]],
    R: _Floats,
    b0: _Floats,
    T: list[_Floats],
    order: NDArray[np.int64],
    start: NDArray[np.int64],
    theta: _Floats,
    curvature: _Floats | None,
    refit: bool,
    tolerance: float,
    max_evaluations: int,
    n_threads: int,
) -> dict[str, NDArray[Any]]: ...

class Glmm:
    def __init__(
        self,
        products: CrossProducts,
        entries: list[list[int]],
        X: _Floats,
        codes: list[NDArray[np.int32]],
        Z: list[_Floats],
        offset: _Floats,
        kernel: Any,
        dispersion: bool,
        y: _Floats,
        w: _Floats,
        constant: float,
    ) -> None: ...
    def evaluate(
        self,
        theta: _Floats,
        beta: _Floats,
        t: float,
        start: list[_Floats],
        joint: bool,
        expected: bool,
        gradient: bool,
        tolerance: float,
        curvature: bool,
    ) -> dict[str, Any]: ...
    def linear_start(
        self, theta: _Floats, beta: _Floats, t: float, start: list[_Floats], tolerance: float
    ) -> dict[str, Any] | None: ...
    def hessian(
        self,
        theta: _Floats,
        beta: _Floats,
        t: float,
        start: list[_Floats],
        steps: _Floats,
        shift: _Floats,
        joint: bool,
        expected: bool,
        n_threads: int,
    ) -> _Floats: ...
    def quadrature(
        self,
        theta: _Floats,
        beta: _Floats,
        t: float,
        start: list[_Floats],
        nodes: _Floats,
        log_weights: _Floats,
        tolerance: float,
    ) -> dict[str, Any]: ...

class QuadraticModel:
    def __init__(self, curvature: _Floats, gradient: _Floats) -> None: ...
    @property
    def scale(self) -> _Floats: ...
    @property
    def decrement(self) -> float: ...
    def step(self, radius: float) -> _Floats: ...

def saddle_step(gradient: _Floats, hessian: _Floats, radius: float) -> tuple[_Floats, float, float, _Floats]: ...
