# Standard errors of predictions, conditional on the variance estimates, as predict(se.fit = TRUE) of lme4 >= 1.1-33
# defines them: with the factor R'R of the joint system of (u, beta), R = [L' RZX; 0 RX], the variance of the error of
# z'b + x'beta is sigma^2 |R^-T (Lambda'z, x)|^2. Rows of the data and new rows; a row of an unknown level has z = 0 and
# adds z'Sigma z. Run in this folder: Rscript make.R > prediction.json
suppressMessages({library(lme4); library(jsonlite)})
read <- function(name) read.csv(file.path("../data", paste0(name, ".csv")), stringsAsFactors = TRUE)
sleep <- read("sleepstudy"); sleep$Subject <- factor(sleep$Subject)
cross <- read("sim_cross"); machines <- read("Machines"); pastes <- read("Pastes"); penicillin <- read("Penicillin")
machines$Worker <- factor(machines$Worker)
dyestuff2 <- read("Dyestuff2")
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10), check.conv.singular = "ignore")
fitted_by <- function(f, d, ...) suppressMessages(do.call(lmer, list(f, data = d, control = control, ...)))

errors <- function(fit, X, Zt) {
  L <- getME(fit, "L")
  a <- solve(L, solve(L, getME(fit, "Lambdat") %*% Zt, system = "P"), system = "L")
  rest <- t(X) - t(getME(fit, "RZX")) %*% a
  c <- solve(t(getME(fit, "RX")), as.matrix(rest))
  sigma(fit) * sqrt(colSums(as.matrix(a)^2) + colSums(c^2))
}

# Rows of the data with some columns changed: matrices from the data with these rows put below.
case <- function(id, fit, d, new) {
  both <- rbind(d, new)
  made <- lFormula(formula(fit), both, control = control)
  below <- nrow(d) + seq_len(nrow(new))
  X <- made$X[below, , drop = FALSE]; Zt <- made$reTrms$Zt[, below, drop = FALSE]
  stopifnot(nrow(Zt) == ncol(getME(fit, "L")), ncol(X) == length(fixef(fit)))
  offset <- if (is.null(model.offset(model.frame(fit)))) 0 else new$off
  names <- intersect(all.vars(formula(fit))[-1], names(new))
  list(id = id, formula = Reduce(paste, deparse(formula(fit))), REML = isREML(fit), sigma = sigma(fit),
       rows = lapply(as.list(new[c(names, intersect(c("w", "off"), names(new)))]),
                     function(v) I(if (is.numeric(v)) v else as.character(v))),
       estimate = as.numeric(X %*% fixef(fit) + t(Zt) %*% unlist(getME(fit, "b")) + offset),
       std_error = unname(errors(fit, X, Zt)),
       fitted_error = unname(errors(fit, getME(fit, "X"), getME(fit, "Zt"))))
}
with_columns <- function(d, rows, ...) { new <- d[rows, ]; changes <- list(...)
  for (name in names(changes)) new[[name]] <- if (is.factor(d[[name]])) factor(changes[[name]], levels(d[[name]])) else changes[[name]]
  new }

slope <- fitted_by(Reaction ~ Days + (Days | Subject), sleep)
new <- with_columns(sleep, c(1, 2, 60, 120), Days = c(0, 14, 4.5, 9))
cases <- list(
  case("slope", slope, sleep, new),
  case("slope_ML", fitted_by(Reaction ~ Days + (Days | Subject), sleep, REML = FALSE), sleep, new),
  case("independent", fitted_by(Reaction ~ Days + (Days || Subject), sleep), sleep, new),
  case("singular", fitted_by(rt ~ a * B + (1 + a + B | subj) + (1 + B | item), cross), cross,
       with_columns(cross, c(1, 50, 100, 320), item = levels(cross$item)[c(9, 2, 16, 1)], B = c(0, .5, -1, 2))),
  case("weights_offset", fitted_by(rt ~ A + B + (B | subj), cross, weights = cross$w, offset = cross$off), cross,
       with_columns(cross, c(3, 30, 300), off = c(1, -2, 3))),
  case("crossed_weighted", fitted_by(rt ~ A * B + (1 | subj) + (1 | item), cross, weights = cross$w), cross,
       with_columns(cross, c(3, 30, 300), item = levels(cross$item)[c(16, 2, 9)])),
  case("nested", fitted_by(strength ~ 1 + (1 | batch/cask), pastes), pastes, pastes[c(1, 20, 60), ]),
  case("machines", fitted_by(score ~ Machine + (Machine | Worker), machines[-c(2, 3, 6, 7, 8, 12, 19, 20, 27), ]),
       machines[-c(2, 3, 6, 7, 8, 12, 19, 20, 27), ], machines[c(2, 19, 54), ]),
  case("crossed", fitted_by(diameter ~ 1 + (1 | plate) + (1 | sample), penicillin), penicillin, penicillin[c(1, 70), ]),
  case("zero", fitted_by(Yield ~ 1 + (1 | Batch), dyestuff2), dyestuff2, dyestuff2[c(1, 30), ]))
x <- cbind(1, c(0, 14)); Sigma <- VarCorr(slope)$Subject
unknown <- sqrt(rowSums((x %*% as.matrix(vcov(slope))) * x) + rowSums((x %*% Sigma) * x))
cat(toJSON(list(versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4"))), cases = cases,
                unknown = list(Days = c(0, 14), std_error = unknown, sigma = sigma(slope))),
           digits = 14, auto_unbox = TRUE, na = "null", null = "null"), "\n")
