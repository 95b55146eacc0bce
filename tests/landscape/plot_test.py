"""Figures show the numbers of the results, on one scale."""

import dataclasses
import json
import sys

import numpy as np
import pytest
from matplotlib import figure
from matplotlib import text

from keras_sam import landscape
from tests.support import testing  # noqa: F401  Before anything touches devices.

GRID = np.linspace(-1, 1, 5)
BOWL = GRID[:, None] ** 2 + GRID**2


def sharpness(scale=1.0, **changes):
    return dataclasses.replace(
        landscape.Sharpness(
            value=0.3 * scale,
            one_step=0.2 * scale,
            gap=0.1 * scale,
            loss=1.0,
            stuck=0,
            rho=0.1,
            ascent_steps=3,
            radius="split",
            sizes=np.array([2]),
            losses=np.array([[1.0, 1.1, 1.2, 1.3]]),
            one_step_losses=np.array([1.2]),
            distance=np.array([0.1]),
            length=np.array([0.1]),
            complete=True,
        ),
        **changes,
    )


def path(loss=1.0):
    rises = np.array([[0.0, 0.1, 0.4], [0.0, 0.3, 0.4]])
    return landscape.Path(
        losses=loss + rises,
        gradient_norms=np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]),
        cosines_to_previous=np.ones((2, 2)),
        cosines_to_first=np.array([[0.9, 0.8], [0.7, 0.6]]),
        cosine_to_displacement=np.ones(2),
        cosine_to_mean=np.ones(2),
        distance=np.ones(2),
        length=np.ones(2),
        straightness=np.ones(2),
        descent_ratio=np.ones(2),
        sizes=np.array([3, 1]),
        rho=0.1,
        ascent_steps=2,
        radius="split",
        complete=True,
    )


def climbs(loss=1.0, **changes):
    result = landscape.Climbs(
        rhos=np.array([0.1, 0.2]),
        losses=np.array([loss, loss]),
        rises=np.array([[0.1, 0.4], [0.3, 0.4]]),
        predictions=np.array([[0.1, 0.2], [0.1, 0.1]]),
        cosines=np.array([[0.9, 0.8], [0.7, 0.6]]),
        distances=np.array([[0.1, 0.2], [0.1, 0.2]]),
        sizes=np.array([3, 1]),
        ascent_steps=1,
        radius="split",
        complete=True,
    )
    return dataclasses.replace(result, **changes)


def line(loss=1.0, **changes):
    result = landscape.Line(GRID, loss + GRID**2, length=2.0, complete=True)
    return dataclasses.replace(result, **changes)


def plane(losses, grid=GRID):
    return landscape.Plane(grid, grid, losses, np.ones(2), complete=True)


def ascent_plane(loss=1.0):
    return landscape.AscentPlane(
        x=np.linspace(-0.5, 1.5, 5),
        y=np.linspace(-0.5, 0.75, 5),
        losses=loss + np.linspace(-0.1, 0.3, 25).reshape(5, 5),
        lengths=np.array([0.1, 0.1]),
        complete=True,
        path=np.array([[0.0, 0.0], [0.5, 0.0], [0.9, 0.25]]),
        off_plane=np.zeros(3),
        path_losses=loss + np.array([0.0, 0.1, 0.25]),
        distance=0.1,
        length=0.1,
        one_step=np.array([1.0, 0.0]),
        one_step_loss=loss + 0.2,
        second="ascent",
        rho=0.1,
        ascent_steps=2,
        radius="split",
    )


def average(value=0.3):
    return landscape.AverageSharpness(
        value, 0.05, 1.0, 0.1, np.ones(3), np.array([6.0, 7.0]), complete=True
    )


def trace(value=3.0):
    return landscape.Trace(value, 0.5, np.ones(3), 3, True, complete=True)


def eigenvalues(top=4.0, converged=True):
    return landscape.Eigenvalues(
        np.array([top, 1.0]), np.array([0.1, 0.2]), None, 9, converged, True
    )


def density(sigma=0.5):
    grid = np.linspace(-1, 5, 30)
    return landscape.SpectralDensity(
        grid, np.exp(-(grid**2)), grid, grid, sigma, 9, complete=True
    )


ALL = {
    "sharpness": (sharpness, 1),
    "average": (average, 1),
    "trace": (trace, 1),
    "path": (path, 3),
    "climbs": (climbs, 3),
    "line": (line, 1),
    "plane": (lambda: plane(BOWL), 2),
    "ascent_plane": (ascent_plane, 2),
    "eigenvalues": (eigenvalues, 1),
    "density": (density, 1),
}


def texts(canvas):
    """Returns all text of a figure that has been laid out."""
    canvas.draw_without_rendering()
    return " ".join(t.get_text() for t in canvas.findobj(match=text.Text))


@pytest.mark.parametrize("name", ALL)
def test_one_result_and_two_can_be_drawn(name, tmp_path):
    make, panels = ALL[name]
    one = landscape.plot(make())
    assert isinstance(one, figure.Figure)
    two = landscape.plot({"SGD": make(), "SAM": make()})
    assert len(two.axes) == panels
    found = texts(two)
    assert "SGD" in found and "SAM" in found
    assert "SGD" not in texts(one)
    two.savefig(tmp_path / "figure.png")


@pytest.mark.parametrize("name", ALL)
def test_results_come_back_from_json(name):
    result = ALL[name][0]()
    again = type(result).from_dict(json.loads(json.dumps(result.to_dict())))
    for field in dataclasses.fields(result):
        one, two = (getattr(r, field.name) for r in (result, again))
        assert type(one) is type(two), field.name
        np.testing.assert_array_equal(one, two)


def test_what_was_not_measured_comes_back_as_nan():
    result = line(losses=np.array([1.0, np.nan, 1.0, np.inf, 2.0]))
    again = landscape.Line.from_dict(result.to_dict())
    np.testing.assert_array_equal(again.losses, [1.0, np.nan, 1.0, np.nan, 2.0])


def test_a_line_is_drawn_minus_the_loss_at_w():
    (axes,) = landscape.plot([line(1.0), line(5.0)]).axes
    for curve in axes.lines[:2]:
        np.testing.assert_allclose(curve.get_ydata(), GRID**2)
    assert axes.get_ylabel() == "loss minus the loss at w"
    found = texts(axes.figure)
    assert "1 (1 at w)" in found and "2 (5 at w)" in found


def test_a_line_without_w_is_drawn_as_it_is():
    away = line(coordinates=GRID + 0.1)
    (axes,) = landscape.plot([line(), away]).axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 1 + GRID**2)
    assert axes.get_ylabel() == "loss"


def test_a_path_is_the_mean_over_batches():
    loss, norm, cosine = landscape.plot(path(2.0)).axes
    np.testing.assert_allclose(loss.lines[0].get_ydata(), [0.0, 0.15, 0.4])
    np.testing.assert_allclose(norm.lines[0].get_ydata(), [1.5, 2.5, 3.5])
    np.testing.assert_allclose(cosine.lines[0].get_ydata(), [0.85, 0.75])
    np.testing.assert_array_equal(cosine.lines[0].get_xdata(), [1, 2])
    # Deviations, weighted by size: those of (0.1, 0.3) are 0.2 sqrt(3) / 4.
    band = loss.collections[0].get_paths()[0].vertices
    width = np.ptp(band[band[:, 0] == 1][:, 1])
    assert width == pytest.approx(2 * 0.2 * np.sqrt(3) / 4)


def test_climbs_are_drawn_over_the_radius():
    rise, cosine, share = landscape.plot(climbs(2.0)).axes
    for axes, means in (
        (rise, [0.15, 0.4]),
        (cosine, [0.85, 0.75]),
        (share, [1.5, 0.4 / 0.175]),  # As `mean` has it.
    ):
        drawn = axes.lines[0]
        np.testing.assert_array_equal(drawn.get_xdata(), [0.1, 0.2])
        np.testing.assert_allclose(drawn.get_ydata(), means)
        assert axes.get_xscale() == "log"
    assert rise.get_yscale() == "log"
    falls = climbs(rises=-np.ones((2, 2)))
    assert landscape.plot(falls).axes[0].get_yscale() == "linear"


def shown(axis):
    """Returns the labels of an axis within its limits, and their boxes."""
    low, high = sorted(axis.get_view_interval())
    labels = [
        tick.label1
        for ticks in (axis.get_major_ticks(), axis.get_minor_ticks())
        for tick in ticks
        if low <= tick.get_loc() <= high
        and tick.label1.get_visible()
        and tick.label1.get_text()
    ]
    boxes = [label.get_window_extent() for label in labels]
    return [label.get_text() for label in labels], boxes


@pytest.mark.parametrize(
    "rhos",
    [
        [0.04, 0.05, 0.06],
        [0.1, 0.2, 0.4],
        [0.02, 0.05, 0.1, 0.2, 0.5],
        np.geomspace(1e-4, 10, 6),
    ],
)
def test_radii_do_not_print_over_each_other(rhos):
    rises = np.array([rhos, rhos])
    changes = {"rhos": np.array(rhos), "rises": rises, "predictions": rises}
    changes |= {"cosines": 0.9 + 0 * rises, "distances": rises}
    canvas = landscape.plot(climbs(**changes))
    canvas.draw_without_rendering()
    for axis in (*(a.xaxis for a in canvas.axes), canvas.axes[0].yaxis):
        labels, boxes = shown(axis)
        assert len(labels) > 1
        assert all(label == f"{float(label):g}" for label in labels)
        for i, box in enumerate(boxes):
            assert box.count_overlaps(boxes[i + 1 :]) == 0


def heights(axes):
    return [bar.get_height() for group in axes.containers for bar in group]


def test_bars_have_values_and_standard_errors():
    (axes,) = landscape.plot({"SGD": sharpness(), "SAM": sharpness(0.5)}).axes
    assert heights(axes) == pytest.approx([0.2, 0.3, 0.1, 0.15])
    assert "3 steps (split)" in texts(axes.figure)
    (axes,) = landscape.plot(sharpness(ascent_steps=1)).axes
    assert heights(axes) == [0.2]
    (axes,) = landscape.plot({"SGD": average(), "SAM": average(0.1)}).axes
    errors = [
        bars.errorbar for bars in axes.containers if hasattr(bars, "patches")
    ]
    ends = [e.lines[2][0].get_segments()[0][:, 1] for e in errors]
    np.testing.assert_allclose(ends, [[0.25, 0.35], [0.05, 0.15]])
    assert "length 6.5" in texts(axes.figure)


def levels(canvas):
    """Returns the levels of the colours of each panel."""
    return [
        found.levels
        for axes in canvas.axes
        for found in axes.collections
        if getattr(found, "filled", False)
    ]


def test_planes_have_one_scale_of_round_levels():
    first, second = levels(landscape.plot([plane(1 + BOWL), plane(7 + BOWL)]))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(np.diff(first), first[1] - first[0])
    assert first[0] == 0.0 and f"{first[1]:g}" in ("0.1", "0.2", "0.25")


def test_levels_of_what_rises_fast():
    (found,) = levels(landscape.plot(plane(1 + 10 * BOWL**3)))
    mantissas = {f"{level:e}"[0] for level in found}
    assert mantissas == {"1", "2", "5"}
    assert np.all(found > 0) and found[-1] > 100 * found[0]


def test_an_infinite_loss_has_the_last_colour():
    losses = 1 + BOWL
    losses[0, 0] = np.inf
    (found,) = levels(landscape.plot(plane(losses)))
    assert found[-1] < 3


def test_the_ends_of_a_climb_have_their_rises():
    canvas = landscape.plot({"SGD": ascent_plane(3.0)})
    found = texts(canvas)
    for part in (
        "+0.25",
        "+0.2",
        "loss at w: 3",
        "2 steps (split)",
        "one step",
    ):
        assert part in found
    climb = canvas.axes[0].lines[0]
    np.testing.assert_array_equal(climb.get_xydata(), ascent_plane().path)


def labelled(canvas):
    """Returns whether each panel has numbers at its left."""
    canvas.draw_without_rendering()
    return [bool(shown(axes.yaxis)[0]) for axes in canvas.axes]


def test_panels_of_one_scale_are_labelled_once():
    higher = dataclasses.replace(
        ascent_plane(),
        y=np.linspace(-0.5, 1.5, 5),
        path=np.array([[0.0, 0.0], [0.5, 0.0], [0.6, 0.9]]),
    )
    canvas = landscape.plot([ascent_plane(), ascent_plane(), higher])
    assert labelled(canvas) == [True, False, True]
    planes = [plane(BOWL), plane(BOWL), plane(BOWL, 2 * GRID)]
    assert labelled(landscape.plot(planes)) == [True, False, True]


def test_panels_do_not_print_over_each_other():
    canvas = landscape.plot([ascent_plane()] * 3)
    canvas.draw_without_rendering()
    first, second, third = (
        axes.xaxis.label.get_window_extent() for axes in canvas.axes
    )
    assert first.x1 < second.x0 and second.x1 < third.x0


def test_eigenvalues_have_their_residuals():
    (axes,) = landscape.plot({"SGD": eigenvalues(converged=False)}).axes
    (drawn,) = axes.containers
    np.testing.assert_array_equal(drawn.lines[0].get_ydata(), [4.0, 1.0])
    ends = [segment[:, 1] for segment in drawn.lines[2][0].get_segments()]
    np.testing.assert_allclose(ends, [[3.9, 4.1], [0.8, 1.2]])
    assert "SGD (not converged)" in texts(axes.figure)


def test_an_incomplete_result_says_so():
    assert "(not complete)" in texts(landscape.plot(line(complete=False)))


def test_axes_of_the_user():
    canvas = figure.Figure()
    left, right = canvas.subplots(1, 2)
    assert landscape.plot(line(), axes=right) is canvas
    assert right.lines and not left.lines
    with pytest.raises(ValueError, match="must be 3 axes.*Received: 2"):
        landscape.plot(path(), axes=[left, right])


@pytest.mark.parametrize(
    ("results", "error"),
    [
        ([], ValueError),
        ({}, ValueError),
        ([line(), path()], TypeError),
        (3, TypeError),
        ({"SGD": {"value": 1.0}}, TypeError),
    ],
)
def test_what_cannot_be_drawn(results, error):
    with pytest.raises(error, match="Received"):
        landscape.plot(results)


def test_without_matplotlib(monkeypatch):
    for name in [*sys.modules]:
        if name.startswith("keras_sam.landscape._plots"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib\\."):
        landscape.plot(line())


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
