"""Data sets distributed in the R package mlmRev."""

from __future__ import annotations

from .entry import Entry, factor, number

_BRISTOL = "Centre for Multilevel Modelling, University of Bristol"

ENTRIES = (
    Entry(
        name="Chem97",
        title="A-level chemistry results in 1997",
        rows=31022,
        design=(
            "Results of 31,022 students in the 1997 A-level chemistry examination in Britain, with their average mark "
            "in the earlier GCSE examinations. Students are nested in schools and schools in local education "
            "authorities. The score has few distinct values and is far from normal, so a linear model is an "
            "illustration only. The student identifier of the R package, different in every row, is left out."
        ),
        source=(
            "M. Yang, A. Fielding and H. Goldstein (2002), Multilevel ordinal models for examination grades, submitted "
            f"to Statistical Modelling; data of the {_BRISTOL}."
        ),
        distributed="R package mlmRev",
        variables=(
            factor("lea", "Local education authority.", 131),
            factor("school", "School; the labels are unique over all authorities.", 2410),
            number("score", "Point score in A-level chemistry: 0, 2, 4, 6, 8 or 10.", "points"),
            factor("gender", "Gender of the student.", "M F"),
            number("age", "Age less 222 months (18.5 years).", "months"),
            number("gcsescore", "Average GCSE score of the student."),
            number("gcsecnt", "gcsescore less its mean over all students."),
        ),
    ),
    Entry(
        name="ScotsSec",
        title="attainment of pupils in Scottish secondary schools",
        rows=3435,
        design=(
            "Attainment at age 16 of 3,435 pupils, with both the primary and the secondary school they went to. Pupils "
            "of one primary school go on to different secondary schools and the reverse, so the two grouping factors "
            "are partially crossed."
        ),
        source=(
            "L. Paterson (1991), Socio economic status and educational attainment: a multidimensional and multilevel "
            f"study, Evaluation and Research in Education 5, 97-121; data of the {_BRISTOL}."
        ),
        distributed="R package mlmRev",
        variables=(
            number("verbal", "Verbal reasoning score, from a test on entry to secondary school."),
            number("attain", "Score in a standardized test at age 16, 1 to 10."),
            factor("primary", "Primary school.", 148),
            factor("sex", "Sex of the pupil.", "M F"),
            number("social", "Social class, from low to high: 0, 1, 20 or 31."),
            factor("second", "Secondary school.", 19),
        ),
    ),
    Entry(
        name="egsingle",
        title="growth in mathematics, US Sustaining Effects Study",
        rows=7230,
        design=(
            "Mathematics scores of 1,721 children in 60 schools, a subset of the US Sustaining Effects Study. Each "
            "child was tested two to six times, nearly always in successive years; no child changes school, so "
            "tests are nested in children and children in schools."
        ),
        source=(
            "Distributed with the HLM software (A. S. Bryk, S. W. Raudenbush and R. T. Congdon, 1996); conversion to R "
            "by H. C. Doran and J. R. Lockwood (2006), Fitting value-added models in R, Journal of Educational and "
            "Behavioral Statistics 31(1)."
        ),
        distributed="R package mlmRev",
        variables=(
            factor("schoolid", "School.", 60),
            factor("childid", "Child.", 1721),
            number("year", "Year of the test, centred: -2.5 to 2.5.", "years"),
            number("grade", "Grade of the child at the test, 0 to 5."),
            number("math", "Test score in mathematics, on an item-response scale."),
            factor("retained", "Whether the child has been kept back in a grade (1) or not (0).", "0 1"),
            factor("female", "Sex of the child.", "Female Male"),
            factor("black", "Whether the child is Black (1) or not (0).", "0 1"),
            factor("hispanic", "Whether the child is Hispanic (1) or not (0).", "0 1"),
            number("size", "Enrolment of the school.", "students"),
            number("lowinc", "Students of the school from low-income families.", "%"),
            number("mobility", "A measure of student mobility in the school; the sources give no definition."),
        ),
    ),
    Entry(
        name="Contraception",
        title="contraceptive use in Bangladesh",
        rows=1934,
        design=(
            "Answers of 1,934 women in 60 districts to the 1988 Bangladesh Fertility Survey, one row a woman. Women "
            "are nested in districts, most districts have both urban and rural areas, and the response is binary."
        ),
        source=(
            "F. Steele, I. Diamond and S. Amin (1996), Immunization uptake in rural Bangladesh: a multilevel analysis, "
            f"Journal of the Royal Statistical Society A 159, 289-299; data of the {_BRISTOL}."
        ),
        distributed="R package mlmRev",
        variables=(
            factor("woman", "The woman, one row each.", 1934),
            factor("district", "District.", 60),
            factor("use", "Whether she used contraception at the time of the survey (N no, Y yes).", "N Y"),
            factor("livch", "Number of living children at the time of the survey.", "0 1 2 3+"),
            number("age", "Age at the time of the survey, less the mean.", "years"),
            factor("urban", "Whether she lived in an urban area (Y) or a rural one (N).", "N Y"),
        ),
    ),
)
