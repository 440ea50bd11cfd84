# Separate regressions with their intervals, no-pooling regressions, Hausman tests (plm) and Mundlak models (lme4).
# Run in this folder: Rscript make.R > pooling.json
suppressMessages({library(lme4); library(plm); library(jsonlite)})
sleep <- read.csv("../data/sleepstudy.csv"); sleep$Subject <- factor(sleep$Subject)
sleep$w <- 1 + (seq_len(180) - 1) %% 4
hsb <- read.csv(gzfile("../data/Hsb82.csv.gz")); names(hsb) <- tolower(names(hsb)); hsb$school <- factor(hsb$school)
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10))
listed <- function(l) { a <- confint(l, pool = TRUE); b <- confint(l, pool = FALSE); co <- as.matrix(coef(l))
  list(levels = rownames(co), coef = unname(co), pooled_sd = as.numeric(lme4:::pooledSD(l)),
       pooled = matrix(a, nrow = nrow(co)), own = matrix(b, nrow = nrow(co)),
       limits = dimnames(a)[2:3]) }
unbalanced <- sleep[-c(1:7, 15, 16, 33:36, 70), ]
one_by_one <- t(sapply(split(sleep, sleep$Subject), function(d) { m <- lm(Reaction ~ Days, d, weights = w)
  c(coef(m), sqrt(diag(vcov(m))), sigma(m)) }))
dummies <- lm(Reaction ~ 0 + Subject + Days, unbalanced, weights = w)
random <- lmer(Reaction ~ Days + (1 | Subject), unbalanced, weights = w, control = tight)
school <- function(random_model) {
  p <- pdata.frame(hsb, index = "school")
  fe <- plm(mach ~ ses + sx, p, model = "within"); re <- plm(mach ~ ses + sx, p, model = random_model)
  t <- phtest(fe, re)
  list(sigma2 = as.numeric(re$ercomp$sigma2), theta = sqrt(re$ercomp$sigma2[["id"]] / re$ercomp$sigma2[["idios"]]),
       fe = coef(fe), vcov_fe = unname(vcov(fe)), re = coef(re)[-1], vcov_re = unname(vcov(re)[-1, -1]),
       statistic = t$statistic[[1]], df = t$parameter[[1]], p_value = t$p.value[[1]]) }
hsb$sx <- as.numeric(hsb$sx == "Female")
hsb$ses_mean <- ave(hsb$ses, hsb$school); hsb$sx_mean <- ave(hsb$sx, hsb$school)
hsb$ses_within <- hsb$ses - hsb$ses_mean; hsb$sx_within <- hsb$sx - hsb$sx_mean
fe <- lm(mach ~ 0 + school + ses + sx, hsb); slots <- c("ses", "sx")
re <- lmer(mach ~ ses + sx + (1 | school), hsb, control = tight)
V <- vcov(fe)[slots, slots] - as.matrix(vcov(re))[slots, slots]; d <- coef(fe)[slots] - fixef(re)[slots]
statistic <- c(d %*% solve(V) %*% d)
table_of <- function(m) list(coef = fixef(m), se = sqrt(diag(as.matrix(vcov(m)))))
mundlak <- lmer(mach ~ ses + sx + ses_mean + sx_mean + (1 | school), hsb, control = tight)
hybrid <- lmer(mach ~ ses_within + sx_within + ses_mean + sx_mean + (1 | school), hsb, control = tight)
slopes <- lmer(mach ~ ses + ses_mean + (ses | school), hsb, control = tight)
m <- c("ses_mean", "sx_mean"); g <- fixef(mundlak)[m]
cat(toJSON(list(
  versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4")), plm = as.character(packageVersion("plm"))),
  sleep = listed(lmList(Reaction ~ Days | Subject, sleep)),
  unbalanced = listed(lmList(Reaction ~ Days | Subject, unbalanced)),
  weighted = unname(one_by_one),
  dummies = list(coef = coef(dummies), se = sqrt(diag(vcov(dummies))), sigma = sigma(dummies), df = df.residual(dummies)),
  complete = { m0 <- lm(Reaction ~ Days, unbalanced, weights = w); list(coef = coef(m0), se = sqrt(diag(vcov(m0)))) },
  partial = list(coef = unname(as.matrix(coef(random)$Subject)), levels = rownames(coef(random)$Subject)),
  hausman_plm = school("random"),
  hausman_lme4 = list(fe = coef(fe)[slots], re = fixef(re)[slots], difference = unname(V), statistic = statistic,
                      p_value = pchisq(statistic, 2, lower.tail = FALSE)),
  mundlak = table_of(mundlak), hybrid = table_of(hybrid), slopes = table_of(slopes),
  wald = list(statistic = c(g %*% solve(as.matrix(vcov(mundlak))[m, m]) %*% g))),
  digits = I(15), auto_unbox = TRUE, na = "null"), "\n")
