"""Write extended.json: log-densities and their derivatives to 16 digits, from formulas evaluated with 150 digits.

    python extended.py        # needs mpmath, which the test suite does not

The densities stand here as textbooks have them, through the mean (and 1 less it) alone; derivatives are differences of
theirs.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 150

INVERSES = {
    "identity": lambda eta: eta,
    "log": mp.exp,
    "inverse": lambda eta: 1 / eta,
    "sqrt": lambda eta: eta**2,
    "1/mu^2": lambda eta: 1 / mp.sqrt(eta),
}
# mu and 1 - mu
PAIRS = {
    "logit": lambda eta: (1 / (1 + mp.exp(-eta)), 1 / (1 + mp.exp(eta))),
    "probit": lambda eta: (mp.erfc(-eta / mp.sqrt(2)) / 2, mp.erfc(eta / mp.sqrt(2)) / 2),
    "cloglog": lambda eta: (-mp.expm1(-mp.exp(eta)), mp.exp(-mp.exp(eta))),
    "cauchit": lambda eta: (mp.mpf(1) / 2 + mp.atan(eta) / mp.pi, mp.mpf(1) / 2 - mp.atan(eta) / mp.pi),
    "log": lambda eta: (mp.exp(eta), -mp.expm1(eta)),
}


def gaussian(y, mu, w, t):
    return mp.log(w / (2 * mp.pi * mp.exp(t))) / 2 - w * (y - mu) ** 2 / (2 * mp.exp(t))


def binomial(y, pair, w, t):
    mu, nu = pair
    return mp.log(mp.binomial(w, w * y)) + w * y * mp.log(mu) + w * (1 - y) * mp.log(nu)


def poisson(y, mu, w, t):
    return w * (y * mp.log(mu) - mu - mp.loggamma(y + 1))


def gamma(y, mu, w, t):
    k = w / mp.exp(t)
    return k * mp.log(k / mu) - mp.loggamma(k) + (k - 1) * mp.log(y) - k * y / mu


def inverse_gaussian(y, mu, w, t):
    shape = w / mp.exp(t)
    return mp.log(shape / (2 * mp.pi * y**3)) / 2 - shape * (y - mu) ** 2 / (2 * mu**2 * y)


def nb(y, mu, size):
    constant = mp.loggamma(y + size) - mp.loggamma(size) - mp.loggamma(y + 1)
    return constant + size * mp.log(size / (size + mu)) + y * mp.log(mu / (size + mu))


def negative_binomial(y, mu, w, t):
    return w * nb(y, mu, mp.exp(t))


def negative_binomial1(y, mu, w, t):
    return w * nb(y, mu, mu / mp.exp(t))


def beta(y, pair, w, t):
    mu, nu = pair
    phi = mp.exp(t)
    a, b = mu * phi, nu * phi
    constant = mp.loggamma(phi) - mp.loggamma(a) - mp.loggamma(b)
    return w * (constant + (a - 1) * mp.log(y) + (b - 1) * mp.log(1 - y))


UNIT = [-40.0, -13.0, -5.3, -1.0, -0.01, 0.3, 1.9, 5.3, 13.0, 40.0]
LOG = [-40.0, -8.0, -0.5, 0.75, 3.0, 13.5, 40.0]
POWER = [1e-8, 1e-3, 0.3, 1.25, 4.0, 1e3, 1e6]
SIGNED = [-1e3, -0.5, 1e-3, 0.75, 40.0]
COUNTS = [(0.0, 1.0), (1.0, 2.5), (7.0, 1.0), (1e6, 1.0)]
TRIALS = [(0.0, 1.0), (1.0, 1.0), (0.25, 8.0), (0.9375, 65536.0)]
REALS = [(0.75, 1.0), (-2.0, 2.5), (1e3, 1.0)]
POSITIVES = [(1e-3, 1.0), (1.75, 2.5), (250.0, 1.0)]
UNITS = [(1e-6, 1.0), (0.3125, 2.5), (0.984375, 1.0)]

# family: (density, {link: linear predictors}, [(y, w)], [t] or None)
CASES = {
    "gaussian": (gaussian, {"identity": SIGNED, "log": LOG[1:6], "inverse": SIGNED}, REALS, [0.5, -12.0]),
    "binomial": (
        binomial,
        dict.fromkeys(("logit", "probit", "cloglog", "cauchit"), UNIT) | {"log": [-40.0, -3.0, -0.5, -1e-3, -1e-9]},
        TRIALS,
        None,
    ),
    "poisson": (poisson, {"log": LOG, "sqrt": POWER, "identity": POWER}, COUNTS, None),
    "gamma": (gamma, {"inverse": POWER, "log": LOG, "identity": POWER}, POSITIVES, [0.5, -23.0]),
    "inverse_gaussian": (
        inverse_gaussian,
        {"1/mu^2": POWER, "log": LOG, "inverse": POWER, "identity": POWER},
        POSITIVES,
        [0.5, -12.0],
    ),
    "negative_binomial": (negative_binomial, {"log": LOG, "sqrt": POWER, "identity": POWER}, COUNTS, [-7.0, 0.5, 23.0]),
    "negative_binomial1": (
        negative_binomial1,
        {"log": LOG, "sqrt": POWER, "identity": POWER},
        COUNTS,
        [-23.0, 0.5, 7.0],
    ),
    "beta": (beta, dict.fromkeys(("logit", "probit", "cloglog"), UNIT[1:-1]), UNITS, [-5.0, 1.5, 15.0]),
}


def row(density, link, eta, y, w, t):
    """Log-density, derivatives 1 to 3 in eta; with a dispersion also those of orders 0 to 2 differentiated in t."""
    eta, y, w = mpf(eta), mpf(y), mpf(w)
    inverse = (PAIRS if density in (binomial, beta) else INVERSES)[link]

    def f(e, s):
        return density(y, inverse(e), w, s)

    t_ = mpf(0 if t is None else t)
    # A step that is small beside eta: the mean must stay where it is possible.
    h = mpf(10) ** -18 * abs(eta)

    def along_eta(s):
        g = [f(eta + i * h, s) for i in range(-2, 3)]
        return [
            g[2],
            (g[3] - g[1]) / (2 * h),
            (g[3] - 2 * g[2] + g[1]) / h**2,
            (g[4] - 2 * g[3] + 2 * g[1] - g[0]) / (2 * h**3),
        ]

    values = along_eta(t_)
    if t is not None:
        d = mpf(10) ** -12
        plus, minus = along_eta(t_ + d), along_eta(t_ - d)
        values += [(a - b) / (2 * d) for a, b in zip(plus[:3], minus[:3], strict=True)]
    return [float(value) for value in values]


def main():
    result = {}
    for family, (density, links, responses, dispersions) in CASES.items():
        for link, etas in links.items():
            grid = list(product(etas, responses, dispersions or [None]))
            result[f"{family} {link}"] = {
                "eta": [eta for eta, _, _ in grid],
                "y": [y for _, (y, _), _ in grid],
                "w": [w for _, (_, w), _ in grid],
                "t": [t for _, _, t in grid] if dispersions else None,
                "values": [row(density, link, eta, y, w, t) for eta, (y, w), t in grid],
            }
    text = json.dumps(result, separators=(",", ":")).replace('"gauss', '\n"gauss').replace("},", "},\n")
    Path(__file__).with_name("extended.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
