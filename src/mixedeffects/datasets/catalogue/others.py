"""Data sets from the R package sae and from the CMU S&DS Data Repository."""

from __future__ import annotations

from .entry import Entry, factor, number

_BATTESE = (
    "G. E. Battese, R. M. Harter and W. A. Fuller (1988), An error-components model for prediction of county crop "
    "areas using survey and satellite data, Journal of the American Statistical Association 83, 28-36."
)
_COUNTIES = (
    "Cerro Gordo, Hamilton, Worth, Humboldt, Franklin, Pocahontas, Winnebago, Wright, Webster, Hancock, Kossuth, Hardin"
)

ENTRIES = (
    Entry(
        name="milk",
        title="expenditure on fresh milk in 43 small areas",
        rows=43,
        design=(
            "Direct survey estimates of the average expenditure on fresh milk in 1989, with their standard errors, for "
            "43 small areas: the input of an area-level (Fay-Herriot) model, where the sampling variances are taken as "
            "known. The four major areas group areas with similar direct estimates."
        ),
        source=(
            "P. Arora and P. Lahiri (1997), On the superiority of the Bayesian method over the BLUP in small area "
            "estimation problems, Statistica Sinica 7, 1053-1063; Y. You and B. Chapman (2006), Small area estimation "
            "using area level models and estimated sampling variances, Survey Methodology 32, 97-103."
        ),
        distributed="R package sae",
        variables=(
            number("SmallArea", "Small area, 1 to 43: a label."),
            number("ni", "Sample size in the area."),
            number("yi", "Direct estimate of the average expenditure on fresh milk in 1989."),
            number("SD", "Estimated standard deviation of yi, in its unit."),
            number("CV", "Estimated coefficient of variation of yi."),
            number("MajorArea", "Major area, 1 to 4, formed by You and Chapman: a label."),
        ),
    ),
    Entry(
        name="cornsoybean",
        title="corn and soybeans in sample segments of 12 Iowa counties",
        rows=37,
        design=(
            "In 37 sample segments of 12 counties the area under corn and soybeans was known from the June survey of "
            "the US Department of Agriculture in 1978; LANDSAT satellites classified the pixels of all segments in the "
            "same season. The input of a unit-level (Battese-Harter-Fuller) model with counties as random effects; the "
            "county means that its predictions need are in cornsoybeanmeans. Row 33 (counted from 1), the second "
            "segment of county 12, is an outlier that analyses usually leave out."
        ),
        source=_BATTESE,
        distributed="R package sae",
        variables=(
            number("County", "County, 1 to 12: a label, as CountyIndex in cornsoybeanmeans."),
            number("CornHec", "Area under corn reported in the survey.", "hectares"),
            number("SoyBeansHec", "Area under soybeans reported in the survey.", "hectares"),
            number("CornPix", "Pixels classified as corn in the segment.", "pixels"),
            number("SoyBeansPix", "Pixels classified as soybeans in the segment.", "pixels"),
        ),
    ),
    Entry(
        name="cornsoybeanmeans",
        title="county means of the satellite data in cornsoybean",
        rows=12,
        design=(
            "For each of the 12 counties of cornsoybean: how many segments were sampled, how many there are, and the "
            "means over all of them of the pixels classified as corn and as soybeans."
        ),
        source=_BATTESE,
        distributed="R package sae",
        variables=(
            number("CountyIndex", "County, 1 to 12: a label, as County in cornsoybean."),
            factor("CountyName", "Name of the county.", tuple(_COUNTIES.replace(" ", "").split(","))),
            number("SampSegments", "Sample segments in the county.", "segments"),
            number("PopnSegments", "All segments in the county.", "segments"),
            number("MeanCornPixPerSeg", "Mean over all segments of the pixels classified as corn.", "pixels"),
            number("MeanSoyBeansPixPerSeg", "Mean over all segments of the pixels classified as soybeans.", "pixels"),
        ),
    ),
    Entry(
        name="healing",
        title="healing of cupping marks and perceived time",
        rows=2425,
        design=(
            "Does a wound heal faster when more time seems to pass? 33 subjects came to up to three sessions; in each, "
            "a suction cup left a mark on the forearm, and 28 minutes passed while a manipulated clock showed 14, 28 "
            "or 56. Every subject was meant to go through the three conditions in random order; two have only two "
            "sessions. Later 25 raters, recruited on Amazon Mechanical Turk, judged from photographs how much each of "
            "the 97 marks had healed: one row is one rating, and raters are crossed with subjects and sessions. Gelman "
            "and Brown argue that the mixed model of the paper does not suit the design, and that the data give no "
            "strong evidence for its claim once the model is corrected."
        ),
        source=(
            "P. Aungle and E. Langer (2023), Physical healing as a function of perceived time, Scientific Reports 13, "
            "22432, doi:10.1038/s41598-023-50009-3; A. Gelman and N. J. L. Brown (2024), How statistical challenges "
            "and misreadings of the literature combine to produce unreplicable science: an example from psychology, "
            "Advances in Methods and Practices in Psychological Science 7(4), doi:10.1177/25152459241276398."
        ),
        distributed="CMU S&DS Data Repository (cmustatistics/data-repository), healing-time",
        variables=(
            factor("Subject", "Subject.", 33),
            factor("ResponseId", "Rater.", 25),
            factor("Condition", "Minutes that seemed to have passed.", "14 28 56"),
            number("Session", "Session of the subject, 1 to 3 (upper, middle, lower forearm)."),
            number("Healing", "Rating: 0 not healed at all, 5 somewhat healed, 10 completely healed."),
            number("Session_Mood", "Mood score of the subject in the session; scale not specified."),
            number("Age", "Age of the subject.", "years"),
            factor("Gender", "Gender of the subject.", "Male Female"),
            factor("Race", "Race of the subject.", ("White", "Not white")),
            number("PSS_sum", "Score in the Perceived Stress Scale."),
            number("Mindfulness", "Score in the Langer Mindfulness Scale."),
            number("Extraversion", "Big Five personality trait; scale not specified."),
            number("Agreeableness", "Big Five personality trait; scale not specified."),
            number("Conscientiousness", "Big Five personality trait; scale not specified."),
            number("Neuroticism", "Big Five personality trait; scale not specified."),
            number("Openness", "Big Five personality trait; scale not specified."),
            number("Dscale", "Depression in the Hospital Anxiety and Depression Scale, 0 (none) to 21."),
            number("Ascale", "Anxiety in the Hospital Anxiety and Depression Scale, 0 (none) to 21."),
        ),
    ),
)
