"""Reference values for inverse Gaussian models, from the density alone: nothing of this package is imported.

    python make.py > values.json

For each link, on data drawn here:

- `exact`: maximum likelihood of `y ~ x + (1 | g)` with weights. The integral over the random intercept of a group is
  taken by the trapezoidal rule on 4,001 points over all of the normal density that counts, and the sum over groups is
  maximized by Newton's method with derivatives from differences. `se` are from the Hessian in all parameters.
- `laplace`: the Laplace approximation of `y ~ x + (1 | g) + (1 | h)` at parameters that are not its best, with a dense
  Hessian of the joint log-density from differences in extended precision (`observed`), and with the weights
  (d mu / d eta)^2 w / (phi mu^3) in its place (`expected`).

The density of y at mean mu, dispersion phi and weight w is, with k = w / phi,
sqrt(k / (2 pi y^3)) exp(-k (y - mu)^2 / (2 mu^2 y)).
"""

from __future__ import annotations

import json
import sys

import numpy as np
from scipy.optimize import minimize

INVERSE = {
    "log": np.exp,
    "1/mu^2": lambda eta: eta**-0.5,
    "inverse": lambda eta: 1.0 / eta,
    "identity": lambda eta: eta,
}
# Intercept, slope, standard deviation of the groups, dispersion.
TRUTH = {
    "log": (0.5, 0.3, 0.6, 0.3),
    "1/mu^2": (4.0, 0.4, 0.5, 0.05),
    "inverse": (2.0, 0.2, 0.25, 0.05),
    "identity": (3.0, 0.3, 0.4, 0.05),
}
GROUPS, ROWS = 15, 90
WIDE = np.longdouble


def data(link: str, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    level, slope, sd, phi = TRUTH[link]
    g = np.arange(ROWS) % GROUPS
    x = np.round(rng.uniform(-1.0, 1.0, ROWS), 3)
    w = np.round(rng.uniform(0.5, 2.0, ROWS), 2)
    eta = level + slope * x + sd * rng.normal(size=GROUPS)[g]
    y = np.round(rng.wald(INVERSE[link](eta), w / phi), 5)
    return {"y": y, "x": x, "w": w, "g": g, "h": rng.permutation(np.arange(ROWS) % 4)}


def log_density(link: str, y: np.ndarray, eta: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Of each row; -inf where eta gives no positive mean."""
    with np.errstate(all="ignore"):
        mu = INVERSE[link](eta)
        value = 0.5 * np.log(k / (2 * np.pi * y**3)) - k * (y - mu) ** 2 / (2 * mu**2 * y)
        allowed = np.ones(np.shape(eta), bool) if link == "log" else np.asarray(eta) > 0
    return np.where(allowed, value, -np.inf)


def exact(link: str, d: dict[str, np.ndarray], parameters: np.ndarray) -> float:
    """Minus twice the log-likelihood at intercept, slope, log sd, log phi."""
    level, slope, sd, phi = parameters[0], parameters[1], np.exp(parameters[2]), np.exp(parameters[3])
    z = np.linspace(-12.0, 12.0, 4001)
    prior = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) + np.log(z[1] - z[0])
    total = 0.0
    for j in range(GROUPS):
        r = d["g"] == j
        eta = (level + slope * d["x"][r])[:, None] + sd * z
        joint = prior + log_density(link, d["y"][r][:, None], eta, (d["w"][r] / phi)[:, None]).sum(axis=0)
        top = joint.max()
        total += top + np.log(np.exp(joint - top).sum())
    return -2.0 * total


def derivatives(f, at: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and Hessian by central differences of fourth order."""
    stencil = [(-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12)]
    m = len(at)
    E = np.diag(step)
    gradient = np.array([sum(c * f(at + p * E[i]) for p, c in stencil) / step[i] for i in range(m)])
    hessian = np.empty((m, m), dtype=at.dtype)
    centre = f(at)
    for i in range(m):
        far, near = f(at + 2 * E[i]) + f(at - 2 * E[i]), f(at + E[i]) + f(at - E[i])
        hessian[i, i] = (16 * near - far - 30 * centre) / (12 * step[i] ** 2)
        for j in range(i):
            mixed = sum(a * b * f(at + p * E[i] + q * E[j]) for p, a in stencil for q, b in stencil)
            hessian[i, j] = hessian[j, i] = mixed / (step[i] * step[j])
    return gradient, hessian


def maximum(link: str, d: dict[str, np.ndarray]) -> dict[str, object]:
    level, slope, sd, phi = TRUTH[link]
    x = np.array([level, slope, np.log(sd), np.log(phi)])
    f = lambda at: exact(link, d, at)  # noqa: E731
    x = minimize(f, x, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-8, "maxiter": 4000}).x
    for _ in range(3):
        gradient, hessian = derivatives(f, x, np.full(4, 3e-3))
        x = x - np.linalg.solve(hessian, gradient)
    gradient, hessian = derivatives(f, x, np.full(4, 3e-3))
    decrement = float(gradient @ np.linalg.solve(hessian, gradient))
    if not (decrement < 1e-12 and np.linalg.eigvalsh(hessian)[0] > 0):
        sys.exit(f"{link}: no minimum, decrement {decrement}")
    se = np.sqrt(np.diag(2.0 * np.linalg.inv(hessian)))
    return {
        "deviance": f(x),
        "beta": x[:2].tolist(),
        "sd": float(np.exp(x[2])),
        "phi": float(np.exp(x[3])),
        "se": se[:2].tolist(),
        "se_log_sd": float(se[2]),
        "se_log_phi": float(se[3]),
    }


def laplace(link: str, d: dict[str, np.ndarray]) -> dict[str, object]:
    level, slope, sd, phi = TRUTH[link]
    beta, sds, phi = [0.95 * level, 1.2 * slope], [0.8 * sd, 0.5 * sd], 1.1 * phi
    y, k = d["y"].astype(WIDE), d["w"].astype(WIDE) / WIDE(phi)
    fixed = WIDE(beta[0]) + WIDE(beta[1]) * d["x"].astype(WIDE)
    Z = np.hstack([sds[0] * (d["g"][:, None] == np.arange(GROUPS)), sds[1] * (d["h"][:, None] == np.arange(4))])
    Z = Z.astype(WIDE)
    f = lambda u: u @ u - 2 * log_density(link, y, fixed + Z @ u, k).sum()  # noqa: E731
    u = minimize(lambda at: float(f(at.astype(WIDE))), np.zeros(Z.shape[1])).x.astype(WIDE)
    for _ in range(5):
        gradient, hessian = derivatives(f, u, np.full(len(u), WIDE(1e-3)))
        u = u - np.linalg.solve(hessian.astype(float), gradient.astype(float)).astype(WIDE)
    if not np.abs(gradient).max() < 1e-11:
        sys.exit(f"{link}: no mode, gradient {np.abs(gradient).max()}")
    eta = fixed + Z @ u
    mu = INVERSE[link](eta)
    slope_of_mean = (INVERSE[link](eta + WIDE(1e-6)) - INVERSE[link](eta - WIDE(1e-6))) / WIDE(2e-6)
    W = (k * slope_of_mean**2 / mu**3).astype(float)
    Z = Z.astype(float)
    top = float(f(u))
    return {
        "beta": beta,
        "sd": sds,
        "phi": phi,
        "observed": top + np.linalg.slogdet(0.5 * hessian.astype(float))[1],
        "expected": top + np.linalg.slogdet(Z.T @ (W[:, None] * Z) + np.eye(len(u)))[1],
    }


def main() -> None:
    out = {}
    for seed, link in enumerate(INVERSE, start=1):
        d = data(link, seed)
        columns = {name: column.tolist() for name, column in d.items()}
        out[link] = {"data": columns, "exact": maximum(link, d), "laplace": laplace(link, d)}
    json.dump(out, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
