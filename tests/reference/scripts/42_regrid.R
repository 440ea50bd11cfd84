# Contrasts of means on the scale of the response, pairs(regrid(emmeans(...))), and contrasts by name. Run in this folder.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(emmeans); library(jsonlite)})
source("common.R")
emm_options(pbkrtest.limit=1e4, lmerTest.limit=1e4)
tab <- function(d) lapply(as.list(as.data.frame(d)), function(x) I(if (is.factor(x)) as.character(x) else x))
reference <- function(id, ds, f, specs, fam=NULL, by=NULL, modes="asymptotic", prep=NULL) {
  d <- load_ds(ds); if (!is.null(prep)) d <- prep(d); assign("d", d, globalenv()); environment(f) <- globalenv()
  fit <- if (is.null(fam)) do.call(lmerTest::lmer, list(f, data=quote(d), control=lmerControl(optimizer="tightopt")))
         else do.call(glmer, list(f, data=quote(d), family=fam, control=glmerControl(tolPwrss=1e-12, optimizer="bobyqa", optCtrl=list(rhoend=1e-9))))
  results <- lapply(modes, function(mode) {
    a <- list(fit, specs, by=by); if (is.null(fam)) a$lmer.df <- mode
    e <- do.call(emmeans, a); r <- regrid(e)
    one <- function(e, method) tab(summary(contrast(e, method, adjust="none"), infer=c(TRUE, TRUE)))
    list(mode=mode, pairwise=one(r, "pairwise"), revpairwise=one(r, "revpairwise"), control=one(r, "trt.vs.ctrl"),
         model_revpairwise=one(e, "revpairwise"), model_control=one(e, "trt.vs.ctrl"))
  })
  out <- list(id=id, dataset=ds, formula=paste(deparse(f), collapse=" "), family=if (is.null(fam)) NULL else fam$family,
              specs=specs, by=by, results=results)
  write(toJSON(out, digits=NA, auto_unbox=TRUE, null="null"), file.path(ROOT, "regrid", paste0(id, ".json")))
}
three <- c("asymptotic", "satterthwaite", "kenward-roger")
reference("machines_log", "Machines", log(score) ~ Machine + (1 | Worker/Machine), "Machine", modes=three)
reference("cake_sqrt", "cake", sqrt(angle) ~ recipe + temperature + (1 | recipe:replicate), "recipe", modes=three)
reference("oats_log2", "Oats", log2(yield) ~ nitrof * Variety + (1 | Block/Variety), "nitrof", by="Variety", modes=three,
          prep=function(d) { d$nitrof <- factor(d$nitro); d })
reference("cbpp_logit", "cbpp", cbind(incidence, size - incidence) ~ period + (1 | herd), "period", fam=binomial())
reference("epil_log", "epil", y ~ trt + lbase + (1 | subject), "trt", fam=poisson(),
          prep=function(d) { d$subject <- factor(d$subject); d })
