# glmmTMB: the same clock as clock.py. The job is the first argument, as JSON.
suppressMessages({library(glmmTMB); library(jsonlite)})
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "clock.R"))

job <- fromJSON(commandArgs(trailingOnly = TRUE)[[1]], simplifyVector = FALSE)
problem <- job$problem
fit <- function(problem, frame) quiet(glmmTMB(as.formula(problem$formula), frame, family = problem$family, REML = FALSE))
if (problem$family == "gaussian" || !is.null(problem$refit)) {
  cat('{"unsupported": true}\n')
  quit()
}
invisible(fit(job$warm_up, read_columns(job$warm_up)))
frame <- read_columns(problem)
run <- timed(function() fit(problem, frame), job$seconds, job$at_most)
report(run, "glmmTMB", -2 * as.numeric(logLik(run$result)))
