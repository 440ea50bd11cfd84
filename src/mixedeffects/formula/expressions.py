"""Python expressions inside a formula: read, checked against a closed list of syntax, printed back.

An expression is lexed here, every name and text in it is replaced by a placeholder such as ``_0_``,
and only then does Python's parser see it: names with dots, spaces or accents are columns like any
other, and no spelling of a name can mean anything to Python.
"""

from __future__ import annotations

import ast
import bisect
import keyword
import re
from dataclasses import dataclass, replace
from typing import Literal, NoReturn

from mixedeffects.formula import functions as allowed
from mixedeffects.formula.tokens import NAME_PATTERN, NUMBER_PATTERN, QUOTED_PATTERN, error

Where = Literal["terms", "numeric", "response"]

_LEXEME = re.compile(
    rf"\s*(?:(?P<name>{NAME_PATTERN})(?=\s*(?P<next>\(|=(?!=))?)"
    rf"|(?P<number>{NUMBER_PATTERN})"
    rf"|(?P<column>`[^`]*`)"
    rf"|(?P<quoted>{QUOTED_PATTERN})"
    r"|(?P<operator>\*\*|//|==|!=|<=|>=|[-+*/%<>&|~^()\[\]{},:=])"
    r"|(?P<other>\S))"
)
_PLACEHOLDER = re.compile(r"\b_(\d+)_\b")
_MAX_LEXEMES = 1000
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_CONTRAST_CLASSES = {"Sum": "contr.sum", "Helmert": "contr.helmert", "Poly": "contr.poly", "Diff": "contr.diff"}
# Words that stay Python's, so that what they are refused for can be said; every other keyword is a column.
_WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "for"})
_RESERVED = _WORDS | {"True", "False", "None"}
_LAMBDA = re.compile(r"\s*[\w:]")
_REFUSED = {
    ast.Attribute: "an attribute is not allowed: only np.<function> and np.pi",
    ast.Subscript: "square brackets after a name are not allowed: compute the column before fitting",
    ast.Lambda: "a lambda is not allowed: pass the function in with functions={...}",
    ast.IfExp: "'if ... else' is not allowed: write where(condition, a, b)",
    ast.BoolOp: "'and' and 'or' are not allowed: write (a > 1) & (b > 2) or (a > 1) | (b > 2)",
    ast.Starred: "a starred argument is not allowed: write the arguments out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """What a placeholder stands for."""

    kind: Literal["column", "function", "constant", "contrast", "string"]
    value: str
    shown: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A checked expression.

    `shown` prints it as the user spelled its names, `emitted` as formulaic reads it; `columns` holds
    every column in the order of use, repetitions included, `called` the functions.
    """

    tree: ast.expr
    symbols: tuple[Symbol, ...]
    shown: str
    emitted: str
    columns: tuple[str, ...]
    called: frozenset[str]


def quoted_name(name: str) -> str:
    """Return a column name as formulaic must see it: in backticks unless it is a plain identifier."""
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"`{name}`"


def shown_name(text: str) -> str:
    """Return a name token the way a user would write it: backticks only where they are needed."""
    bare = text.strip("`")
    special = keyword.iskeyword(bare) or allowed.bare_name(bare) != bare or bare in allowed.CONTRASTS
    return text if special or not re.fullmatch(NAME_PATTERN, bare) else bare


def column_name(text: str, formula: str, position: int) -> str:
    """Return the column that a name token stands for, without backticks, after checking it."""
    name = text[1:-1] if text.startswith("`") else text
    if not name.strip():
        raise error("an empty name: write the name of a column between the backticks", formula, position)
    if name.startswith("__") or (not text.startswith("`") and ".__" in name):
        message = f"{name!r} is refused: a name may not begin with two underscores; rename the column"
        raise error(message, formula, position)
    if not text.startswith("`") and allowed.bare_name(name) != name:
        message = f"{name!r} is not a column, and of numpy only the listed functions may be called"
        raise error(message, formula, position)
    if "\\" in name or not name.isprintable():
        message = f"{name!r} is refused: a name may hold no backslash or control character; rename the column"
        raise error(message, formula, position)
    return name


def read(formula: str, start: int, end: int, *, known: frozenset[str] = frozenset(), where: Where = "numeric") -> Code:
    """Read and check the expression that stands at ``formula[start:end]``.

    Parameters
    ----------
    formula : str
        The whole formula; errors point into it.
    start, end : int
        Where the expression stands.
    known : frozenset of str
        Names of the caller's functions.
    where : {"terms", "numeric", "response"}
        In terms formulaic's transforms are allowed; numeric expressions (offsets, the response) have only
        numpy's functions and the caller's; a response may be ``cbind(a, b)``.

    Returns
    -------
    Code
        The checked expression.

    Raises
    ------
    FormulaError
        Anything outside the documented list.
    """
    source, symbols, offsets = _lex(formula, start, end)
    try:
        tree = ast.parse(source, mode="eval").body
        _Checker(formula, symbols, offsets, known, where).root(tree)
        plain = ast.unparse(tree)
    except SyntaxError as problem:
        place = min(max((problem.offset or 1) - 1, 0), len(source))
        message = f"this is not an expression ({problem.msg}): {formula[start:end].strip()!r}"
        word = next((word for word in source.split() if word in _WORDS), None)
        if word is not None:
            message += f"; a column called {word!r} stands in backticks"
        raise error(message, formula, _original(offsets, place)) from None
    except (RecursionError, MemoryError, ValueError) as problem:
        if type(problem).__name__ == "FormulaError":
            raise
        raise error("this expression is too deep or too large", formula, start) from None
    return Code(
        tree=tree,
        symbols=tuple(symbols),
        shown=_PLACEHOLDER.sub(lambda match: symbols[int(match[1])].shown, plain),
        emitted=_PLACEHOLDER.sub(lambda match: _emitted(symbols[int(match[1])]), plain),
        columns=tuple(symbol.value for symbol in symbols if symbol.kind == "column"),
        called=frozenset(symbol.value for symbol in symbols if symbol.kind == "function"),
    )


def placeholder(node: ast.expr) -> int:
    """Return the index of the symbol that a name node stands for; every name in a tree is one."""
    if not isinstance(node, ast.Name):
        raise TypeError(f"not a name: {type(node).__name__}")
    return int(node.id[1:-1])


def columns(expr: str) -> tuple[str, ...]:
    """Return the columns of an expression that `read` has emitted, repetitions included."""
    symbols = _lex(expr, 0, len(expr))[1]
    return tuple(symbol.value for symbol in symbols if symbol.kind == "column")


def _emitted(symbol: Symbol) -> str:
    if symbol.kind == "column":
        return quoted_name(symbol.value)
    if symbol.kind == "function":
        return symbol.value
    # `Sum` could be a column, `contr.sum` cannot: what is emitted reads in one way only.
    return _CONTRAST_CLASSES.get(symbol.value, symbol.shown) if symbol.kind == "contrast" else symbol.shown


def _original(offsets: list[tuple[int, int]], place: int) -> int:
    """Translate a position in the lexed source to one in the formula."""
    index = bisect.bisect_right(offsets, (place, 1 << 60)) - 1
    return offsets[max(index, 0)][1]


def _lex(formula: str, start: int, end: int) -> tuple[str, list[Symbol], list[tuple[int, int]]]:
    pieces: list[str] = []
    symbols: list[Symbol] = []
    offsets: list[tuple[int, int]] = []
    length, position = 0, start
    while (match := _LEXEME.match(formula, position, end)) is not None:
        if len(pieces) == _MAX_LEXEMES:
            raise error(f"an expression of more than {_MAX_LEXEMES} parts", formula, start)
        position = match.end()
        # `next` is a group inside the name's look-ahead, so the last group may be that one
        kind = "name" if match["name"] is not None else str(match.lastgroup)
        text, place = match[kind], match.start(kind)
        if text.startswith(".") and kind == "name" and pieces and (pieces[-1] in (")", "]") or pieces[-1][0] == "_"):
            raise error(_REFUSED[ast.Attribute], formula, place)
        if kind in ("name", "column", "quoted"):
            text = _symbolic(kind, text, place, match["next"], symbols, formula)
        elif kind == "other":
            raise error(f"unexpected character {text!r} in an expression", formula, place)
        offsets.append((length, place))
        pieces.append(text)
        length += len(text) + 1
    if not pieces:
        raise error("an expression is missing here", formula, start)
    return " ".join(pieces), symbols, offsets


def _symbolic(kind: str, text: str, place: int, following: str | None, symbols: list[Symbol], formula: str) -> str:
    """Return what Python's parser sees in place of a name or a text, noting the symbol."""
    if kind == "name":
        if _is_python(text, place, following, formula):
            return text
        if following == "=":
            if not (text.isascii() and text.isidentifier()) or text.startswith("_"):
                raise error(f"{text!r} is not an argument name", formula, place)
            return text
    if kind == "quoted":
        symbol = Symbol(kind="string", value=_text(text, formula, place), shown=f"'{text[1:-1]}'", position=place)
    elif kind == "name" and following == "(":
        symbol = Symbol(kind="function", value=text, shown=text, position=place)
    elif kind == "name" and text in allowed.CONTRASTS:
        # `Sum` may be a column too; the checker decides by where it stands.
        kind_here: Literal["column", "contrast"] = "contrast" if "." in text else "column"
        symbol = Symbol(kind=kind_here, value=text, shown=text, position=place)
    elif kind == "name" and allowed.bare_name(text) in allowed.CONSTANTS:
        symbol = Symbol(kind="constant", value=allowed.bare_name(text), shown=text, position=place)
    else:
        name = column_name(text, formula, place)
        if name in allowed.NAMESPACES or name in allowed.CONSTANTS:
            raise error(f"{name!r} has a meaning of its own in an expression; rename the column", formula, place)
        symbol = Symbol(kind="column", value=name, shown=shown_name(text), position=place)
    symbols.append(symbol)
    return f"_{len(symbols) - 1}_"


def _is_python(text: str, place: int, following: str | None, formula: str) -> bool:
    """Tell whether a keyword is left to Python's parser; otherwise it is the name of a column."""
    if text == "lambda" and _LAMBDA.match(formula, place + len(text)):
        return True
    return text in _RESERVED or (following == "=" and keyword.iskeyword(text))


def _text(quoted: str, formula: str, place: int) -> str:
    """Return the text between quotation marks, refusing what formulaic's own tokenizer would misread."""
    text = quoted[1:-1]
    expected: list[str] = []
    balanced = True
    for char in text:
        if char in "([":
            expected.append(")" if char == "(" else "]")
        elif char in ")]":
            balanced = balanced and bool(expected) and expected.pop() == char
    if not balanced or expected or any(char in "'\"`\\{}" for char in text) or not text.isprintable():
        message = (
            "a text in a formula may hold no quotation mark, backtick, backslash, brace, control character "
            "or unbalanced bracket; use contrasts= or rename the level"
        )
        raise error(message, formula, place)
    return text


class _Checker:
    """Walks a tree and refuses every node that is not on the list."""

    __slots__ = ("formula", "known", "offsets", "symbols", "where")

    def __init__(
        self, formula: str, symbols: list[Symbol], offsets: list[tuple[int, int]], known: frozenset[str], where: Where
    ) -> None:
        self.formula = formula
        self.symbols = symbols
        self.offsets = offsets
        self.known = known
        self.where = where

    def fail(self, message: str, node: ast.AST) -> NoReturn:
        raise error(message, self.formula, _original(self.offsets, getattr(node, "col_offset", 0)))

    def symbol(self, node: ast.expr) -> Symbol | None:
        return self.symbols[placeholder(node)] if isinstance(node, ast.Name) else None

    def root(self, node: ast.expr) -> None:
        """Check a whole expression: the place where ``cbind(a, b)`` may stand."""
        symbol = self.symbol(node.func) if isinstance(node, ast.Call) else None
        if not (isinstance(node, ast.Call) and symbol and symbol.value == "cbind" and self.where == "response"):
            self.value(node)
            return
        if len(node.args) != 2 or node.keywords:
            self.fail("cbind() takes two columns: cbind(successes, failures)", node)
        for part in node.args:
            self.value(part)

    def value(self, node: ast.expr) -> None:
        """Check an expression that gives numbers or truth values."""
        if isinstance(node, ast.BinOp):
            self._binary(node)
        elif isinstance(node, ast.UnaryOp):
            self._unary(node)
        elif isinstance(node, ast.Compare):
            self._compare(node)
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.Constant):
            number = isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
            if not number or node.value == float("inf"):
                self.fail(f"{node.value!r} cannot stand here: only finite numbers can be computed with", node)
        else:
            symbol = self.symbol(node)
            if symbol is None or symbol.kind == "function":
                kind = type(node)
                self.fail(_REFUSED.get(kind, f"this kind of expression ({kind.__name__}) is not allowed"), node)
            elif symbol.kind == "string":
                self.fail("a text can stand only in a comparison or as an argument of a transform", node)
            elif symbol.kind == "contrast":
                self.fail(f"{symbol.value} can stand only as second argument of C(...)", node)

    def _binary(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.BitXor):
            self.fail("'^' is not a power here: write '**'", node.right)
        if isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            if not (self._is_boolean(node.left) and self._is_boolean(node.right)):
                sign = "|" if isinstance(node.op, ast.BitOr) else "&"
                self.fail(f"{sign!r} joins only comparisons: write (a > 1) {sign} (b > 2)", node.right)
        elif not isinstance(node.op, _ARITHMETIC):
            self.fail(f"the operator {type(node.op).__name__} is not allowed", node.right)
        self.value(node.left)
        self.value(node.right)
        if isinstance(node.op, ast.Pow):
            self._constant(node)

    def _constant(self, node: ast.expr) -> float | None:
        """Return the value of an expression of numbers alone; refuse a power that overflows.

        Python's integers have no bound: 9 ** 9 ** 9 would never end.
        """
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return float(node.value)
        if isinstance(node, ast.UnaryOp):
            inner = self._constant(node.operand)
            return None if inner is None else -inner
        if not isinstance(node, ast.BinOp):
            return None
        left, right = self._constant(node.left), self._constant(node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Pow):
            try:
                power = float(left**right)
            except (OverflowError, ZeroDivisionError):
                self.fail("this power of numbers is not finite", node)
            return abs(power)
        return max(abs(left), abs(right), abs(left * right), abs(left) + abs(right))

    def _unary(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self.fail("'not' is not allowed: write ~(a > 1)", node)
        if isinstance(node.op, ast.Invert) and not self._is_boolean(node.operand):
            self.fail("'~' negates only comparisons: write ~(a > 1)", node)
        self.value(node.operand)

    def _compare(self, node: ast.Compare) -> None:
        if len(node.ops) > 1:
            self.fail("comparisons cannot be chained: write (1 < x) & (x < 3)", node.comparators[1])
        if not isinstance(node.ops[0], _COMPARISONS):
            self.fail("only ==, !=, <, <=, > and >= compare", node.comparators[0])
        for side in (node.left, node.comparators[0]):
            symbol = self.symbol(side)
            if symbol is None or symbol.kind != "string":
                self.value(side)

    def _is_boolean(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Compare):
            return True
        if isinstance(node, ast.UnaryOp):
            return isinstance(node.op, ast.Invert)
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, (ast.BitAnd, ast.BitOr))
        function = self.symbol(node.func) if isinstance(node, ast.Call) else None
        return function is not None and (
            function.value in self.known or allowed.bare_name(function.value) in allowed.BOOLEAN_FUNCTIONS
        )

    def _call(self, node: ast.Call) -> None:
        symbol = self.symbol(node.func)
        if symbol is None or symbol.kind != "function":
            self.fail("only a function named directly can be called", node.func)
        name = symbol.value
        if name in self.known:
            self._arguments(node, node.args)
        elif allowed.bare_name(name) in allowed.NUMPY_ARITY:
            self._numpy_call(node, allowed.bare_name(name))
        elif name == "I":
            if len(node.args) != 1 or node.keywords:
                self.fail("I() takes one expression", node)
            self.value(node.args[0])
        elif name in allowed.CONVERSIONS:
            self._conversion_call(node, name)
        elif name in allowed.TRANSFORMS and self.where == "terms":
            self._transform_call(node, name)
        elif name in allowed.FACTOR_CALLS and self.where == "terms":
            self._factor_call(node, symbol)
        elif name in allowed.TRANSFORMS | allowed.FACTOR_CALLS:
            self.fail(f"{name}() is not available in a response or an offset: only numpy's functions are", node)
        elif name in allowed.CONTRASTS:
            self.fail(f"{name}() can stand only as second argument of C(...)", node)
        elif name in ("offset", "cbind"):
            place = "on the left of '~'" if name == "cbind" else "as a term of the right-hand side"
            self.fail(f"{name}() can stand only {place}, not inside an expression", node)
        else:
            self.fail(allowed.unknown(name, self.known), node)

    def _numpy_call(self, node: ast.Call, name: str) -> None:
        least, most = allowed.NUMPY_ARITY[name]
        permitted = allowed.NUMPY_KEYWORDS.get(name, frozenset())
        for argument in node.keywords:
            if argument.arg not in permitted:
                self.fail(f"{name}() takes no argument {argument.arg!r} in a formula", argument.value)
            self.value(argument.value)
        if not least <= len(node.args) + len(node.keywords) <= most:
            many = str(least) if least == most else f"{least} to {most}"
            self.fail(f"{name}() takes {many} argument{'s' if most > 1 else ''}, not {len(node.args)}", node)
        for part in node.args:
            self.value(part)

    def _conversion_call(self, node: ast.Call, name: str) -> None:
        if len(node.args) != 1 or node.keywords:
            self.fail(f"{name}() takes one argument", node)
        self.value(node.args[0])

    def _factor_call(self, node: ast.Call, symbol: Symbol) -> None:
        """Check ``factor(x)``, which formulaic reads as ``C(x)``."""
        argument = self.symbol(node.args[0]) if len(node.args) == 1 and not node.keywords else None
        if argument is None or argument.kind != "column":
            self.fail(f"{symbol.value}() takes one column; with levels or contrasts write C(x, levels=[...])", node)
        if "C" in self.known:
            self.fail(f"{symbol.value}() means C(), which is one of the functions passed in: rename that", node)
        self.symbols[self.symbols.index(symbol)] = replace(symbol, value="C")

    def _transform_call(self, node: ast.Call, name: str) -> None:
        if not node.args:
            self.fail(f"{name}() needs a column as its first argument", node)
        self.value(node.args[0])
        self._arguments(node, node.args[1:], contrasts=name == "C")

    def _arguments(self, node: ast.Call, positional: list[ast.expr], *, contrasts: bool = False) -> None:
        for index, part in enumerate(positional):
            self._argument(part, contrast=contrasts and index == 0)
        for argument in node.keywords:
            if argument.arg is None:
                self.fail("** before an argument is not allowed: write the arguments out", argument.value)
            self._argument(argument.value, contrast=contrasts and argument.arg == "contrasts")

    def _argument(self, node: ast.expr, *, contrast: bool) -> None:
        """Check an argument of a transform or of the caller's function: a literal or an expression."""
        if contrast and self._is_contrast(node):
            return
        if isinstance(node, (ast.List, ast.Tuple)):
            for item in node.elts:
                self._argument(item, contrast=False)
        elif isinstance(node, ast.Dict):
            for key, item in zip(node.keys, node.values, strict=True):
                if key is None:
                    self.fail("** inside a dict is not allowed", item)
                self._argument(key, contrast=False)
                self._argument(item, contrast=False)
        elif isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool)):
            return
        else:
            symbol = self.symbol(node)
            if symbol is None or symbol.kind != "string":
                self.value(node)

    def _is_contrast(self, node: ast.expr) -> bool:
        """Accept ``contr.sum``, ``Sum``, ``contr.treatment("b")``; a bare class name stops being a column."""
        if isinstance(node, ast.Call):
            symbol = self.symbol(node.func)
            if symbol is None or symbol.value not in allowed.CONTRASTS:
                return False
            self._arguments(node, node.args)
            return True
        symbol = self.symbol(node)
        if symbol is None or symbol.value not in allowed.CONTRASTS:
            return False
        if symbol.value == "Treatment":
            self.fail("write Treatment() or contr.treatment", node)
        if symbol.kind == "column":
            index = self.symbols.index(symbol)
            self.symbols[index] = Symbol(
                kind="contrast", value=symbol.value, shown=symbol.value, position=symbol.position
            )
        return True
