# lme4: the same clock as clock.py. The job is the first argument, as JSON.
suppressMessages({library(lme4); library(jsonlite)})
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "clock.R"))

job <- fromJSON(commandArgs(trailingOnly = TRUE)[[1]], simplifyVector = FALSE)
problem <- job$problem
generalized <- problem$family != "gaussian"
fit <- function(problem, frame) {
  formula <- as.formula(problem$formula)
  quiet(if (generalized) glmer(formula, frame, family = problem$family) else lmer(formula, frame, REML = problem$reml))
}
invisible(fit(job$warm_up, read_columns(job$warm_up)))
frame <- read_columns(problem)
call <- function() fit(problem, frame)
if (!is.null(problem$refit)) {
  first <- call()
  other <- frame[[problem$refit]]
  call <- function() quiet(refit(first, other))
}
run <- timed(call, job$seconds, job$at_most)
result <- run$result
report(run, "lme4", if (generalized) -2 * as.numeric(logLik(result)) else if (problem$reml) REMLcrit(result) else deviance(result))
