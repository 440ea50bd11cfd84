"""gpboost: the Laplace approximation with its defaults. It has no correlated slopes."""

from __future__ import annotations

import re

import clock
import gpboost
import numpy as np
import pandas as pd

LIKELIHOODS = {"gaussian": "gaussian", "binomial": "bernoulli_logit", "poisson": "poisson"}


def fit(problem, frame):
    response, right = problem["fixed"].split("~")
    X = pd.get_dummies(frame[[term.strip() for term in right.split("+")]], drop_first=True, dtype=float)
    X.insert(0, "one", 1.0)
    groups = re.findall(r"\|\s*(\w+)", problem["formula"])
    model = gpboost.GPModel(group_data=frame[groups].astype(str).to_numpy(), likelihood=LIKELIHOODS[problem["family"]])
    model.fit(y=frame[response.strip()].to_numpy(np.float64), X=X.to_numpy())
    return model


clock.main("gpboost", fit, lambda model: 2 * model.get_current_neg_log_likelihood(), generalized=True, slopes=False)
