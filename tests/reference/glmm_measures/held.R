# Fixed effects and dispersion at a standard deviation that is held, by glmmTMB's map. Rscript held.R in this folder.
suppressMessages({library(glmmTMB); library(jsonlite)})
herds <- cbind(incidence, size - incidence) ~ period + (1 | herd)
epil <- within(MASS::epil, lbase <- log(base / 4) - mean(log(base / 4)))
held <- function(formula, data, family, sd) {
  fit <- glmmTMB(formula, data, family, start = list(theta = log(sd)), map = list(theta = factor(NA)),
                 control = glmmTMBControl(optCtrl = list(rel.tol = 1e-14, x.tol = 1e-12)))
  list(sd = sd, fixef = as.list(unname(fixef(fit)$cond)), se = as.list(unname(sqrt(diag(vcov(fit)$cond)))),
       deviance = -2 * as.numeric(logLik(fit)), sigma = sigma(fit), npar = attr(logLik(fit), "df"))
}
data("cbpp", package = "lme4")
writeLines(toJSON(list(
  herds = held(herds, lme4::cbpp, binomial, 1),
  epil = held(y ~ trt + lbase + (1 | subject), epil, poisson, 0.3),
  epil_nb2 = held(y ~ trt + lbase + (1 | subject), epil, nbinom2, 0.3)
), digits = 15, auto_unbox = TRUE, pretty = TRUE), "held.json")
