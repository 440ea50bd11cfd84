# Writes expected/<case>.json (the values that go in, in full precision) and expected/<case>.<what>.txt (what lme4 and
# lmerTest print). Run in this folder: Rscript generate.R FOLDER; the folder holds NAME.csv and NAME.schema.json as
# ../reference/data does, InstEval among them.
# The intercept is renamed before printing, so that the widths are R's own.
suppressMessages({library(lme4); library(lmerTest); library(jsonlite)})
options(width = 80, digits = 7, useFancyQuotes = FALSE)
lmer <- lme4::lmer
folder <- c(commandArgs(TRUE), "../reference/data")[1]
read <- function(name) {
  s <- fromJSON(file.path(folder, paste0(name, ".schema.json")))
  d <- read.csv(file.path(folder, paste0(name, ".csv")), colClasses = "character", check.names = FALSE, na.strings = "")
  for (v in names(s$columns)) {
    k <- s$columns[[v]]
    d[[v]] <- if (k$kind == "numeric") as.numeric(d[[v]]) else factor(d[[v]], levels = k$levels, ordered = k$kind == "ordered")
  }
  d
}
plain <- function(names) sub("^\\(Intercept\\)$", "Intercept", names)
rename_varcorr <- function(v) {
  for (key in names(v)) {
    n <- plain(rownames(v[[key]])); a <- attributes(v[[key]])
    names(a$stddev) <- n; dimnames(a$correlation) <- list(n, n); a$dimnames <- list(n, n)
    attributes(v[[key]]) <- a
  }
  v
}
rename_frames <- function(r) { for (g in names(r)) names(r[[g]]) <- plain(names(r[[g]])); r }
save_text <- function(lines, case, what) writeLines(lines, file.path("expected", paste0(case, ".", what, ".txt")))
text_of <- function(cl) if (is.null(cl)) NULL else paste(deparse(cl, width.cutoff = 500), collapse = " ")

write_case <- function(case, m, tests = FALSE, effects = TRUE, stars = FALSE) {
  s <- if (tests) summary(as_lmerModLmerTest(m)) else summary(m)
  rownames(s$coefficients) <- plain(rownames(s$coefficients))
  s$varcor <- rename_varcorr(s$varcor)
  note <- NULL
  withCallingHandlers(save_text(capture.output(print(s, signif.stars = stars)), case, "summary"),
    message = function(e) { note <<- conditionMessage(e); invokeRestart("muffleMessage") })
  full <- suppressMessages(capture.output(print(s, correlation = TRUE)))
  if (any(full == "Correlation of Fixed Effects:")) {
    full <- full[(which(full == "Correlation of Fixed Effects:") + 1):length(full)]
    save_text(full[!grepl("^(fit warnings:|fixed-effect|optimizer|boundary|$)", full)], case, "correlation")
  }
  v <- rename_varcorr(VarCorr(m)); save_text(capture.output(print(v)), case, "varcorr")
  cl <- m@call; gr <- names(m@cnms); co <- s$coefficients; column <- function(h) if (h %in% colnames(co)) I(unname(co[, h])) else NULL
  values <- list(formula = text_of(cl$formula), data = text_of(cl$data), weights = text_of(cl$weights), offset = text_of(cl$offset),
    subset = text_of(cl$subset), control = text_of(cl$control), reml = isREML(m), note = note, stars = stars,
    criterion = if (isREML(m)) REMLcrit(m) else NULL, aic = if (isREML(m)) NULL else as.list(s$AICtab),
    quantiles = quantile(residuals(m, "pearson", scaled = TRUE), names = FALSE),
    terms = lapply(seq_along(v), function(i) list(key = names(v)[i], group = gr[i], names = I(colnames(v[[i]])), covariance = matrix(as.vector(v[[i]]), nrow(v[[i]])))),
    sigma = sigma(m), nobs = nobs(m), groups = names(s$ngrps), counts = unname(s$ngrps),
    names = I(rownames(co)), estimate = column("Estimate"), std_error = column("Std. Error"), statistic = column("t value"),
    df = column("df"), p_value = column("Pr(>|t|)"), correlation = as.matrix(cov2cor(as.matrix(vcov(m)))),
    dropped = length(attr(getME(m, "X"), "col.dropped")), singular = isSingular(m))
  if (effects) {
    r <- rename_frames(ranef(m)); save_text(capture.output(print(r)), case, "ranef")
    k <- rename_frames(coef(m)); class(k) <- NULL; save_text(capture.output(print(lapply(k, identity))), case, "coef")
    table_of <- function(f) list(terms = I(names(f)), levels = I(rownames(f)), values = I(unname(as.matrix(f))))
    values$ranef <- lapply(r, table_of); values$coef <- lapply(k, table_of)
  }
  write_json(values, file.path("expected", paste0(case, ".json")), auto_unbox = TRUE, digits = I(17), null = "null", na = "null")
}
quiet <- function(x) suppressWarnings(suppressMessages(x))

sleepstudy <- read("sleepstudy"); Dyestuff <- read("Dyestuff"); Dyestuff2 <- read("Dyestuff2"); Penicillin <- read("Penicillin")
Pastes <- read("Pastes"); cake <- read("cake"); Machines <- read("Machines"); Oats <- read("Oats"); sim_cross <- read("sim_cross")
sim_counties <- read("sim_counties"); ScotsSec <- read("ScotsSec"); Orthodont <- read("Orthodont")
InstEval <- droplevels(subset(read("InstEval"), as.integer(s) <= 150))
m <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy)
write_case("sleep", m); write_case("sleep_tests", m, tests = TRUE, effects = FALSE)
write_case("sleep_stars", m, tests = TRUE, effects = FALSE, stars = TRUE)
write_case("sleep_ml", lmer(Reaction ~ Days + (Days | Subject), sleepstudy, REML = FALSE))
write_case("sleep_independent", lmer(Reaction ~ Days + (Days || Subject), sleepstudy))
write_case("sleep_slope_only", quiet(lmer(Reaction ~ 0 + Days + (0 + Days | Subject), sleepstudy)))
rescaled <- transform(sleepstudy, Reaction = Reaction * 1e6, Days = Days / 1000)
write_case("sleep_large", quiet(lmer(Reaction ~ Days + (1 | Subject), rescaled)))
write_case("sleep_large_ml", quiet(lmer(Reaction ~ Days + (1 | Subject), rescaled, REML = FALSE)))
small <- transform(sleepstudy, Reaction = Reaction * 1e-6)
write_case("sleep_small", quiet(lmer(Reaction ~ Days + (1 | Subject), small)))
write_case("dyestuff", lmer(Yield ~ 1 + (1 | Batch), Dyestuff))
write_case("dyestuff2", quiet(lmer(Yield ~ 1 + (1 | Batch), Dyestuff2)))
write_case("penicillin", lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin))
write_case("pastes", lmer(strength ~ 1 + (1 | batch/cask), Pastes))
write_case("cake", lmer(angle ~ recipe * temperature + (1 | recipe:replicate), cake))
write_case("cake_tests", lmer(angle ~ recipe * temperature + (1 | recipe:replicate), cake), tests = TRUE, effects = FALSE, stars = TRUE)
write_case("machines", lmer(score ~ Machine + (Machine | Worker), Machines))
write_case("oats", lmer(yield ~ nitro * Variety + (1 | Block/Variety), Oats))
write_case("cross", lmer(rt ~ A + B + (B | subj) + (1 | item), sim_cross, weights = w, offset = off, control = lmerControl(optimizer = "bobyqa"), subset = B > -1))
write_case("cross_ml", lmer(rt ~ A + B + (A + B | subj), sim_cross, REML = FALSE, weights = w))
write_case("rank_deficient", quiet(lmer(score ~ Machine + I(as.numeric(Machine)) + (1 | Worker), Machines)))
write_case("counties", lmer(income ~ 1 + (1 | county), sim_counties))
write_case("scotssec", quiet(lmer(attain ~ verbal * sex + social + (1 | primary) + (1 | second), ScotsSec)), effects = FALSE)
write_case("scotssec_tests", quiet(lmer(attain ~ verbal * sex + social + (1 | primary) + (1 | second), ScotsSec)), tests = TRUE, effects = FALSE)
write_case("orthodont", lmer(distance ~ I(age - 11) + (I(age - 11) | Subject), Orthodont, REML = FALSE))
write_case("insteval", quiet(lmer(y ~ studage + lectage * service + (1 | s) + (1 | d), InstEval)), effects = FALSE)
write_case("insteval_wide", quiet(lmer(y ~ studage + lectage * service + dept + (1 | s) + (1 | d), InstEval)), effects = FALSE)
long <- transform(sim_cross, a_rather_long_name_of_a_covariate = B^2, another_long_name_of_a_covariate = seq_along(B) %% 7)
write_case("long_formula", quiet(lmer(rt ~ A + B + a_rather_long_name_of_a_covariate + another_long_name_of_a_covariate + (1 | subj) + (1 | item), long)), effects = FALSE)
write_case("long_groups", quiet(lmer(rt ~ A + a_rather_long_name_of_a_covariate + (1 | subj) + (1 | another_long_name_of_a_covariate) + (1 | item), long)), effects = FALSE)
