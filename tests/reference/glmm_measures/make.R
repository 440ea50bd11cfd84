# Variance components and R squared from insight and performance; hat values from dense matrices at lme4's modes.
# Rscript make.R in this folder; it writes the JSON files beside it.
suppressMessages({library(lme4); library(glmmTMB); library(performance); library(insight); library(jsonlite)})
cbpp$obs <- factor(seq_len(nrow(cbpp)))
grouseticks <- within(grouseticks, YEAR <- factor(YEAR))
epil <- within(MASS::epil, lbase <- log(base / 4))
control <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-13, optCtrl = list(rhoend = 1e-9))
herds <- cbind(incidence, size - incidence) ~ period + (1 | herd)
ticks <- TICKS ~ YEAR + (1 | LOCATION) + (1 | BROOD)
write <- function(name, value) {
  writeLines(toJSON(value, digits = 15, auto_unbox = TRUE, pretty = TRUE), paste0(name, ".json"))
}
shares <- function(fit) {
  v <- suppressWarnings(get_variance(fit))
  r <- suppressWarnings(r2_nakagawa(fit)); i <- suppressWarnings(icc(fit))
  list(fixed = v$var.fixed, random = v$var.random, distribution = v$var.distribution, overdispersion = v$var.dispersion,
       marginal = unname(r$R2_marginal), conditional = unname(r$R2_conditional),
       adjusted = i$ICC_adjusted, unadjusted = i[[2]])
}
write("variance", list(
  herds = shares(glmer(herds, cbpp, binomial, control = control)),
  herds_obs = shares(glmer(update(herds, . ~ . + (1 | obs)), cbpp, binomial, control = control)),
  herds_probit = shares(glmmTMB(herds, cbpp, binomial("probit"))),
  herds_cloglog = shares(glmmTMB(herds, cbpp, binomial("cloglog"))),
  epil = shares(glmmTMB(y ~ trt + lbase + (1 | subject), epil, poisson)),
  epil_slope = shares(glmmTMB(y ~ trt + lbase + V4 + (V4 | subject), epil, poisson)),
  ticks = shares(glmmTMB(ticks, grouseticks, poisson)),
  ticks_nb2 = shares(glmmTMB(ticks, grouseticks, nbinom2))
))
hats <- function(fit) {
  X <- getME(fit, "X"); ZL <- as.matrix(t(getME(fit, "Lambdat") %*% getME(fit, "Zt")))
  w <- weights(fit, type = "working"); A <- cbind(X, ZL)
  penalty <- diag(c(rep(0, ncol(X)), rep(1, ncol(ZL))))
  h <- w * rowSums((A %*% solve(crossprod(A, w * A) + penalty)) * A)
  r <- residuals(fit, "pearson")
  list(hat = unname(h), cooks = unname(r^2 * h / (1 - h)^2 / ncol(X)))
}
h1 <- glmer(herds, cbpp, binomial, control = control)
e1 <- glmer(y ~ trt + lbase + (1 | subject), epil, poisson, control = control)
write("rows", list(
  herds = c(hats(h1), list(augment = as.data.frame(suppressWarnings(broom.mixed::augment(h1)))[, c(
    ".fitted", ".resid", ".fixed", ".mu", ".offset", ".sqrtXwt", ".sqrtrwt", ".weights", ".wtres", ".eta")])),
  epil = hats(e1)
))
checks <- function(fit) {
  d <- unclass(check_overdispersion(fit)); z <- NULL
  if (family(fit)$family == "poisson") z <- suppressWarnings(unclass(check_zeroinflation(fit)))
  out <- list(chi2 = unname(d$chisq_statistic), ratio = unname(d$dispersion_ratio), df = unname(d$residual_df),
              p_value = unname(d$p_value))
  if (!is.null(z)) out <- c(out, list(zeros = unname(z$observed.zeros), expected = unname(z$predicted.zeros)))
  out
}
ticks_poisson <- glmer(ticks, grouseticks, poisson, control = control)
ticks_nb2 <- glmmTMB(ticks, grouseticks, nbinom2)
write("checks", list(
  epil = checks(e1), ticks = checks(ticks_poisson), herds = checks(h1),
  ticks_nb2 = list(zeros = sum(grouseticks$TICKS == 0),
                   expected = sum(dnbinom(0, size = sigma(ticks_nb2), mu = fitted(ticks_nb2))))
))
print(sapply(c("insight", "performance", "glmmTMB", "lme4"), function(p) as.character(packageVersion(p))))
