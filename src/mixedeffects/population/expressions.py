"""Functions of a population's variables: callables whose parameters name what they read, and arithmetic as text."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError, MixedEffectsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import NDArray

# What a callable may ask for besides variables; no variable can have these names.
GIVEN = ("n", "size", "rng")

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(np, name)
    for name in (
        *("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "abs", "sin", "cos", "tan", "tanh"),
        *("floor", "ceil", "sign", "minimum", "maximum", "where"),
    )
}
_ARGUMENTS = {"minimum": 2, "maximum": 2, "where": 3}  # all others have one; one more would be written into
CONSTANTS = {"pi": np.pi}  # of text; no variable can have these names
_SYNTAX = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Load, ast.Constant),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.UAdd, ast.USub, ast.Invert),
    *(ast.BitAnd, ast.BitOr, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expression:
    """A function of named variables.

    Attributes
    ----------
    call : callable
        Takes the variables as keywords.
    reads : tuple of str
        The names that it must have.
    may_read : tuple of str
        Which of `n`, `size` and `rng` are parameters with a default; they are given too. Any other parameter with a
        default keeps it.
    text : str
        How messages call it.
    """

    call: Callable[..., Any]
    reads: tuple[str, ...]
    may_read: tuple[str, ...] = ()
    text: str

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that it must have: `reads` without what every callable may ask for."""
        return tuple(name for name in self.reads if name not in GIVEN)

    def value(self, values: Mapping[str, Any], what: str) -> Any:
        """Call it.

        Parameters
        ----------
        values : mapping of str to object
            Variables and what else a callable may ask for.
        what : str
            Whose expression it is, for the message.

        Raises
        ------
        DataError
            For an exception inside, with the kinds of the arguments.
        """
        optional = {name: values[name] for name in self.may_read if name in values}
        try:
            return self.call(**{name: values[name] for name in self.reads}, **optional)
        except DataError as problem:
            raise DataError(f"{what}, {self.text}: {problem}") from None
        except (MixedEffectsError, Warning):
            raise
        except Exception as problem:
            given = {name: values[name] for name in (*self.reads, *optional)}
            raise DataError(
                f"{what}, {self.text}: {type(problem).__name__}: {problem}{_kinds(given)}{_text_hint(given)}"
            ) from problem

    def column(self, values: Mapping[str, Any], what: str) -> NDArray[np.float64]:
        """Call it for one finite number a row, (n,); a single number stands for all rows.

        Raises
        ------
        DataError
            For another length, or a value that is no finite number.
        """
        return numbers(self.value(values, what), values["n"], f"{what}, {self.text}")


def numbers(value: Any, n: int, what: str) -> NDArray[np.float64]:
    """Return a number for each of n rows.

    Raises
    ------
    DataError
        For another length, or a value that is no finite number.
    """
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{what}: numbers are needed, not {type(value).__name__} such as {_shown(value)}") from None
    if found.ndim == 0:
        found = np.full(n, float(found))
    if found.shape != (n,):
        raise DataError(f"{what}: gives values of shape {found.shape} for {n} rows; it must give one for each row")
    wrong = np.flatnonzero(~np.isfinite(found))
    if len(wrong):
        raise DataError(f"{what}: gives {found[wrong[0]]} in row {wrong[0]}; every row needs a finite number")
    return found


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _kinds(given: Mapping[str, Any]) -> str:
    """What a callable was given, for the message of an exception inside it."""
    told = []
    for name, value in given.items():
        if isinstance(value, np.ndarray):
            kind = "text" if value.dtype.kind in "UST" else f"numbers ({value.dtype})"
            kind = str(value.dtype) if value.dtype.kind not in "USTbiuf" else kind
            shape = "" if value.ndim == 1 else f" of shape {value.shape}"
            told.append(
                f"{name}: {kind}{shape}" + (f" such as {str(value[0])!r}" if kind == "text" and len(value) else "")
            )
        else:
            told.append(f"{name}: {type(value).__name__}")
    return f"; its arguments are {', '.join(told)}" if told else ""


def _text_hint(given: Mapping[str, Any]) -> str:
    """How labels that are numerals become numbers."""
    for name, value in given.items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "UST" and len(value) and str(value[0]).isdecimal():
            return f"; {name}.astype(int) makes numbers of such labels"
    return ""


def expression_of(thing: Any, what: str, *, fixed: Collection[str] = ()) -> Expression:
    """Make an expression of a callable, of arithmetic as text, or of a constant.

    Parameters
    ----------
    thing : callable, str or number
        What the user gave.
    what : str
        Its place, for messages.
    fixed : collection of str
        Parameters of a callable that are not variables, as they are given otherwise.

    Raises
    ------
    DataError
        For a callable whose parameters have no names, or a text that is no arithmetic.
    """
    if isinstance(thing, str):
        return _from_text(thing, what)
    if not callable(thing):
        return Expression(call=lambda: thing, reads=(), text=_shown(thing))
    required, optional = parameters(thing, what)
    reads = tuple(name for name in required if name not in fixed)
    shown = ", ".join((*required, *(f"{name}=" for name in optional)))
    name = getattr(thing, "__name__", type(thing).__name__)
    text = f"lambda {shown}: ..." if name == "<lambda>" else f"{name}({shown})"
    return Expression(call=thing, reads=reads, may_read=tuple(o for o in optional if o in GIVEN), text=text)


def parameters(thing: Callable[..., Any], what: str) -> tuple[list[str], list[str]]:
    """Names of the parameters of a callable: those without a default, and those with one.

    Raises
    ------
    DataError
        If they have no names.
    """
    try:
        found = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        raise DataError(
            f"{what}: {thing!r} does not tell the names of its parameters; write a lambda around it, such as "
            "lambda x: function(x)"
        ) from None
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    for one in found:
        if one.kind not in named:
            raise DataError(
                f"{what}: the parameter {str(one)!r} of {getattr(thing, '__name__', thing)!r} has no name to give it a "
                "variable by; write a lambda whose parameters are the variables"
            )
    required = [one.name for one in found if one.default is one.empty]
    return required, [one.name for one in found if one.default is not one.empty]


def check_known(expression: Expression, what: str, variables: Iterable[str]) -> None:
    """Raise DataError if an expression reads a variable that does not exist."""
    known = tuple(variables)
    for name in expression.variables:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=2)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            if name.rstrip("0123456789") in known:
                stem = name.rstrip("0123456789")
                hint = f"; if {stem!r} has several columns, name those that others read: predictor(..., names=[...])"
            raise DataError(
                f"{what}, {expression.text}: there is no variable {name!r} in the population, which has "
                f"{', '.join(known)}{hint}"
            )


def _from_text(text: str, what: str) -> Expression:
    """Arithmetic on variables, numbers and a closed list of functions; nothing else of Python."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as problem:
        raise DataError(f"{what}: the expression {text!r} cannot be read: {problem.msg}") from None
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names: dict[str, None] = {}
    for node in ast.walk(tree):
        _check(node, text, what, called)
        if isinstance(node, ast.Name) and id(node) not in called and node.id not in CONSTANTS:
            names[node.id] = None

    def call(**values: Any) -> Any:
        try:
            return _evaluate(tree.body, values)
        except (TypeError, ValueError):
            raise DataError(_reason(values)) from None

    return Expression(call=call, reads=tuple(names), text=repr(text))


def _reason(values: Mapping[str, Any]) -> str:
    """Why arithmetic on these variables fails."""
    texts = [name for name, value in values.items() if np.asarray(value).dtype.kind not in "biuf"]
    if texts:
        return (
            f"{texts[0]!r} holds labels, not numbers; compare it, as in ({texts[0]} == 'a'), or give a function: "
            f"lambda {texts[0]}: by_level({texts[0]}, ...)"
        )
    shapes = {name: np.shape(value) for name, value in values.items()}
    if len(set(shapes.values())) > 1:
        return f"the variables have different shapes: {shapes}"
    return "~, & and | combine comparisons, as in ~(x > 0)"


def _check(node: ast.AST, text: str, what: str, called: set[int]) -> None:
    place = f"{what}: the expression {text!r}"
    if not isinstance(node, _SYNTAX):
        raise DataError(
            f"{place} holds more than arithmetic ({type(node).__name__}); write numbers, variables, + - * / ** and "
            "comparisons, or give a function: lambda x: ..."
        )
    if isinstance(node, ast.Constant) and (isinstance(node.value, complex | bytes) or node.value in (None, Ellipsis)):
        raise DataError(f"{place}: {node.value!r} is no number")
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else "?"
        if name not in _FUNCTIONS:
            raise DataError(f"{place} calls {ast.unparse(node.func)}; it may call {', '.join(_FUNCTIONS)}")
        if node.keywords or len(node.args) != _ARGUMENTS.get(name, 1):
            raise DataError(f"{place}: {name} takes {_ARGUMENTS.get(name, 1)} arguments, without keywords")
    if isinstance(node, ast.Compare) and len(node.ops) != 1:
        raise DataError(f"{place}: write (a < b) & (b < c) for a < b < c")


_OPERATIONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.float_power,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
    ast.Invert: np.invert,
    ast.BitAnd: np.bitwise_and,
    ast.BitOr: np.bitwise_or,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}


def _evaluate(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return CONSTANTS[node.id] if node.id in CONSTANTS else values[node.id]
        case ast.UnaryOp():
            return _OPERATIONS[type(node.op)](_evaluate(node.operand, values))
        case ast.BinOp():
            return _OPERATIONS[type(node.op)](_evaluate(node.left, values), _evaluate(node.right, values))
        case ast.Compare():
            left, right = _evaluate(node.left, values), _evaluate(node.comparators[0], values)
            return _OPERATIONS[type(node.ops[0])](left, right)
        case ast.Call(func=ast.Name(id=name)):
            return _FUNCTIONS[name](*(_evaluate(argument, values) for argument in node.args))
    raise AssertionError(ast.dump(node))  # _check lets nothing else through
