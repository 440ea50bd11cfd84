# Writes abbreviate.json: names with R's abbreviations. Run in this folder: Rscript abbreviate.R
library(jsonlite)
set.seed(21)
named <- list(
  c("(Intercept)", "Days"), c("Intercept", "Days"), c("Intercept", "period[T.2]", "period[T.3]", "period[T.4]"),
  c("Intercept", "recipe[T.B]", "recipe[T.C]", paste0("temperature[T.", seq(185, 225, 10), "]"),
    paste0("recipe[T.B]:temperature[T.", seq(185, 225, 10), "]"), paste0("recipe[T.C]:temperature[T.", seq(185, 225, 10), "]")),
  c("(Intercept)", "recipeB", "recipeC", "temperature.L", "temperature.Q", "temperature.C", "temperature^4", "temperature^5"),
  c("Intercept", "Variety[T.Marvellous]", "Variety[T.Victory]", "nitro"), c("x", "x", "y"), c("", "a"), c("a", "b"),
  c("averyveryverylongvariablename", "anotherveryverylongvariablename", "I(Days^2)"), c("I(Days ** 2)", "np.log(x + 1)", "log(income)"),
  c("bs(x, df=5)[1]", "bs(x, df=5)[2]", "bs(x, df=5)[3]", "bs(x, df=5)[4]", "bs(x, df=5)[5]"), c("poly(x, 2)[1]", "poly(x, 2)[2]"),
  c("New York City", "Los Angeles", "San Francisco", "a b c d e f g h"), c("  leading", "trailing   ", "in   side   it"), c("AAAAAAAAAAAA", "AAAAAAAAAAAB", "AAAAAAAAAAAC"),
  c("aeiouaeiouaeiou", "aeiouaeiouaeioub"), c("x1", "x2", "x3"), c("verb", "social", "verbal", "sex"), c("Machine[T.B]", "Machine[T.C]"), state.name, month.name,
  c("studage.L", "studage.Q", "studage.C", "lectage.L", "lectage.Q", "service1", "dept15", "dept5"), names(mtcars), c("A_very_long_name_1", "A_very_long_name_2"), "0123456789012345",
  c("county:income_level", "county:education_level", "income_level:education_level"), c("my variable", "my value", "my vector of things"), c("`odd name`", "C(f, contr.sum)[S.a]"))
pool <- c(letters, letters, "a", "e", "i", "o", "u", LETTERS, 0:9, "[", "]", ".", ":", "(", ")", "_", " ")
for (i in 1:120) named[[length(named) + 1]] <- replicate(sample(1:6, 1), paste(sample(pool, sample(1:25, 1), TRUE), collapse = ""))
for (i in 1:40) named[[length(named) + 1]] <- paste0("group", sample(c("Level", "level_", "[T."), 1), sample(1:40, 6), sample(c("", "]"), 1))
cases <- list()
for (v in named) for (n in c(6, 11, 4)) cases[[length(cases) + 1]] <- list(names = I(v), length = n, short = I(unname(abbreviate(v, n))))
write_json(list(R = R.version.string, cases = cases), "abbreviate.json", auto_unbox = TRUE)
