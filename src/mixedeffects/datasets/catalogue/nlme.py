"""Data sets distributed in the R package nlme."""

from __future__ import annotations

from .entry import Entry, factor, number, ordered

_BOOK = "J. C. Pinheiro and D. M. Bates (2000), Mixed-Effects Models in S and S-PLUS, Springer, Appendix"

ENTRIES = (
    Entry(
        name="Machines",
        title="productivity of six workers on three machines",
        rows=54,
        design=(
            "Three brands of a machine for an industrial process are compared. Six workers, drawn at random from the "
            "employees of a factory, each work three times with every brand: workers and machines are crossed, with "
            "three replicates in a cell."
        ),
        source=(
            f"{_BOOK} A.14; G. A. Milliken and D. E. Johnson (1992), Analysis of Messy Data, Volume I: Designed "
            "Experiments, Chapman and Hall, p. 285."
        ),
        distributed="R package nlme",
        variables=(
            ordered("Worker", "The worker.", "6 2 4 1 3 5"),
            factor("Machine", "Brand of the machine.", "A B C"),
            number("score", "Productivity score, from the number and the quality of the components made."),
        ),
    ),
    Entry(
        name="Oats",
        title="split-plot trial of oat varieties and nitrogen",
        rows=72,
        design=(
            "A split-plot field trial in six blocks. Each block has three whole plots, to which the three varieties "
            "were assigned at random; each whole plot has four subplots, to which the four nitrogen doses were "
            "assigned at random. The random effects that match the design are those of the block and of the variety "
            "within the block."
        ),
        source=(
            "F. Yates (1935), Complex experiments, Journal of the Royal Statistical Society Supplement 2, 181-247; "
            f"{_BOOK} A.15; W. N. Venables and B. D. Ripley (2002), Modern Applied Statistics with S, 4th ed., "
            "Springer."
        ),
        distributed="R package nlme (the same trial as oats in MASS)",
        variables=(
            ordered("Block", "Block of the field.", "VI V III IV II I"),
            factor("Variety", "Variety of oats, by whole plot.", ("Golden Rain", "Marvellous", "Victory")),
            number("nitro", "Nitrogen dose, by subplot: 0, 0.2, 0.4 or 0.6.", "cwt/acre"),
            number(
                "yield",
                "Yield of the subplot. nlme labels the unit bushels/acre; MASS says quarter-pounds per subplot of "
                "1/80 acre for the same numbers.",
            ),
        ),
    ),
    Entry(
        name="Orthodont",
        title="growth of a distance in the skull of children",
        rows=108,
        design=(
            "At the dental school of the University of North Carolina 27 children, 16 boys and 11 girls, were followed "
            "from age 8 to age 14. Every two years the distance between two points that are easy to find on x-ray "
            "pictures of the side of the head was measured: four measurements of each child, none missing."
        ),
        source=(
            "R. F. Potthoff and S. N. Roy (1964), A generalized multivariate analysis of variance model useful "
            f"especially for growth curve problems, Biometrika 51, 313-326; {_BOOK} A.17."
        ),
        distributed="R package nlme",
        variables=(
            number("distance", "Distance from the pituitary to the pterygomaxillary fissure.", "mm"),
            number("age", "Age of the child: 8, 10, 12 or 14.", "years"),
            ordered(
                "Subject",
                "The child: M01 to M16 and F01 to F11. The order is by increasing mean distance within each sex.",
                27,
            ),
            factor("Sex", "Sex of the child.", "Male Female"),
        ),
    ),
)
