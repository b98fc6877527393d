"""One look for every figure: what a figure is, its colours, its Matplotlib and Plotly canvas.

One colour, one meaning, on white and on black: vermilion is predicted, blue is recovered, grey
is a control (Okabe and Ito's palette, darkened to a contrast of 3:1 on both backgrounds).
"""

import html
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from matplotlib.figure import Figure as Canvas

from identikit.core.errors import unknown_name
from identikit.core.files import write_atomically

PREDICTED = "#D55E00"
RECOVERED = "#2B7BBA"
COVERED = "#4B9CD3"
REST = "#9DBFDA"
CONTROL = "#7A7F87"
CONTROL_MARK = "#3C4248"
"""Drawn with a white edge, so that it stands out on bars and on both backgrounds."""
CONTROL_MARKS = (("diamond", "D"), ("triangle-up", "^"), ("square", "s"), ("cross", "P"))
"""Shapes that tell the controls apart, in Plotly's and in Matplotlib's names."""
CURVE_MARKS = (("circle", "o"), ("square", "s"), ("triangle-up", "^"), ("diamond", "D"))
"""The same for curves and groups of points."""
CURVES = (RECOVERED, "#B07C00", "#008F6B", "#BC5A9F")
"""Tell curves of one figure apart; there a line's dashes say that it is predicted."""

FORMATS = ("png", "pdf", "svg")
"""Endings of files that a figure can be saved as."""
MATPLOTLIB_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "identikit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A photograph with its caption."""

    source: str
    """The image itself, as a data: address."""
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Figure:
    """One figure in two forms; change its words with `dataclasses.replace`."""

    name: str
    """File name without ending; differs from every other figure's on the page."""
    title: str
    caption: str
    """What is seen and how to read it, in plain words."""
    alt: str
    """The figure in one sentence for those who cannot see it."""
    static: Canvas
    """For print, for PNG and PDF, and where no script runs."""
    interactive: go.Figure | None = None
    """For the screen; a menu of Plotly becomes a menu of the page."""
    pictures: tuple[Picture, ...] = ()
    """Shown instead of both on the page."""

    def save(self, path: str | Path) -> None:
        """Write the static form as PNG, PDF or SVG, whole or not at all.

        Raises:
            InputError: another ending, or a file that cannot be written.
        """
        path = Path(path)
        ending = path.suffix.removeprefix(".").lower()
        if ending not in FORMATS:
            raise unknown_name("ending of a figure's file", ending, FORMATS)
        write_atomically(path, image_bytes(self.static, ending))

    def __repr__(self) -> str:
        return f"Figure({self.name!r}: {self.alt})"

    def _repr_html_(self) -> str:
        """The static form, in a notebook."""
        source = data_address(image_bytes(self.static, "svg"), "image/svg+xml")
        title, caption, alt = map(html.escape, (self.title, self.caption, self.alt))
        return (
            f'<figure style="margin: 0; max-width: 48rem"><strong>{title}</strong>'
            f'<img src="{source}" alt="{alt}" style="display: block; background: #fff">'
            f"<figcaption>{caption}</figcaption></figure>"
        )


@contextmanager
def canvas(*, width: float = 6.4, height: float = 3.4) -> Iterator[Canvas]:
    """An empty Matplotlib figure (inches) in the house style, without global state."""
    with matplotlib.rc_context(MATPLOTLIB_STYLE):
        figure = Canvas(figsize=(width, height), layout="constrained")
        yield figure
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # else every saving moves things by a hair


def image_bytes(figure: Canvas, file_format: str) -> bytes:
    """A Matplotlib figure as png, pdf or svg; the same figure gives the same bytes."""
    buffer = BytesIO()
    date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(file_format)
    with matplotlib.rc_context(MATPLOTLIB_STYLE):
        figure.savefig(buffer, format=file_format, dpi=200, metadata=date)
    return buffer.getvalue()


def data_address(content: bytes, mime: str) -> str:
    """Bytes as a data: address."""
    return f"data:{mime};base64,{b64encode(content).decode()}"


def interactive(traces: Sequence[Any], *, height: int = 380, **layout: Any) -> go.Figure:
    """A Plotly figure in the house style: no title, no box, no drag, so that a phone scrolls."""
    axis = {"automargin": True, "zeroline": False, "showline": True, "ticks": "outside"}
    for name in ("xaxis", "yaxis"):
        layout[name] = axis | layout.get(name, {})
    house = {
        "template": "none",
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "font": {"size": 13},
        "dragmode": False,
        "hovermode": "closest",
        "legend": {"orientation": "h", "xref": "container", "yref": "container", "x": 0, "y": 1}
        | {"yanchor": "top"},
    }
    figure = go.Figure(list(traces), house | layout)
    figure.update_xaxes(title_font_size=13, title_standoff=8)
    figure.update_yaxes(title_font_size=13, title_standoff=8)  # else long ticks lie under it
    return figure


def menu(
    views: Sequence[tuple[str, Sequence[bool]]], patches: Sequence[dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Plotly's `updatemenus`: each view names the traces it shows and changes the layout."""
    changes = patches or [{}] * len(views)
    buttons = [
        {"label": plain(label), "method": "update", "args": [{"visible": list(shown)}, change]}
        for (label, shown), change in zip(views, changes, strict=True)
    ]
    return [{"type": "dropdown", "buttons": buttons}]


def plain(text: str) -> str:
    """Text that Plotly shows as it is, tags and all."""
    return html.escape(text, quote=False)


LONGEST = 45
"""Characters of a label in a figure that is an image."""


def verbatim(text: str) -> str:
    """Text that Matplotlib shows as it is: a dollar is no formula; long lines end in dots."""
    lines = (line if len(line) <= LONGEST else f"{line[:LONGEST]}..." for line in text.split("\n"))
    return "\n".join(lines).replace("$", r"\$")


MOST_POINTS = 1500
"""Points drawn in one panel."""


def thinned(n: int, most: int) -> slice:
    """Every k-th of n, at most `most` of them: enough for the eye, light on the page."""
    return slice(None, None, max(1, -(-n // most)))


def position_colours(z: Float[np.ndarray, "n d"]) -> list[str]:
    """A colour for each point of a circle (d = 2) or a sphere (d = 3): neighbours look alike.

    The first axis runs from blue to yellow, the third from dark to light, so that both can be
    told apart with any kind of colour vision (OKLab, Ottosson 2020).
    """
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    lightness = 0.62 + (0.18 * unit[:, 2] if z.shape[1] == 3 else 0)
    a, b = 0.09 * unit[:, 1], 0.13 * unit[:, 0]
    l_ = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m_ = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s_ = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.stack(
        [
            4.0767416621 * l_ - 3.3077115913 * m_ + 0.2309699292 * s_,
            -1.2684380046 * l_ + 2.6097574011 * m_ - 0.3413193965 * s_,
            -0.0041960863 * l_ - 0.7034186147 * m_ + 1.7076147010 * s_,
        ],
        axis=1,
    ).clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in (encoded * 255).round().astype(int)]
