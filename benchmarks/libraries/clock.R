# What the programs in R share: reading a problem, the clock of clock.py, and the report.
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

quiet <- function(expr) suppressMessages(suppressWarnings(expr))

report <- function(run, package, criterion) {
  cat(toJSON(list(
    version = as.character(packageVersion(package)),
    r = paste(R.version$major, R.version$minor, sep = "."),
    blas = basename(La_library()),
    seconds = I(run$times),
    criterion = criterion
  ), auto_unbox = TRUE, digits = NA), "\n")
}
