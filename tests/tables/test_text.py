"""Layout of vectors, matrices and long lines."""

from __future__ import annotations

from mixedeffects.tables.text import (
    LINE_WIDTH,
    common_width,
    display_width,
    filled,
    formula_lines,
    matrix_lines,
    vector_lines,
)


def test_wide_and_combining_characters_are_measured_in_console_columns():
    assert display_width("学校") == 4
    assert display_width("e\u0301") == 1
    assert common_width(["学校", "a"], right=False) == ["学校", "a   "]


def test_matrix_is_continued_in_blocks_that_fit_the_line():
    columns = [[f"{j}.000"] * 2 for j in range(20)]
    heads = [f"head{j:02}" for j in range(20)]
    lines = matrix_lines(columns, heads=heads, row_names=["first", "second"], right=True)
    assert len(lines) == 6
    assert max(map(len, lines)) < LINE_WIDTH
    assert [word for line in lines[::3] for word in line.split()] == heads


def test_a_column_wider_than_the_line_stands_alone():
    lines = matrix_lines([["x" * 100], ["y"]], heads=["a", "b"], row_names=["r"], right=False)
    assert len(lines) == 4


def test_vector_is_continued_on_further_lines():
    lines = vector_lines(["1.00"] * 10, [f"abcdefghij{i}" for i in range(10)])
    assert len(lines) == 4
    assert max(map(len, lines)) <= LINE_WIDTH


def test_a_piece_that_does_not_fit_starts_a_line():
    assert filled("Data:", "sleepstudy") == ["Data: sleepstudy"]
    assert filled("Data:", "x" * 80) == ["Data: ", "x" * 80]


# What R's deparse() gives for the same formulas.
FIRST = [
    "rt ~ A + B + a_rather_long_name_of_a_covariate + (1 + a_rather_long_name_of_a_covariate + ",
    "    another_long_name_of_a_covariate + a_third_long_name_here | ",
    "    subj) + (1 | item) + (1 | another_one)",
]
SECOND = [
    "log(response_time_in_ms) ~ condition * a_rather_long_name * another_name + ",
    "    poly(covariate_number_one, 2) + (1 | item) + (1 | another_one/and_one_more_name_for_it) + ",
    "    (0 + covariate_number_one || subject)",
]
THIRD = [
    "y ~ aaaaaaaaaaaaaaaaaaaaaaaa + bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb + ",
    "    cc + ddddddddddddddddd + eeeeeeeeeeeeeeeeeeeeeeeeeee:fffffffffffffffffffff + ",
    "    ggggggggggggggg + hhhhhhhhhhhhhhhhhhhhhhh + iiiiiiiiiiiiiiiiiii",
]


def test_long_formulas_are_broken_as_r_breaks_them():
    for lines in (FIRST, SECOND, THIRD):
        text = "".join(line.lstrip(" ") for line in lines)
        assert formula_lines(text) == lines


def test_a_formula_is_not_broken_inside_a_quoted_name():
    text = "y ~ " + "x" * 50 + " + `a name + " + "y" * 30 + "` + z"
    assert formula_lines(text) == [text[: -len("z")], "    z"]
