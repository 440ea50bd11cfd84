# Seconds of R's inference on the same data, one line a task: Rscript inference.R FOLDER
suppressMessages({library(lme4); library(pbkrtest)})
folder <- commandArgs(TRUE)[1]
clock <- function(name, expr) { t <- system.time(value <- suppressWarnings(suppressMessages(expr)))[["elapsed"]]; cat(name, t, format(value, digits = 12), "\n") }
sleep <- read.csv(file.path(folder, "sleepstudy.csv")); sleep$Subject <- factor(sleep$Subject)
fit <- lmer(Reaction ~ Days + (Days | Subject), sleep, REML = FALSE)
clock("profile", confint(fit, quiet = TRUE)[1, 1])
herds <- read.csv(file.path(folder, "cbpp.csv")); herds$herd <- factor(herds$herd); herds$period <- factor(herds$period)
binary <- glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), herds, binomial)
clock("profile_cbpp", confint(binary, quiet = TRUE)[1, 1])
clock("bootstrap_200", sd(bootMer(fit, fixef, nsim = 200, seed = 1)$t[, 2]))
crossed <- read.csv(file.path(folder, "crossed_2000.csv")); crossed$s <- factor(crossed$s); crossed$i <- factor(crossed$i)
big <- lmer(y ~ x + (1 | s) + (1 | i), crossed)
clock("kenward_roger", { V <- vcovAdj(big); get_Lb_ddf(big, c(0, 1)) })
