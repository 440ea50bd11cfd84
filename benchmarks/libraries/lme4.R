# lme4: the same clock as clock.py. The job is the first argument, as JSON.
suppressMessages({library(lme4); library(jsonlite)})

read_columns <- function(problem) {
  frame <- if (requireNamespace("data.table", quietly = TRUE)) {
    as.data.frame(data.table::fread(problem$csv, showProgress = FALSE))
  } else {
    read.csv(problem$csv)
  }
  for (name in unlist(problem$factors)) frame[[name]] <- factor(frame[[name]])
  frame
}

timed <- function(call, seconds, at_most) {
  times <- numeric()
  while (length(times) < 1 || (sum(times) < seconds && length(times) < at_most)) {
    clock <- Sys.time()
    result <- call()
    times <- c(times, as.numeric(difftime(Sys.time(), clock, units = "secs")))
  }
  list(times = times, result = result)
}

job <- fromJSON(commandArgs(trailingOnly = TRUE)[[1]], simplifyVector = FALSE)
problem <- job$problem
quiet <- function(expr) suppressMessages(suppressWarnings(expr))
invisible(quiet(lmer(as.formula(job$warm_up$formula), read_columns(job$warm_up))))
frame <- read_columns(problem)
formula <- as.formula(problem$formula)
call <- function() quiet(lmer(formula, frame, REML = problem$reml))
if (!is.null(problem$refit)) {
  first <- call()
  other <- frame[[problem$refit]]
  call <- function() quiet(refit(first, other))
}
run <- timed(call, job$seconds, job$at_most)
cat(toJSON(list(
  version = as.character(packageVersion("lme4")),
  r = paste(R.version$major, R.version$minor, sep = "."),
  blas = basename(La_library()),
  seconds = I(run$times),
  criterion = if (problem$reml) REMLcrit(run$result) else deviance(run$result)
), auto_unbox = TRUE, digits = NA), "\n")
