# Seconds of R's fits of the same data, one line a task: Rscript diagnostics.R FOLDER
suppressMessages(library(lme4))
folder <- commandArgs(TRUE)[1]
clock <- function(name, expr) { t <- system.time(value <- suppressWarnings(suppressMessages(expr)))[["elapsed"]]; cat(name, t, format(value, digits = 12), "\n") }
load <- function(name) { d <- read.csv(file.path(folder, paste0(name, ".csv"))); d$g <- factor(d$g); d }
d <- load("predict")
clock("predict", { fit <- lmer(y ~ x + (x | g), d); mean(fitted(fit)[1:100]) })
for (model in c("intercepts", "slopes")) {
  d <- load(model)
  f <- if (model == "slopes") y ~ x + (x | g) else y ~ x + (1 | g)
  fit <- lmer(f, d)
  without <- lmer(f, droplevels(d[d$g != levels(d$g)[1], ]))
  set.seed(1); y <- simulate(fit, 20)
  clock(model, { for (k in 1:20) refit(fit, y[[k]]); fixef(without)[[2]] })
}
d <- load("leverage")
fit <- lmer(y ~ x + (x | g), d)
clock("leverage", sum(hatvalues(fit)))
