"""Data sets distributed in the R package lme4."""

from __future__ import annotations

from .entry import Entry, factor, number, ordered

_DAVIES = (
    "O. L. Davies and P. L. Goldsmith (eds) (1972), Statistical Methods in Research and Production, 4th ed., Oliver "
    "and Boyd, section"
)
_LME4 = "R package lme4"
_LETTERS = tuple("abcdefghijklmnopqrstuvwx")

_CONTINUOUS = (
    Entry(
        name="sleepstudy",
        title="reaction times during sleep restriction",
        rows=180,
        design=(
            "Average reaction times of 18 subjects on ten consecutive days, from the group of a sleep dose-response "
            "study that was allowed three hours in bed a night. Days 0 and 1 were for adaptation and training, day 2 "
            "was the baseline; sleep was restricted after it. Each subject was measured once a day, none is missing."
        ),
        source=(
            "G. Belenky, N. J. Wesensten, D. R. Thorne, M. L. Thomas, H. C. Sing, D. P. Redmond, M. B. Russo and T. J. "
            "Balkin (2003), Patterns of performance degradation and restoration during sleep restriction and "
            "subsequent recovery: a sleep dose-response study, Journal of Sleep Research 12, 1-12."
        ),
        distributed=_LME4,
        variables=(
            number("Reaction", "Average reaction time of the day.", "ms"),
            number("Days", "Day of the study, 0 to 9.", "days"),
            factor("Subject", "Number of the subject.", 18),
        ),
    ),
    Entry(
        name="Dyestuff",
        title="yield of dyestuff from batches of an intermediate product",
        rows=30,
        design=(
            "How much does the batch of an intermediate product (H-acid) contribute to the variation in the yield of a "
            "dyestuff (Naphthalene Black 12B)? From each of six batches five preparations of the dyestuff were made in "
            "the laboratory: a balanced one-way classification."
        ),
        source=f"{_DAVIES} 6.4.",
        distributed=_LME4,
        variables=(
            factor("Batch", "Batch of the intermediate product.", "A B C D E F"),
            number("Yield", "Yield of the preparation.", "grams of standard colour"),
        ),
    ),
    Entry(
        name="Dyestuff2",
        title="made-up yields with less variation between batches than within",
        rows=30,
        design=(
            "Numbers constructed by Box and Tiao in the layout of Dyestuff, so that the mean square between batches is "
            "below the one within: the estimated batch variance is zero."
        ),
        source=(
            "G. E. P. Box and G. C. Tiao (1973), Bayesian Inference in Statistical Analysis, Addison-Wesley, section "
            "5.1.2."
        ),
        distributed=_LME4,
        variables=(factor("Batch", "Batch.", "A B C D E F"), number("Yield", "Constructed yield.")),
    ),
    Entry(
        name="Penicillin",
        title="penicillin samples tested on plates",
        rows=144,
        design=(
            "Six samples of penicillin were assayed on each of 24 plates by the B. subtilis method, where the diameter "
            "of the clear zone around a sample tells its concentration. Plates and samples are completely crossed, "
            "with one measurement in each cell."
        ),
        source=f"{_DAVIES} 6.6.",
        distributed=_LME4,
        variables=(
            number("diameter", "Diameter of the zone in which growth of the organism is inhibited.", "mm"),
            factor("plate", "Assay plate.", _LETTERS),
            factor("sample", "Sample of penicillin.", "A B C D E F"),
        ),
    ),
    Entry(
        name="Pastes",
        title="strength of a paste by delivery batch and cask",
        rows=60,
        design=(
            "A chemical paste is delivered in casks. From each of ten deliveries drawn at random three casks were "
            "sampled at random, and each of the 30 samples was tested twice: tests are nested in casks and casks in "
            "deliveries. The labels of the casks repeat from batch to batch; those of the samples do not."
        ),
        source=f"{_DAVIES} 6.5.",
        distributed=_LME4,
        variables=(
            number("strength", "Strength of the paste."),
            factor("batch", "Delivery batch.", "A B C D E F G H I J"),
            factor("cask", "Cask within the batch.", "a b c"),
            factor("sample", "Sample, batch and cask together: A:a to J:c.", 30),
        ),
    ),
    Entry(
        name="cake",
        title="breakage angle of chocolate cakes",
        rows=270,
        design=(
            "A split-plot experiment: the three recipes were applied to whole units, the six baking temperatures to "
            "their parts. There are 15 replicates of each recipe, nested in it; the notes of the experiment suggest "
            "that their numbers follow the order in time."
        ),
        source=(
            "F. E. Cook (1938), Chocolate cake, I. Optimum baking temperature, Master's thesis, Iowa State College; "
            "W. G. Cochran and G. M. Cox (1957), Experimental Designs, 2nd ed., Wiley, p. 300."
        ),
        distributed=_LME4,
        variables=(
            factor("replicate", "Replicate within the recipe, 1 to 15.", 15),
            factor("recipe", "Recipe.", "A B C"),
            ordered("temperature", "Baking temperature in degrees Fahrenheit.", "175 185 195 205 215 225"),
            number("angle", "Angle at which the cake broke."),
            number("temp", "Baking temperature as a number.", "degrees Fahrenheit"),
        ),
    ),
    Entry(
        name="InstEval",
        title="students' ratings of lecturers at ETH Zurich",
        rows=73421,
        design=(
            "Each row is the rating that one student gave to one lecturer's lecture of a past semester, anonymized and "
            "slightly simplified. 2,972 students rated 1,128 lecturers; the two factors are partially crossed, and "
            "each lecturer appears with one department. The purpose was to find the best liked lecturers."
        ),
        source="Survey of students at ETH Zurich, without a published reference.",
        distributed=_LME4,
        variables=(
            factor("s", "Student.", 2972),
            factor("d", "Lecturer.", 1128),
            ordered("studage", "Semester the student was enrolled in.", "2 4 6 8"),
            ordered("lectage", "How many semesters ago the lecture was held.", "1 2 3 4 5 6"),
            factor("service", "Whether the lecture was for another department than the lecturer's own (1).", "0 1"),
            factor("dept", "Department of the lecture, by a random code.", "15 5 10 12 6 7 4 8 9 14 1 3 11 2"),
            number("y", "Rating, from 1 (poor) to 5 (very good)."),
        ),
    ),
)

_DISCRETE = (
    Entry(
        name="cbpp",
        title="contagious bovine pleuropneumonia in zebu cattle",
        rows=56,
        design=(
            "Spread of an infectious cattle disease within 15 newly infected commercial herds in the Boji district of "
            "Ethiopia. Blood samples of all animals were taken every quarter and tested by a competitive ELISA; new "
            "cases were counted in each of four periods. Four of the 60 combinations of herd and period are missing."
        ),
        source=(
            "M. Lesnoff, G. Laval, P. Bonnet, S. Abdicho, A. Workalemahu, D. Kifle, A. Peyraud, R. Lancelot and F. "
            "Thiaucourt (2004), Within-herd spread of contagious bovine pleuropneumonia in Ethiopian highlands, "
            "Preventive Veterinary Medicine 64, 27-40."
        ),
        distributed=_LME4,
        variables=(
            factor("herd", "Herd, 1 to 15.", 15),
            number("incidence", "New serological cases in the period.", "animals"),
            number("size", "Size of the herd at the beginning of the period.", "animals"),
            factor("period", "Period of the follow-up.", "1 2 3 4"),
        ),
    ),
    Entry(
        name="VerbAgg",
        title="item responses on verbal aggression",
        rows=7584,
        design=(
            "316 persons answered a questionnaire of 24 items on verbal aggression. An item combines a situation (who "
            "is to blame), a behaviour and a mode (wanting to do it or doing it). Persons and items are completely "
            "crossed, with one answer each."
        ),
        source=(
            "P. De Boeck and M. Wilson (2004), Explanatory Item Response Models, Springer; data of the BEAR Center, UC "
            "Berkeley."
        ),
        distributed=_LME4,
        variables=(
            number("Anger", "Trait anger of the person: score in the State-Trait Anger Expression Inventory."),
            factor("Gender", "Gender of the person.", "F M"),
            factor("item", "Item of the questionnaire: situation, mode and behaviour, as in S1WantCurse.", 24),
            ordered("resp", "Answer.", "no perhaps yes"),
            factor("id", "Person, 1 to 316.", 316),
            factor("btype", "Behaviour.", "curse scold shout"),
            factor("situ", "Who is to blame in the situation.", "other self"),
            factor("mode", "Wanting to do it, or doing it.", "want do"),
            factor("r2", "Answer in two classes: N for no, Y for perhaps and yes.", "N Y"),
        ),
    ),
    Entry(
        name="grouseticks",
        title="ticks on the heads of red grouse chicks",
        rows=403,
        design=(
            "Ticks counted on the heads of 403 chicks in the field, over three years. Chicks are nested in 118 broods "
            "and broods in 63 locations. The counts vary far more than Poisson counts would, which a random effect of "
            "the chick (INDEX) can take up."
        ),
        source=(
            "D. A. Elston, R. Moss, T. Boulinier, C. Arrowsmith and X. Lambin (2001), Analysis of aggregation, a "
            "worked example: numbers of ticks on red grouse chicks, Parasitology 122(5), 563-569, "
            "doi:10.1017/S0031182001007740; data of Robert Moss, via David Elston."
        ),
        distributed=_LME4,
        variables=(
            factor("INDEX", "Chick, one row each.", 403),
            number("TICKS", "Ticks found.", "ticks"),
            factor("BROOD", "Brood.", 118),
            number("HEIGHT", "Height above sea level.", "m"),
            factor("YEAR", "Year, less 1900.", "95 96 97"),
            factor("LOCATION", "Location.", 63),
            number("cHEIGHT", "HEIGHT less its mean.", "m"),
        ),
    ),
    Entry(
        name="Arabidopsis",
        title="fruits of Arabidopsis after clipping and fertilization",
        rows=625,
        design=(
            "Does extra nutrient help plants to tolerate damage by herbivores? Plants of 24 genotypes, nested in nine "
            "populations of three regions, were grown in a greenhouse at two nutrient levels, with the tip of the stem "
            "clipped or not, on two racks."
        ),
        source=(
            "J. A. Banta, M. H. H. Stevens and M. Pigliucci (2010), A comprehensive test of the 'limiting resources' "
            "framework applied to plant tolerance to apical meristem damage, Oikos 119(2), 359-369, "
            "doi:10.1111/j.1600-0706.2009.17726.x; data of Josh Banta."
        ),
        distributed=_LME4,
        variables=(
            factor("reg", "Region: NL the Netherlands, SP Spain, SW Sweden.", "NL SP SW"),
            factor(
                "popu",
                "Population: a number and its region.",
                "1.SP 1.SW 2.SW 3.NL 5.NL 5.SP 6.SP 7.SW 8.SP",
            ),
            number("gen", "Genotype: a label of 24 values, not a quantity."),
            number("rack", "Rack in the greenhouse, 1 or 2: a label."),
            number("nutrient", "Nutrient level: 1 minimal, 8 added nutrients."),
            factor("amd", "Simulated herbivory (apical meristem damage).", "clipped unclipped"),
            factor("status", "How the plant was germinated.", "Normal Petri.Plate Transplant"),
            number("total.fruits", "Fruits of the plant.", "fruits"),
        ),
    ),
)

ENTRIES = _CONTINUOUS + _DISCRETE
