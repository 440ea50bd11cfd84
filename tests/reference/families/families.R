# Densities, distribution functions, unit deviances, variances and links of R's families.
#   Rscript families.R      (in its own folder; writes families.json; needs jsonlite, statmod, MASS, glmmTMB)
# Weights: the dispersion is phi / w for gaussian, gamma and inverse gaussian; w trials for the binomial; elsewhere w
# multiplies the log-density.
suppressMessages({library(jsonlite); library(glmmTMB)})
grid <- function(...) expand.grid(..., KEEP.OUT.ATTRS = FALSE)
case <- function(d, loglik, lower, upper, deviance = NULL, variance = NULL)
  c(as.list(d), list(loglik = loglik, lower = lower, upper = upper, deviance = deviance, variance = variance))
out <- list()

d <- grid(y = c(-2, .3, 40), mu = c(-1, .5, 30), w = c(1, 2.5), phi = c(.2, 3))
p <- with(d, pnorm(y, mu, sqrt(phi / w)))
out$gaussian <- case(d, with(d, dnorm(y, mu, sqrt(phi / w), log = TRUE)), p, p,
                     with(d, gaussian()$dev.resids(y, mu, w)), with(d, gaussian()$variance(mu)))

d <- rbind(grid(k = c(0, 1, 3, 8), mu = c(1e-6, .2, .5, .97), w = 8), grid(k = 0:1, mu = c(1e-6, .3, .99), w = 1))
d$y <- d$k / d$w
out$binomial <- case(d, with(d, dbinom(k, w, mu, log = TRUE)), with(d, pbinom(k - 1, w, mu)), with(d, pbinom(k, w, mu)),
                     with(d, binomial()$dev.resids(y, mu, w)), with(d, binomial()$variance(mu)))

d <- grid(y = c(0, 1, 7, 1000), mu = c(1e-6, .4, 6, 990), w = c(1, 2.5))
out$poisson <- case(d, with(d, w * dpois(y, mu, log = TRUE)), with(d, ppois(y - 1, mu)), with(d, ppois(y, mu)),
                    with(d, poisson()$dev.resids(y, mu, w)), with(d, poisson()$variance(mu)))

d <- grid(y = c(1e-3, .8, 25), mu = c(.01, 1, 30), w = c(1, 2.5), phi = c(1e-3, .4, 3))
p <- with(d, pgamma(y, w / phi, scale = mu * phi / w))
out$gamma <- case(d, with(d, dgamma(y, w / phi, scale = mu * phi / w, log = TRUE)), p, p,
                  with(d, Gamma()$dev.resids(y, mu, w)), with(d, Gamma()$variance(mu)))

p <- with(d, statmod::pinvgauss(y, mu, dispersion = phi / w))
out$inverse_gaussian <- case(d, with(d, statmod::dinvgauss(y, mu, dispersion = phi / w, log = TRUE)), p, p,
                             with(d, inverse.gaussian()$dev.resids(y, mu, w)), with(d, inverse.gaussian()$variance(mu)))

d <- grid(y = c(0, 1, 7, 1000), mu = c(1e-3, .4, 6, 990), w = c(1, 2.5), phi = c(.02, 1.5, 1e6))
nb <- function(f) unlist(lapply(seq_len(nrow(d)), function(i) f(MASS::negative.binomial(d$phi[i]), d[i, ])))
out$negative_binomial <- case(d, with(d, w * dnbinom(y, size = phi, mu = mu, log = TRUE)),
                              with(d, pnbinom(y - 1, size = phi, mu = mu)), with(d, pnbinom(y, size = phi, mu = mu)),
                              nb(function(f, r) f$dev.resids(r$y, r$mu, r$w)), nb(function(f, r) f$variance(r$mu)))

# glmmTMB's nbinom1: size mu / phi. Its deviance (from version 1.1.7) is that of MASS at this size.
d <- grid(y = c(0, 1, 7, 1000), mu = c(1e-3, .4, 6, 990), w = c(1, 2.5), phi = c(1e-6, 1.5, 40))
nb1 <- function(f) unlist(lapply(seq_len(nrow(d)), function(i) f(MASS::negative.binomial(d$mu[i] / d$phi[i]), d[i, ])))
out$negative_binomial1 <- case(d, with(d, w * dnbinom(y, size = mu / phi, mu = mu, log = TRUE)),
                               with(d, pnbinom(y - 1, size = mu / phi, mu = mu)), with(d, pnbinom(y, size = mu / phi, mu = mu)),
                               nb1(function(f, r) f$dev.resids(r$y, r$mu, r$w)),
                               with(d, mapply(function(m, p) nbinom1()$variance(m, p), mu, phi)))

d <- grid(y = c(1e-4, .3, .98), mu = c(.01, .5, .9), w = c(1, 2.5), phi = c(.1, 4, 1e4))
p <- with(d, pbeta(y, mu * phi, (1 - mu) * phi))
out$beta <- case(d, with(d, w * dbeta(y, mu * phi, (1 - mu) * phi, log = TRUE)), p, p)

links <- list()
for (name in c("identity", "log", "logit", "probit", "cloglog", "cauchit", "inverse", "sqrt", "1/mu^2")) {
  l <- make.link(name)
  eta <- if (name %in% c("inverse", "sqrt", "1/mu^2")) c(.01, .5, 3, 40) else c(-3, -.5, .2, 2.5)
  links[[name]] <- list(eta = eta, mu = l$linkinv(eta), d1 = l$mu.eta(eta), back = l$linkfun(l$linkinv(eta)))
}

# glmmTMB's own negative log-likelihood at given parameters: no fit, a regression on x with weights.
x <- c(-1.2, -.4, 0, .3, .9, 1.4); w <- c(1, 2, 1, 1.5, 1, 3)
nll <- function(y, family, link, phi) {
  m <- suppressWarnings(glmmTMB(y ~ x, family = family(link = link), weights = w, data = data.frame(y, x, w), doFit = FALSE))
  obj <- with(m, TMB::MakeADFun(c(data.tmb, list()), parameters, map = mapArg, DLL = "glmmTMB", silent = TRUE))
  par <- obj$par; par[names(par) == "beta"] <- c(.2, .3); par[names(par) == "betad"] <- log(phi)
  obj$fn(par)
}
counts <- c(0, 2, 1, 5, 0, 3); shares <- c(.1, .4, .7, .2, .55, .93)
tmb <- list(x = x, w = w, counts = counts, shares = shares, beta = c(.2, .3),
  negative_binomial1 = nll(counts, nbinom1, "log", 1.7), negative_binomial = nll(counts, nbinom2, "log", 1.7),
  negative_binomial_sqrt = nll(counts + 0, nbinom2, "sqrt", 1.7),
  beta_logit = nll(shares, beta_family, "logit", 6), beta_probit = nll(shares, beta_family, "probit", 6),
  beta_cloglog = nll(shares, beta_family, "cloglog", 6))

info <- paste(R.version.string, paste0("glmmTMB ", packageVersion("glmmTMB")), paste0("statmod ", packageVersion("statmod")), sep = "; ")
writeLines(toJSON(list(versions = info, families = out, links = links, glmmTMB = tmb), digits = I(16), auto_unbox = TRUE, na = "null"), "families.json")
