# Writes coefmat.json: random coefficient tables with what R's printCoefmat prints. Run in this folder: Rscript coefmat.R
library(jsonlite)
set.seed(22)
options(width = 80, digits = 7, useFancyQuotes = FALSE)
full <- function(x) I(sprintf("%.17g", x))
cases <- list()
for (i in 1:150) {
  p <- sample(1:6, 1); tests <- i %% 3 != 0; stars <- tests && i %% 2 == 0
  se <- rexp(p) * 10^runif(p, -sample(0:6, 1), sample(0:5, 1)); t <- rnorm(p) * 10^runif(p, -2, 2.5); estimate <- se * t
  if (i %% 11 == 0) { estimate[1] <- 0; t[1] <- 0 }
  if (i %% 7 == 0) { estimate <- signif(estimate, 2); se <- signif(se, 1) }
  m <- cbind(Estimate = estimate, "Std. Error" = se)
  df <- runif(p, 3, sample(c(20, 300, 40000), 1)); pv <- 2 * pt(-abs(t), df)
  if (tests) m <- cbind(m, df = df)
  m <- cbind(m, "t value" = t)
  if (tests) m <- cbind(m, "Pr(>|t|)" = pv)
  rownames(m) <- paste0("x", seq_len(p))
  cases[[i]] <- list(stars = stars, estimate = full(estimate), std_error = full(se), statistic = full(t),
    df = if (tests) full(df) else NULL, p_value = if (tests) full(pv) else NULL,
    text = I(capture.output(printCoefmat(m, digits = 4, signif.stars = stars))))
}
write_json(list(R = R.version.string, cases = cases), "coefmat.json", auto_unbox = TRUE, null = "null")
