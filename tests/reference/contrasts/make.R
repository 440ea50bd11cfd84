# Models of the Oats data whose tables show what the other cases do not: empty cells, covariates in interactions, other
# codings, no constant, aliased terms, offsets. Run in this folder: Rscript make.R > oats.json
suppressMessages({library(lmerTest); library(emmeans); library(jsonlite)})
emm_options(opt.digits = FALSE)
d <- read.csv("../data/Oats.csv")[-c(2, 5, 9, 14, 33, 34, 51, 60, 71), ]
d$n <- factor(d$nitro, labels = c("a", "b", "c", "d"))
d$V <- factor(d$Variety, levels = c("Golden Rain", "Marvellous", "Victory"), labels = c("A", "B", "C"))
i <- seq_len(nrow(d))
d$x <- ((i * 37) %% 11) / 3
d$w <- ((i * 29) %% 67) / 10
d$z <- 2 * d$x + 1
d$two <- i %% 2
d$o <- 2 * d$x
hole <- d[!(d$n == "a" & d$V == "B"), ]
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10))
# The data stand in the call by name, where emmeans looks for them.
fit <- function(f, data = quote(d), ...) do.call(lmer, list(f, data = data, control = control, ...))
table_of <- function(t) { t <- as.data.frame(t); lapply(c(list(rows = rownames(t)), as.list(t)), I) }
tables <- function(m) c(lapply(list(I = 1, II = 2, III = 3), function(k) table_of(suppressMessages(anova(m, type = k)))),
                        list(drop1 = table_of(drop1(m))))
means <- function(m, ...) { e <- emmeans(m, ..., lmer.df = "satterthwaite"); as.list(as.data.frame(e)) }
hole_fit <- fit(yield ~ n * V + (1 | Block/V), quote(hole))
full_fit <- fit(yield ~ n * V + (1 | Block/V))
pairs_of <- function(e, a) as.list(as.data.frame(summary(pairs(e, adjust = a), infer = TRUE)))
adjusts <- c("tukey", "bonferroni", "holm", "sidak", "none")
V_in_n <- emmeans(hole_fit, ~ V | n, lmer.df = "satterthwaite")
offset_fit <- fit(yield ~ n + x + offset(log(x + 1)) + (1 | Block/V))
out <- list(
  versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4")),
                  lmerTest = as.character(packageVersion("lmerTest")), emmeans = as.character(packageVersion("emmeans"))),
  anova = list(
    list(formula = "yield ~ n*V + (1|Block/V)", hole = TRUE, tables = tables(hole_fit)),
    list(formula = "yield ~ x*n + V + (1|Block/V)", tables = tables(fit(yield ~ x * n + V + (1 | Block/V)))),
    list(formula = "yield ~ n/x + (1|Block/V)", tables = tables(fit(yield ~ n/x + (1 | Block/V)))),
    list(formula = "yield ~ n*V*w + (1|Block/V)", tables = tables(fit(yield ~ n * V * w + (1 | Block/V)))),
    list(formula = "yield ~ n*V + (1|Block/V)", contrasts = list(n = "sum", V = "poly"),
         tables = tables(fit(yield ~ n * V + (1 | Block/V), contrasts = list(n = "contr.sum", V = "contr.poly")))),
    list(formula = "yield ~ 0 + n + V + (1|Block/V)", tables = tables(fit(yield ~ 0 + n + V + (1 | Block/V)))),
    list(formula = "yield ~ x + z + n + (1|Block/V)", tables = tables(suppressMessages(fit(yield ~ x + z + n + (1 | Block/V)))))),
  pairs = setNames(lapply(adjusts, function(a) pairs_of(V_in_n, a)), adjusts),
  means = list(
    list(formula = "yield ~ n*V + (1|Block/V)", hole = TRUE, specs = "V", by = "n", table = as.list(as.data.frame(V_in_n))),
    list(formula = "yield ~ n*V + (1|Block/V)", hole = TRUE, specs = "V", table = means(hole_fit, "V")),
    list(formula = "yield ~ n + x + offset(log(x+1)) + (1|Block/V)", specs = "n", table = means(offset_fit, "n")),
    list(formula = "yield ~ n + x + offset(log(x+1)) + (1|Block/V)", specs = "n", at = list(x = 10),
         table = means(offset_fit, "n", at = list(x = 10))),
    list(formula = "yield ~ n + two + x + (1|Block/V)", offset = "o", specs = "n", at = list(two = c(0, 1)),
         table = means(fit(yield ~ n + two + x + (1 | Block/V), offset = quote(o)), "n"))),
  custom = as.list(as.data.frame(summary(contrast(emmeans(full_fit, "V", lmer.df = "satterthwaite"),
    list(first = c(1, -.5, -.5), second = c(0, 1, -1)), adjust = "sidak"), infer = TRUE))))
cat(toJSON(out, digits = 14, auto_unbox = TRUE, na = "null", null = "null", pretty = FALSE), "\n")
