"""Downloads from the hubs: where there is no network, said at once and in full."""

import contextlib
import socket
from collections.abc import Iterator
from urllib.request import getproxies

from identikit.core.errors import InputError

_PATIENCE = 5.0  # seconds


@contextlib.contextmanager
def reaching(model: str, *, hub: str | None) -> Iterator[None]:
    """Turn what goes wrong with a download into words.

    Without a network the hub's client would try again and again for most of a minute; told so, it
    looks at what it has downloaded before and nowhere else.

    Args:
        model: What is wanted.
        hub: The host that is asked for it; None for files at hand.

    Raises:
        InputError: it could not be had.
    """
    near = hub is None or _answers(hub)
    try:
        with contextlib.nullcontext() if near else _offline():
            yield
    except (OSError, ValueError, ImportError) as error:  # a package that reads GGUF, say
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())
        if hub is None:
            raise InputError(f"{model} cannot be loaded: {reason}") from error
        tried = (
            f"{hub} said: {reason}"
            if near
            else f"{hub} cannot be reached from here, and it was not downloaded before. Connect to "
            "the network"
        )
        raise InputError(
            f"{model} cannot be had: {tried}; or give local weights with --checkpoint FILE, or "
            "take random ones with --untrained."
        ) from error


def _answers(host: str) -> bool:
    """Whether a host can be reached; a proxy is trusted to reach it."""
    if getproxies():
        return True
    try:
        with socket.create_connection((host, 443), timeout=_PATIENCE):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """The client of Hugging Face's hub, kept to its cache."""
    try:
        from huggingface_hub import constants
    except ImportError:  # then nobody here asks that hub
        yield
        return
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
