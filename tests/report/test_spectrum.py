import numpy as np
import pytest

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.report.figures import Spectrum, spectrum
from identikit.report.style import image_bytes

pytestmark = pytest.mark.drawn

VALUES = [Estimate(0.9, 0.8, 0.95), Estimate(0.5, 0.4, 0.6), Estimate(0.1, -0.1, 0.3)]


def test_curves_have_bands_and_those_fitted_are_dashed() -> None:
    figure = spectrum(
        [
            Spectrum(name="whole", values=VALUES, fitted=[0.95, 0.7, 0.4]),
            Spectrum(name="a $part$ <b>", values=[2.0, 0.1]),
        ],
        y_label="correlation",
    )
    (axes,) = figure.static.axes
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--", "-"]
    assert np.asarray(axes.lines[0].get_ydata()).tolist() == [0.9, 0.5, 0.1]
    assert len(axes.collections) == 1
    assert figure.interactive is not None
    band, line, fitted, other = figure.interactive.data
    assert list(band.y) == [0.95, 0.6, 0.3, -0.1, 0.4, 0.8]
    assert (line.name, fitted.line.dash, other.name) == ("whole", "dash", "a $part$ &lt;b&gt;")
    assert "intervals" in figure.caption
    assert image_bytes(figure.static, "svg")


def test_a_logarithmic_axis_and_numbers_without_intervals() -> None:
    figure = spectrum([Spectrum(name="x", values=[1.0, 0.01])], y_label="size", log_y=True)
    assert figure.static.axes[0].get_yscale() == "log"
    assert figure.caption == ""


@pytest.mark.parametrize("spectra", [[], [Spectrum(name="x", values=[])]])
def test_nothing_to_draw_is_refused(spectra: list[Spectrum]) -> None:
    with pytest.raises(InputError, match="needs one curve or more"):
        spectrum(spectra, y_label="size")
