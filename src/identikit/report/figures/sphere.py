"""Sphere and circle: where the linear probe puts points whose true place is known by colour."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Shaped

from identikit.report.style import (
    CONTROL,
    CONTROL_MARK,
    MOST_POINTS,
    Figure,
    canvas,
    interactive,
    menu,
    plain,
    position_colours,
    thinned,
)


def latents_sphere(true: Float[np.ndarray, "n 3"], recovered: Float[np.ndarray, "n 3"]) -> Figure:
    """True and recovered points on the sphere, coloured by the true position."""
    shown = thinned(len(true), MOST_POINTS)
    t, r = true[shown], recovered[shown]
    colours = position_colours(t)
    return Figure(
        name="sphere",
        title="The sphere of factors",
        caption="Each point keeps the colour of its true place. If the recovered sphere shows "
        "the same colours in the same places, the arrangement of the factors was recovered.",
        alt="The true points on the sphere beside the recovered ones, coloured by true place.",
        static=_static_sphere(t, r, colours),
        interactive=_interactive_sphere(t, r, colours),
    )


def _interactive_sphere(
    t: Float[np.ndarray, "n 3"], r: Float[np.ndarray, "n 3"], colours: list[str]
) -> go.Figure:
    joined = np.stack([t, r, np.full_like(t, np.nan)], axis=1).reshape(-1, 3)
    marker = {"size": 3.5, "color": colours}
    hover = "<br>%{x:.2f}, %{y:.2f}, %{z:.2f}<extra></extra>"
    traces = [
        _ball(r),
        go.Scatter3d(mode="markers", marker=marker, hovertemplate=f"recovered{hover}", **_xyz(r)),
        go.Scatter3d(mode="markers", marker=marker, hovertemplate=f"true{hover}", **_xyz(t)),
        go.Scatter3d(mode="lines", line={"color": CONTROL, "width": 2}, **_xyz(joined)),
    ]
    traces[3].hoverinfo = "skip"
    traces[2].visible = traces[3].visible = False
    views = [
        ("recovered", [True, True, False, False]),
        ("true", [True, False, True, False]),
        ("the way from true to recovered", [False, True, False, True]),
    ]
    most = 1.02 * float(max(np.abs(t).max(), np.abs(r).max()))
    axis = {"range": [-most, most], "showbackground": False, "zeroline": False}
    axis |= {"nticks": 5, "showspikes": False}
    scene = {f"{a}axis": axis | {"title": {"text": f"z{k}"}} for k, a in enumerate("xyz", 1)}
    view = {"eye": {"x": 1.45, "y": 1.45, "z": 0.85}, "center": {"x": 0, "y": 0, "z": -0.12}}
    return interactive(
        traces,
        height=460,
        showlegend=False,
        scene=scene | {"aspectmode": "cube", "dragmode": "turntable", "camera": view},
        updatemenus=menu(views),
    )


def _xyz(points: Float[np.ndarray, "n 3"]) -> dict[str, Any]:
    return dict(zip("xyz", points.astype(np.float32).T, strict=True))


def _ball(r: Float[np.ndarray, "n 3"]) -> go.Surface:
    """A ball that hides the far side, small enough to hide no recovered point in front."""
    radius = 0.97 * min(1.0, float(np.quantile(np.linalg.norm(r, axis=1), 0.01)))
    theta, phi = np.meshgrid(np.linspace(0, np.pi, 25), np.linspace(0, 2 * np.pi, 49))
    surface = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    return go.Surface(
        **dict(zip("xyz", (radius * surface).astype(np.float32), strict=True)),
        colorscale=[[0, CONTROL_MARK], [1, CONTROL_MARK]],
        showscale=False,
        hoverinfo="skip",
        lighting={"ambient": 0.9, "diffuse": 0.2, "specular": 0.0},
    )


def _static_sphere(
    t: Float[np.ndarray, "n 3"], r: Float[np.ndarray, "n 3"], colours: list[str]
) -> Any:
    front = t[:, 2] >= 0
    most = 1.05 * max(1.0, float(np.abs(r[front, :2]).max(initial=0.0)))
    ring = np.linspace(0, 2 * np.pi, 200)
    with canvas(width=6.4, height=3.4) as figure:
        for axes, (p, what) in zip(
            figure.subplots(1, 2), ((t, "true"), (r, "recovered")), strict=True
        ):
            axes.plot(np.cos(ring), np.sin(ring), color=CONTROL, linewidth=0.8)
            axes.scatter(
                p[front, 0],
                p[front, 1],
                c=[c for c, seen in zip(colours, front, strict=True) if seen],
                s=7,
                linewidths=0,
                rasterized=True,
            )
            axes.set_title(f"{what} (half with z3 ≥ 0)")
            axes.set(xlabel="z1", ylabel="z2", aspect="equal")
            axes.set(xlim=(-most, most), ylim=(-most, most), xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    return figure


def circle_scatter(
    true_angle: Float[np.ndarray, " n"],
    recovered: Float[np.ndarray, "n 2"],
    *,
    group: Shaped[np.ndarray, " n"] | None = None,
) -> Figure:
    """Recovered cosine and sine of an angle (radians), coloured by the true angle.

    Args:
        true_angle: in radians.
        recovered: cosine and sine as read out; perfect linear probes lie on the unit circle.
        group: what to offer in the menu (an object's name, say).
    """
    shown = thinned(len(true_angle), 2 * MOST_POINTS)
    angle, point = true_angle[shown], recovered[shown]
    groups = [] if group is None else [(str(g), group[shown] == g) for g in np.unique(group)]
    views = [("all", np.ones(len(angle), bool)), *groups]
    return Figure(
        name="circle",
        title="The angle on its circle",
        caption="Each point is a held-out sample where the linear probe put it; its colour is its "
        "true angle, as on the ring. A perfect linear probe puts every point on the circle beside "
        "its own colour; a point near the middle says that nothing was read out.",
        alt="Recovered cosine and sine of the angle around the unit circle.",
        static=_static_circle(angle, point),
        interactive=_interactive_circle(angle, point, views),
    )


def _ring(radius: float, n: int = 180) -> tuple[Float[np.ndarray, "n 2"], list[str]]:
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    unit = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return radius * unit, position_colours(unit)


def _interactive_circle(
    angle: Float[np.ndarray, " n"],
    point: Float[np.ndarray, "n 2"],
    views: list[tuple[str, Any]],
) -> go.Figure:
    colours = np.array(position_colours(np.stack([np.cos(angle), np.sin(angle)], axis=1)))
    ring, ring_colours = _ring(1.3)
    circle, _ = _ring(1.0)
    dots = {"color": ring_colours, "size": 7}
    line = {"color": CONTROL, "width": 1}
    traces: list[Any] = [
        go.Scatter(x=circle[:, 0], y=circle[:, 1], mode="lines", line=line),
        go.Scatter(x=ring[:, 0], y=ring[:, 1], mode="markers", marker=dots),
    ]
    for trace in traces:
        trace.hoverinfo = "skip"
    for k, (label, member) in enumerate(views):
        traces.append(
            go.Scatter(
                x=point[member, 0].astype(np.float32),
                y=point[member, 1].astype(np.float32),
                mode="markers",
                marker={"color": colours[member].tolist(), "size": 6},
                customdata=np.degrees(angle[member]).round(1).astype(np.float32),
                hovertemplate=f"{plain(label)}: true angle %{{customdata}}°<br>"
                "recovered %{x:.2f}, %{y:.2f}<extra></extra>",
                visible=k == 0,
            )
        )
    masks = [
        (label, [True, True, *(j == k for j in range(len(views)))])
        for k, (label, _) in enumerate(views)
    ]
    return interactive(
        traces,
        height=440,
        showlegend=False,
        xaxis={"title": {"text": "recovered cosine"}, "constrain": "domain"},
        yaxis={"title": {"text": "recovered sine"}, "scaleanchor": "x", "constrain": "domain"},
        updatemenus=menu(masks) if len(views) > 1 else [],
    )


def _static_circle(angle: Float[np.ndarray, " n"], point: Float[np.ndarray, "n 2"]) -> Any:
    colours = position_colours(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    ring, ring_colours = _ring(1.3)
    circle, _ = _ring(1.0)
    with canvas(width=4.2, height=4.2) as figure:
        axes = figure.subplots()
        axes.scatter(ring[:, 0], ring[:, 1], c=ring_colours, s=22, linewidths=0)
        axes.plot(*circle.T, color=CONTROL, linewidth=0.8)
        axes.scatter(point[:, 0], point[:, 1], c=colours, s=8, linewidths=0, rasterized=True)
        axes.set(xlabel="recovered cosine", ylabel="recovered sine", aspect="equal")
    return figure
