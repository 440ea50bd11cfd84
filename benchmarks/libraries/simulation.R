# Seconds for lme4's refit to each column of responses.csv, and the median of the estimated standard deviations of g.
suppressMessages(library(lme4))
folder <- commandArgs(trailingOnly = TRUE)[1]
data <- read.csv(file.path(folder, "data.csv"))
responses <- as.matrix(read.csv(file.path(folder, "responses.csv"), header = FALSE))
fit <- lmer(y ~ x + (1 | g), data = data, REML = FALSE)
sd <- numeric(ncol(responses))
elapsed <- system.time(for (j in seq_len(ncol(responses))) {
  sd[j] <- attr(VarCorr(suppressMessages(refit(fit, responses[, j])))$g, "stddev")
})["elapsed"]
cat(sprintf("%.6f %.9f\n", elapsed, median(sd)))
