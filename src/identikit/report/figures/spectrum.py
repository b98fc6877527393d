"""Spectrum: numbers in order, such as canonical correlations or singular values, as curves.

    spectrum([Spectrum(name="whole", values=[Estimate(...), ...], fitted=[...]), ...],
             y_label="correlation") -> Figure

One point for each number from the left, with its interval as a band; dashed, the same on the
samples fitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate, as_text, with_ends
from identikit.report.style import CURVES, Figure, canvas, interactive, plain, verbatim

BAND = 0.18
"""Opacity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """One curve."""

    name: str
    values: Sequence[Estimate | float]
    fitted: Sequence[float] = ()
    """The same numbers on the samples fitted; none where there is no such thing."""

    @property
    def places(self) -> list[int]:
        """1, 2, 3, ..."""
        return list(range(1, len(self.values) + 1))

    @property
    def has_band(self) -> bool:
        """Whether its values have intervals."""
        return any(isinstance(value, Estimate) for value in self.values)


def spectrum(spectra: Sequence[Spectrum], *, y_label: str, log_y: bool = False) -> Figure:
    """Curves over the number's place in its order.

    Args:
        spectra: Curves; at most four are told apart.
        y_label: What the numbers are.
        log_y: Whether the vertical axis is logarithmic.

    Raises:
        InputError: no curve, or one without values.
    """
    if not spectra or any(not s.values for s in spectra):
        raise InputError("a spectrum needs one curve or more, each with a value.")
    ends = "; ".join(
        f"{s.name}: {as_text(s.values[0])} to {as_text(s.values[-1])}" for s in spectra
    )
    return Figure(
        name="spectrum",
        title=y_label,
        caption="Bands are 95 % intervals." if any(s.has_band for s in spectra) else "",
        alt=f"Curves of {y_label} from the first to the last. {ends}.",
        static=_static(spectra, y_label, log_y),
        interactive=_interactive(spectra, y_label, log_y),
    )


def _interactive(spectra: Sequence[Spectrum], y_label: str, log_y: bool) -> go.Figure:
    traces = []
    for k, one in enumerate(spectra):
        colour, name = CURVES[k % len(CURVES)], plain(one.name)
        if one.has_band:
            low, high = zip(*(with_ends(v)[1:] for v in one.values), strict=True)
            traces.append(
                go.Scatter(
                    x=one.places + one.places[::-1],
                    y=[*high, *low[::-1]],
                    fill="toself",
                    fillcolor=colour,
                    opacity=BAND,
                    line={"width": 0},
                    mode="lines",
                    hoverinfo="skip",
                    showlegend=False,
                )
            )
        traces.append(
            go.Scatter(
                name=name,
                x=one.places,
                y=[with_ends(v)[0] for v in one.values],
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={"size": 5},
                customdata=[as_text(v) for v in one.values],
                hovertemplate=f"{name}, number %{{x}}: %{{customdata}}<extra></extra>",
            )
        )
        if one.fitted:
            traces.append(
                go.Scatter(
                    name=f"{name}, on the samples fitted",
                    x=one.places,
                    y=list(one.fitted),
                    mode="lines",
                    line={"color": colour, "width": 1.5, "dash": "dash"},
                    hovertemplate=f"{name}, fitted: %{{y:.3f}}<extra></extra>",
                )
            )
    return interactive(
        traces,
        xaxis={"title": {"text": "number"}},
        yaxis={"title": {"text": plain(y_label)}, "type": "log" if log_y else "linear"},
    )


def _static(spectra: Sequence[Spectrum], y_label: str, log_y: bool) -> Canvas:
    with canvas() as figure:
        axes = figure.subplots()
        for k, one in enumerate(spectra):
            colour, name = CURVES[k % len(CURVES)], verbatim(one.name)
            values, low, high = zip(*map(with_ends, one.values), strict=True)
            if one.has_band:
                axes.fill_between(one.places, low, high, color=colour, alpha=BAND, linewidth=0)
            axes.plot(one.places, values, "o-", color=colour, markersize=2.5, label=name)
            if one.fitted:
                axes.plot(one.places, one.fitted, "--", color=colour, linewidth=1,
                          label=f"{name}, on the samples fitted")  # fmt: skip
        if log_y:
            axes.set_yscale("log")
        axes.set(xlabel="number", ylabel=verbatim(y_label))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside upper left", ncols=2)
    return figure
