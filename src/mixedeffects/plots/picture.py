"""A picture: a frame that was computed, and how to draw it."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, overload

import numpy as np

from mixedeffects.errors import ArgumentError
from mixedeffects.fit.calls import call_problem
from mixedeffects.frame import to_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

P = ParamSpec("P")


class Panels(np.ndarray[Any, np.dtype[np.object_]]):
    """An array of Axes, with the frame that was drawn as `data`.

    Attributes
    ----------
    data : data frame
        What was drawn, in the library of the fitted data.
    position : int or None
        In a line-up, which panel (from 1) shows the real data.
    """

    _frame: Any
    position: int | None

    def __new__(cls, axes: Any, frame: Any = None, position: int | None = None) -> Panels:
        """View an array of Axes, (n,), as panels."""
        out = np.asarray(axes, dtype=object).view(cls)
        out._frame, out.position = frame, position
        return out

    def __array_finalize__(self, parent: Any) -> None:
        self._frame = getattr(parent, "_frame", None)
        self.position = getattr(parent, "position", None)

    @property
    def data(self) -> Any:
        """What was drawn."""
        return self._frame

    @property
    def figure(self) -> Any:
        """The figure of the panels, as of one Axes: ``panels.figure.savefig(path)``."""
        first: Any = self.flat[0]
        return first.figure


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """Columns, and the function that draws them.

    Attributes
    ----------
    columns : mapping of str to sequence
        Equally long columns.
    kind : str
        The library of the data that were fitted.
    paint : callable
        Takes ``ax`` (None, Axes or an array of them), draws, and returns Axes or an array of them.
    text : tuple of str
        Which columns are text.
    position : int or None
        In a line-up, which panel (from 1) shows the real data.
    """

    columns: Mapping[str, Any]
    kind: str
    paint: Callable[[Any], Any]
    text: tuple[str, ...] = ()
    position: int | None = None

    def to_frame(self) -> Any:
        """Return the columns as a frame in the library of the data."""
        return to_frame(self.columns, self.kind, text=self.text)

    def draw(self, ax: Any = None) -> Any:
        """Draw on the axes given or on a new figure; the axes returned carry the frame as `data`."""
        drawn = self.paint(ax)
        frame = self.to_frame()
        if isinstance(drawn, np.ndarray):
            return Panels(drawn, frame, self.position)
        drawn.data = frame
        return drawn


class BoundPicture(Generic[P]):
    """One kind of picture of one fit: call it to draw; `data` is the frame that a call without options draws."""

    def __init__(self, method: Callable[Concatenate[Any, P], Picture], owner: Any) -> None:
        self._method, self._owner = method, owner
        functools.update_wrapper(self, method)
        signature = inspect.signature(method)
        self.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Draw; see the docstring of the picture."""
        problem = call_problem(self._method, (self._owner, *args), kwargs)
        if problem is not None:
            raise ArgumentError(problem)
        given = self.__signature__.bind(*args, **kwargs).arguments
        return self._method(self._owner, *args, **kwargs).draw(given.get("ax"))

    @property
    def data(self) -> Any:
        """The frame behind the picture with its default options; matplotlib is not needed."""
        return self._method(self._owner).to_frame()  # type: ignore[call-arg]  # every option has a default

    def __repr__(self) -> str:
        return f"<picture {self._method.__name__}{self.__signature__}>"


class PictureMethod(Generic[P]):
    """A method that returns a `Picture`, as `picture` makes it."""

    def __init__(self, method: Callable[Concatenate[Any, P], Picture]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], Picture]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> BoundPicture[P]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self._method if instance is None else BoundPicture(self._method, instance)


def picture(method: Callable[Concatenate[Any, P], Picture]) -> PictureMethod[P]:
    """Turn a method that computes a `Picture` into one that draws it, with the property `data`.

    Parameters
    ----------
    method : callable
        With defaults for all its parameters, among them ``ax``, which it need not look at.
    """
    return PictureMethod(method)
