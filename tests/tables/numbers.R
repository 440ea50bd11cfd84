# Writes numbers.json: vectors with the text R gives them. Run in this folder: Rscript numbers.R
library(jsonlite)
set.seed(20)
full <- function(x) ifelse(is.na(x), "NaN", sprintf("%.17g", x))
vectors <- list(
  c(612.1, 35.07, 654.94), c(251.405, 6.825, 10.467, 1.546), 0, c(0, 0), 1, -1, c(1, -1), 100, 123456, 1234567, 12345678,
  1e5, 100000, 123456.7, 1e15, 1e16, 1e-4, 1e-5, 0.0001234, 0.00001234, c(1e-5, 1), c(1e-10, 1), c(1e-10, 1e10), c(1e5, 1e-5),
  c(9.9996, 0.1), 9.9996, 99999.5, 999999.5, 0.99999, c(0.15, 0.25, 0.35), 2.5, 0.5, 1/3, c(1/3, 1000), 2/3 * 10^(-6:6),
  pi * 10^(-3:3), -pi * 10^(-3:3), c(NaN, 1.5), c(Inf, -Inf, 2.25), c(NaN, NaN), 1e100, c(1e100, 1), 1e-100, c(1.5e-300, 2), 1.7976931348623157e308,
  5e-324, c(-0.001, 12), c(0.1, 0.12, 0.123, 0.1234), 1e3, 1e4, c(1.10, 2.20), 1763.939, c(1763.9, 1783.1, -876.0, 1751.9),
  c(237655.1, 237733.5, -118820.6, 237641.1), 99.99, 999.949, c(0.00002, 123456), 1e-15, 3.00000001, c(3, 3.00000001), 0.1 + 0.2, 1e22, 123456789012)
for (i in 1:160) {
  n <- sample(1:6, 1)
  vectors[[length(vectors) + 1]] <- signif(rnorm(n) * 10^runif(n, -sample(0:7, 1), sample(0:7, 1)), sample(c(2, 3, 5, 8, 15), 1))
}
cases <- list()
for (v in vectors) for (d in c(1, 3, 4, 5, 7))
  cases[[length(cases) + 1]] <- list(values = I(full(v)), digits = d, text = I(format(v, digits = d)))
nsmall <- lapply(vectors[1:30], function(v) list(values = I(full(v)), digits = 3, nsmall = 3, text = I(format(v, digits = 3, nsmall = 3))))
rounding <- list()
for (x in c(0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 2.5, 3.5, -2.5, 0.285, 2.345, 1.005, 1e-9, 5.015, 1234.5678, -0.0005, 2.675, rnorm(60) * 10^runif(60, -3, 5), round(rnorm(60), 2) + 0.005))
  for (d in 0:4) rounding[[length(rounding) + 1]] <- list(value = full(x), decimals = d, result = full(round(x, d)))
zap <- lapply(c(list(c(1e-9, 2.3, -4), c(0, 0), c(1234.56789, 1e-4), c(-3.3058, -0.6458, 0.0171, 0.6751, 3.3866), c(-1.23456789, 3e-6, 1)),
  lapply(1:20, function(i) rnorm(5) * 10^runif(5, -6, 2))), function(v) list(values = I(full(v)), digits = 5, result = I(full(zapsmall(v, 5)))))
pvalues <- list()
ps <- c(list(0.5, 1, 0, 1e-300, 0.04321, 3.26e-6, c(1e-20, 0.5), c(0, 3.26e-6), c(0.1, 0.001, 0.00099), c(1e-17, 2e-16, 2.3e-16), c(0.99996, 0.2), c(NaN, 0.3), c(0, 0.05), c(0, 0.5), c(0, 1e-5, 0.012345)),
  lapply(1:60, function(i) 10^-runif(sample(1:5, 1), 0, sample(c(1, 4, 10, 25), 1))))
for (p in ps) for (d in 1:4) pvalues[[length(pvalues) + 1]] <- list(values = I(full(p)), digits = d, text = I(format.pval(p, digits = d)))
write_json(list(R = R.version.string, format = cases, nsmall = nsmall, round = rounding, zap = zap, p_values = pvalues), "numbers.json", auto_unbox = TRUE)
