"""Asking a public service politely: a time limit, a few tries, a rate, and answers kept on disk."""

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pooch

from identikit.core.errors import InputError
from identikit.core.files import write_atomically

PAUSES_S = (0.0, 2.0, 6.0)  # before each try
LONGEST_WAIT_S = 30.0  # that a service may ask for
STALL_S, LIMIT_S = 15.0, 60.0  # without a byte, and for a whole answer
FRESH_S = 24 * 3600.0  # age up to which a kept answer is given without asking again
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class SourceError(Exception):
    """A source did not answer, or not with what it should; the message says why."""


@dataclass
class Service:
    """One public interface, asked at most every `interval_s`; paths are joined to its base."""

    name: str
    base: str
    interval_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    """Ends every address, such as a key; not part of a kept answer's name."""
    cache: Path = field(default_factory=lambda: Path(pooch.os_cache("identikit")) / "papers")
    last: float = field(default=-1e9, init=False)
    """When it was last asked, by the monotonic clock."""

    def get(self, path: str, **parameters: str) -> bytes:
        """The answer to a request, from disk if it is fresh there.

        Raises:
            SourceError: no network, no answer in time, or an answer that is an error.
        """
        address = f"{self.base}{path}?{urlencode(parameters)}"
        kept = self.cache / hashlib.sha256(address.encode()).hexdigest()
        with suppress(OSError):
            if time.time() - kept.stat().st_mtime < FRESH_S:
                return kept.read_bytes()
        content = self._ask(address + self.secret)
        with suppress(InputError):  # an answer that cannot be kept is an answer
            write_atomically(kept, content)
        return content

    def _ask(self, address: str) -> bytes:
        problem, wait_s = "", 0.0
        for pause_s in PAUSES_S:
            time.sleep(max(pause_s, wait_s, self.last + self.interval_s - time.monotonic()))
            self.last = time.monotonic()
            try:
                return self._read(address)
            except urllib.error.HTTPError as error:
                error.close()
                unknown = "does not know this paper"
                problem = unknown if error.code == 404 else f"answered {error.code} {error.reason}"
                with suppress(ValueError):
                    wait_s = float(error.headers.get("Retry-After") or 0)
                if wait_s > LONGEST_WAIT_S:
                    problem += f" and wants to be left alone for {wait_s:.0f} s"
                if error.code not in _PASSING or wait_s > LONGEST_WAIT_S:
                    break
            except urllib.error.URLError as error:  # no connection: a second try ends alike
                problem = f"cannot be reached: {error.reason}"
                break
            except (OSError, http.client.HTTPException) as error:
                problem = f"did not answer whole: {error or type(error).__name__}"
        raise SourceError(f"{self.name} {problem}")

    def _read(self, address: str) -> bytes:
        agent = {"User-Agent": "identikit (literature lens)"}
        request = urllib.request.Request(address, headers=agent | dict(self.headers))
        until, content = time.monotonic() + LIMIT_S, bytearray()
        with urllib.request.urlopen(request, timeout=STALL_S) as answer:
            while block := answer.read1(2**16):
                content += block
                if time.monotonic() > until:
                    raise TimeoutError(f"no whole answer in {LIMIT_S:.0f} s")
            if answer.length:
                raise http.client.IncompleteRead(bytes(content), answer.length)
        return bytes(content)
