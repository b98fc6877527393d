"""What every test would pay for and few need: shapes of all calls, drawings, fixtures made twice.

jaxtyping binds every call's arguments three times, and decorates a function that stands within
another whenever that one runs, most of it in loops: a function's first calls in each test are
checked. Matplotlib lays a figure out and saves it three times for every page: it does so in tests
that are marked `drawn`, and saves an empty figure in all others.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial, wraps
from io import BytesIO
from types import FunctionType
from typing import Any

import jaxtyping
import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

CALLS = 3
seen: Counter[int] = Counter()
"""Calls in this test of each function, by its code."""
every_call = jaxtyping.jaxtyped
save = Canvas.savefig


def first_calls(fn: Any = None, *, typechecker: Any) -> Any:
    """Stands for `jaxtyping.jaxtyped` where the import hook decorates with that."""
    if fn is None:
        return partial(first_calls, typechecker=typechecker)
    if not isinstance(fn, FunctionType):  # of a class its initialiser comes back here
        return every_call(fn, typechecker=typechecker)
    checked: list[Callable[..., Any]] = []
    code = id(fn.__code__)

    @wraps(fn)
    def called(*args: Any, **kwargs: Any) -> Any:
        if seen[code] >= CALLS:
            return fn(*args, **kwargs)
        seen[code] += 1
        if not checked:
            checked.append(every_call(fn, typechecker=typechecker))
        return checked[0](*args, **kwargs)

    return called


jaxtyping.jaxtyped = jaxtyping._decorator.jaxtyped = first_calls  # type: ignore[assignment]


@cache
def empty(file_format: str) -> bytes:
    buffer = BytesIO()
    save(Canvas(figsize=(1, 1)), buffer, format=file_format)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def same_draws_whatever_ran_before(request: pytest.FixtureRequest) -> None:
    """A module's own generators begin anew for each test of it, on whichever worker it runs."""
    numbers = getattr(request.module, "RNG", None)
    if numbers is not None:
        numbers.bit_generator.state = np.random.default_rng(1).bit_generator.state
    tensors = getattr(request.module, "GENERATOR", None)
    if tensors is not None:
        tensors.manual_seed(1)


def save_empty(self: Canvas, buffer: BytesIO, *, format: str, **_: Any) -> None:
    buffer.write(empty(format))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Tests that share a fixture of their module run in one worker, which makes it once."""
    for item in items:
        fixtures = [each for found in item._fixtureinfo.name2fixturedefs.values() for each in found]
        shares = any(each.scope == "module" for each in fixtures)
        if shares and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    seen.clear()
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("drawn") is None:
            patch.setattr(Canvas, "draw_without_rendering", lambda self: None)
            patch.setattr(Canvas, "savefig", save_empty)
        return (yield)
