# For every sample: whether lme4 calls the fit of y ~ (1 + x | group) singular, and its REML criterion.
suppressMessages(library(lme4))
data <- read.csv(commandArgs(trailingOnly = TRUE)[1])
for (one in split(data, data$draw)) {
  fit <- suppressMessages(suppressWarnings(lmer(y ~ (1 + x | group), data = one)))
  cat(sprintf("%d %.9f\n", isSingular(fit), REMLcrit(fit)))
}
