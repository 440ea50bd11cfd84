# Model matrices of lme4 for small formulas: Rscript reference.R > reference.json
suppressMessages({library(lme4); library(jsonlite); library(splines)})
options(warn = 1)
n <- 36
i <- seq_len(n)
data <- data.frame(
  y = round(sin(i) * 10 + i / 3, 4),
  x = round((i * 7) %% 11 + i / 10, 4),
  z = round(1 + (i * 5) %% 13, 4),
  f = c("b", "a", "c")[(i * i) %% 3 + 1],
  h = c("lo", "hi")[(i %/% 3) %% 2 + 1],
  o = c("none", "some", "more", "most")[(i * 3 + i %/% 4) %% 4 + 1],
  g = paste0("g", (i - 1) %/% 6 + 1),
  s = paste0("s", (i %/% 2) %% 3),
  t = (i * 3) %% 7 > 2
)
data$f[c(1, 8, 20)] <- "c"
R <- data
R$f <- factor(R$f)
R$h <- factor(R$h)
R$o <- factor(R$o, levels = c("none", "some", "more", "most"), ordered = TRUE)
R$g <- factor(R$g)
R$s <- factor(R$s)
custom <- matrix(c(1, 0, -1, 0.5, -1, 0.5), 3)

one <- function(formula, contrasts = NULL) {
  m <- lFormula(as.formula(formula), R, contrasts = contrasts,
                control = lmerControl(check.nobs.vs.nRE = "ignore", check.rankX = "silent.drop.cols"))
  Z <- t(as.matrix(m$reTrms$Zt))
  list(X = unname(as.matrix(m$X)), Z = unname(Z), levels = lapply(m$reTrms$flist, levels),
       Z_levels = rownames(m$reTrms$Zt), groups = names(m$reTrms$cnms), cnms = unname(lapply(m$reTrms$cnms, as.list)))
}
cases <- list(
  slope = one("y ~ x + (x | g)"),
  factor_times_number = one("y ~ f * x + (1 | g)"),
  no_intercept_factor = one("y ~ 0 + f + (0 + x | g)"),
  factors_crossed = one("y ~ f * h + (1 | g)"),
  polynomial_nested = one("y ~ poly(x, 2) + (1 | g/s)"),
  ordered = one("y ~ o + (1 | g)"),
  ordered_crossed = one("y ~ o * x + (o | g)"),
  sum = one("y ~ f * h + (1 | g)", list(f = "contr.sum", h = "contr.sum")),
  helmert = one("y ~ o + f + (f | g)", list(o = "contr.helmert", f = "contr.helmert")),
  poly_of_unordered = one("y ~ f + (1 | g)", list(f = "contr.poly")),
  matrix = one("y ~ f * x + (1 | g)", list(f = custom)),
  random_factor = one("y ~ 1 + (f | g)"),
  random_indicators = one("y ~ 1 + (0 + f | g)"),
  double_bar = one("y ~ x + (x || g)"),
  transformed = one("y ~ log(z) + I(x^2) + (log(z) | g)"),
  interaction_group = one("y ~ x + (1 | g:s) + (1 | h)"),
  two_terms = one("y ~ x + (1 | g) + (1 | s) + (0 + x | g)"),
  logical = one("y ~ t * x + (1 | g)"),
  spline = one("y ~ bs(x, df = 5) + (1 | g)"),
  as_factor = one("y ~ factor(z %% 3) + (1 | g)"),
  rank_deficient = one("y ~ x + I(2 * x + 1) + f + (1 | g)")
)
contrast_values <- list(treatment = contr.treatment(5), sum = contr.sum(5), helmert = contr.helmert(5), poly = contr.poly(5))
cat(toJSON(list(versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4"))), data = data,
                custom = custom, cases = cases, contrasts = lapply(contrast_values, unname)),
           digits = NA, dataframe = "columns", auto_unbox = FALSE), "\n")
