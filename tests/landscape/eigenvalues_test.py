"""The spectrum of the Hessian, against dense linear algebra and SciPy."""

import dataclasses
import sys

import keras
import numpy as np
import pytest
import scipy.sparse.linalg
from keras import ops

from keras_sam import landscape
from tests.support import engine
from tests.support import testing

WHICH = {
    "largest algebraic": ("LA", lambda values: np.sort(values)[::-1]),
    "smallest algebraic": ("SA", np.sort),
    "largest magnitude": (
        "LM",
        lambda values: values[np.argsort(-np.abs(values))],
    ),
}


@pytest.fixture(autouse=True)
def float64():
    with engine.float64():
        yield


@dataclasses.dataclass
class Quadratic:
    """The landscape of w'Hw / 2. The weights have two shapes."""

    matrix: np.ndarray
    dtype: str = "float64"
    products: int = 0

    @property
    def params(self):
        size = len(self.matrix)
        return [
            ops.zeros((size // 4, 2), self.dtype),
            ops.zeros((size - size // 4 * 2,), self.dtype),
        ]

    def hessian_vector_product(self, params, vector):
        self.products += 1
        flat = np.concatenate([np.ravel(v) for v in vector]).astype("float64")
        image = self.matrix @ flat
        first = params[0].shape[0] * 2
        return [
            ops.convert_to_tensor(part.reshape(param.shape), self.dtype)
            for part, param in zip(np.split(image, [first]), params)
        ]


def quadratic(values, seed=0, **settings):
    """Returns the landscape of a matrix with known eigenvalues."""
    random = np.random.RandomState(seed)
    basis, _ = np.linalg.qr(random.normal(size=(len(values), len(values))))
    return Quadratic(basis * values @ basis.T, **settings)


SPECTRA = {
    "spread": np.linspace(-3, 5, 40),
    "outliers": np.array([9.0, -7.0, 4.0, *np.linspace(-0.1, 0.3, 37)]),
    "degenerate": np.repeat([5.0, 2.0, -1.0, -6.0], 10),
    "of low rank": np.array([3.0, -2.0] + [0.0] * 38),
    "multiple of one": np.full(40, -2.5),
    "zero": np.zeros(40),
}


@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize("values", SPECTRA.values(), ids=SPECTRA)
def test_eigenvalues_of_quadratics(values, which):
    at = quadratic(values)
    result = landscape.eigenvalues(at, 4, which, tolerance=1e-9)
    expected = WHICH[which][1](values)[:4]
    if which == "largest magnitude":  # Equal ones come in any order.
        np.testing.assert_allclose(abs(result.values), abs(expected), atol=1e-8)
    else:
        np.testing.assert_allclose(result.values, expected, atol=1e-8)
    assert result.complete
    assert np.all(result.residuals <= 1e-8)
    assert result.products == at.products <= 40


@pytest.mark.parametrize("which", WHICH)
def test_eigenvalues_are_those_of_scipy(which):
    random = np.random.RandomState(3)
    matrix = random.normal(size=(150, 150)) / 30
    at = Quadratic(matrix + matrix.T)
    result = landscape.eigenvalues(at, 3, which, tolerance=1e-8, iterations=150)
    expected = scipy.sparse.linalg.eigsh(
        at.matrix, 3, which=WHICH[which][0], return_eigenvectors=False
    )
    np.testing.assert_allclose(
        np.sort(result.values), np.sort(expected), rtol=1e-8
    )
    assert result.converged
    assert result.products < 150


def test_eigenvectors_and_residuals():
    at = quadratic(np.linspace(-3, 5, 200))
    result = landscape.eigenvalues(at, 3, iterations=30, vectors=True)
    assert not result.converged
    for value, residual, vector in zip(
        result.values, result.residuals, result.vectors
    ):
        assert [v.shape for v in vector] == [(50, 2), (100,)]
        flat = np.concatenate([v.ravel() for v in vector])
        np.testing.assert_allclose(np.linalg.norm(flat), 1, rtol=1e-12)
        true = np.linalg.norm(at.matrix @ flat - value * flat)
        np.testing.assert_allclose(residual, true, rtol=1e-8)
        nearest = np.min(np.abs(np.linspace(-3, 5, 200) - value))
        assert nearest <= residual
    assert landscape.eigenvalues(at, 3, iterations=30).vectors is None


def test_it_stops_when_converged():
    values = np.array([9.0, 4.0, *np.linspace(-0.1, 0.3, 998)])
    for tolerance, least, most in ((1e-1, 2, 12), (1e-6, 5, 30)):
        at = quadratic(values)
        result = landscape.eigenvalues(at, 2, tolerance=tolerance, block_size=1)
        assert result.converged
        assert least <= result.products == at.products <= most
        assert np.all(result.residuals <= tolerance * result.values)


def test_one_start_finds_one_copy_and_a_block_all():
    at = quadratic(SPECTRA["degenerate"])
    one = landscape.eigenvalues(at, 3, block_size=1)
    np.testing.assert_allclose(one.values, [5, 2, -1], rtol=1e-6)
    three = landscape.eigenvalues(at, 3)
    np.testing.assert_allclose(three.values, [5, 5, 5], rtol=1e-6)


def test_float32_products():
    at = quadratic(SPECTRA["outliers"], dtype="float32")
    result = landscape.eigenvalues(at, 2, "largest magnitude")
    assert result.converged
    np.testing.assert_allclose(result.values, [9, -7], rtol=1e-5)


@pytest.mark.parametrize("values", SPECTRA.values(), ids=SPECTRA)
def test_trace_of_quadratics(values):
    at = quadratic(values)
    result = landscape.trace(at, draws=1000, tolerance=0.005)
    assert abs(result.value - values.sum()) <= 4 * result.standard_error + 1e-9
    assert result.products == at.products == len(result.samples)
    np.testing.assert_allclose(result.value, np.mean(result.samples))
    if result.converged:
        assert result.standard_error <= 0.005 * abs(result.value) + 1e-12
    else:
        assert result.products == 1000


def test_trace_of_a_diagonal_takes_ten_draws():
    result = landscape.trace(Quadratic(np.diag(np.arange(20.0))))
    assert (result.value, result.standard_error) == (190.0, 0.0)
    assert (result.products, result.converged) == (10, True)
    one = landscape.trace(Quadratic(np.diag(np.arange(20.0))), draws=1)
    assert (one.value, one.standard_error) == (190.0, np.inf)
    assert not one.converged


@pytest.mark.parametrize("values", SPECTRA.values(), ids=SPECTRA)
def test_density_of_quadratics(values):
    at = quadratic(values)
    result = landscape.spectral_density(at, draws=40)
    np.testing.assert_allclose(result.weights.sum(), 1, rtol=1e-12)
    heights = (result.density[1:] + result.density[:-1]) / 2
    np.testing.assert_allclose(heights @ np.diff(result.grid), 1, rtol=1e-5)
    assert result.nodes.min() >= values.min() - 1e-9
    assert result.nodes.max() <= values.max() + 1e-9
    assert result.products == at.products
    # About four standard errors of 40 draws.
    for power in (1, 2, 3):
        moment = np.sum(result.weights * result.nodes**power)
        scale = max(np.mean(np.abs(values) ** power), 1e-9)
        assert abs(moment - np.mean(values**power)) <= 0.3 * scale


def test_nodes_are_a_quadrature_of_the_start():
    at = quadratic(np.linspace(-3, 5, 60))
    result = landscape.spectral_density(at, draws=1, iterations=8)
    random = np.random.default_rng(0)
    start = 2.0 * random.integers(0, 2, (1, 60))[0] - 1
    start /= np.linalg.norm(start)
    assert len(result.nodes) == result.products == 8
    for power in range(16):  # Gauss's rule is exact up to degree 15.
        expected = start @ np.linalg.matrix_power(at.matrix, power) @ start
        moment = np.sum(result.weights * result.nodes**power)
        np.testing.assert_allclose(moment, expected, rtol=1e-9, atol=1e-9)


def test_density_is_a_mixture_of_gaussians_on_a_grid():
    result = landscape.spectral_density(
        Quadratic(np.diag([1.0, 1.0, 1.0, 1.0])),
        sigma=0.5,
        grid=[0.0, 1.0, 2.0],
    )
    peak = 1 / (0.5 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(result.density, peak * np.exp([-2.0, 0, -2]))
    assert (result.sigma, result.products) == (0.5, 4)


def net(seed=1):
    """Returns a small compiled net in float64 with a regularizer, and data."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(
        3, "tanh", kernel_regularizer=keras.regularizers.L2(0.01)
    )(inputs)
    x = keras.layers.BatchNormalization()(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    model.compile("sgd", testing.cross_entropy())
    return model


def dense_hessian(model, x, y):
    """Returns the Hessian by the backend itself, as one matrix."""

    def loss():
        return model.compute_loss(x, y, model(x, training=False))

    return engine.hessian(loss, model.trainable_variables)


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_networks_have_the_spectrum_of_their_dense_hessian(mode):
    x, y = testing.data(features=4)
    with testing.float64():
        model = net()
        # Batches of 9, 9 and 6.
        at = landscape.Landscape(model, x, y, batch_size=9, xla=mode == "xla")
        before = testing.values(model)
        hessian = dense_hessian(model, x, y)
        values = np.linalg.eigvalsh(hessian)
        assert values[0] < -1e-3
        for which, (_, order) in WHICH.items():
            result = landscape.eigenvalues(at, 2, which, tolerance=1e-7)
            assert result.converged
            np.testing.assert_allclose(result.values, order(values)[:2], 1e-9)
        check_trace(at, hessian, draws=8)
        result = landscape.spectral_density(at, draws=1)
        np.testing.assert_allclose(
            [result.nodes.min(), result.nodes.max()], values[[0, -1]], 1e-9
        )
        for path, value in testing.values(model).items():
            np.testing.assert_array_equal(value, before[path])


def test_two_replicas_have_the_spectrum_of_the_dense_hessian():
    x, y = testing.data(features=4)
    with testing.float64():
        hessian = dense_hessian(net(), x, y)
        with engine.two_devices():
            model = net()
        # Replicas get 8 and 7 examples, then 5 and 4.
        at = landscape.Landscape(model, x, y, batch_size=15)
        result = landscape.eigenvalues(at, tolerance=1e-4)
        values = np.linalg.eigvalsh(hessian)
        # The error of a value is about the square of the residual.
        np.testing.assert_allclose(result.values, values[-1:], 1e-7)
        check_trace(at, hessian, draws=2)


def check_trace(at, hessian, draws):
    result = landscape.trace(at, draws=draws, tolerance=0.0)
    random = np.random.default_rng(0)
    signs = 2.0 * random.integers(0, 2, (draws, len(hessian))) - 1
    expected = [s @ hessian @ s for s in signs]
    np.testing.assert_allclose(result.samples, expected, 1e-9)


def test_the_weights_are_an_argument():
    x, y = testing.data(features=4)
    with testing.float64():
        model = net()
        at = landscape.Landscape(model, x, y)
        params = [1.5 * w for w in at.params]
        result = landscape.eigenvalues(at, params=params, tolerance=1e-6)
        for variable, value in zip(at.variables, params):
            variable.assign(value)
        expected = np.linalg.eigvalsh(dense_hessian(model, x, y))[-1]
        np.testing.assert_allclose(result.values, [expected], rtol=1e-6)


MEASURES = {
    "eigenvalues": lambda at, **k: landscape.eigenvalues(
        at, tolerance=0.0, **k
    ),
    "trace": lambda at, **k: landscape.trace(at, draws=40, **k),
    "spectral_density": lambda at, **k: landscape.spectral_density(
        at, draws=3, **k
    ),
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_the_same_seed_gives_the_same_result(measure):
    at = quadratic(SPECTRA["spread"])
    first, same, other = (measure(at, seed=s) for s in (5, 5, 6))
    array = "weights" if hasattr(first, "weights") else "residuals"
    array = "samples" if hasattr(first, "samples") else array
    first, same, other = (getattr(r, array) for r in (first, same, other))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_progress(measure):
    calls = []
    result = measure(
        quadratic(SPECTRA["spread"]), progress=lambda *of: calls.append(of)
    )
    assert result.complete
    total = calls[0][1]
    assert calls == [(i + 1, total) for i in range(result.products)]
    assert result.products <= total


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("products", [1, 6, 50])
def test_an_interruption_keeps_what_there_is(measure, products):
    at = quadratic(SPECTRA["spread"])
    whole = measure(at)
    if products > whole.products:
        return

    def interrupt(done, total):
        if done == products:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="nterrupted"):
        result = measure(at, progress=interrupt)
    assert (result.complete, result.products) == (False, products)
    if isinstance(result, landscape.Trace):
        np.testing.assert_array_equal(result.samples, whole.samples[:products])
    elif isinstance(result, landscape.SpectralDensity):
        np.testing.assert_allclose(result.weights.sum(), 1)
        assert len(result.nodes) == min(products, 40)
    else:
        limited = landscape.eigenvalues(at, tolerance=0.0, iterations=products)
        np.testing.assert_array_equal(result.values, limited.values)
        assert not result.converged


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_an_interruption_before_the_first_product_is_one(measure):
    at = quadratic(SPECTRA["spread"])

    def interrupt(params, vector):
        raise KeyboardInterrupt

    at.hessian_vector_product = interrupt
    with pytest.raises(KeyboardInterrupt):
        measure(at)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_products_must_be_finite(measure, value):
    at = quadratic(SPECTRA["spread"])
    at.matrix[-1, -1] = value
    with pytest.raises(FloatingPointError, match=r"in the weights \[1\] of 2"):
        measure(at)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_params_must_fit(measure):
    at = quadratic(SPECTRA["spread"])
    with pytest.raises(ValueError, match="`params` must have the shapes"):
        measure(at, params=at.params[:1])
    with pytest.raises(ValueError, match="must have trained weights"):
        measure(Quadratic(np.zeros((0, 0))))
    with pytest.raises(TypeError, match="`progress` must be"):
        measure(at, progress="bar")


@pytest.mark.parametrize(
    ("measure", "arguments", "error", "message"),
    [
        ("eigenvalues", {"k": 0}, ValueError, "`k` must be at least 1"),
        ("eigenvalues", {"k": 41}, ValueError, "the number of weights, 40"),
        ("eigenvalues", {"k": 1.0}, TypeError, "`k` must be an integer"),
        (
            "eigenvalues",
            {"k": 9, "iterations": 8},
            ValueError,
            "`k` must be at most `iterations`, 8",
        ),
        ("eigenvalues", {"which": "LA"}, ValueError, "`which` must be one of"),
        ("eigenvalues", {"iterations": 0}, ValueError, "at least 1"),
        ("eigenvalues", {"block_size": 101}, ValueError, "`block_size`"),
        ("eigenvalues", {"tolerance": -1}, ValueError, "`tolerance`"),
        ("eigenvalues", {"seed": -1}, ValueError, "`seed`"),
        ("trace", {"draws": 0}, ValueError, "`draws`"),
        ("trace", {"tolerance": np.nan}, ValueError, "`tolerance`"),
        ("spectral_density", {"draws": 0}, ValueError, "`draws`"),
        ("spectral_density", {"iterations": 0}, ValueError, "`iterations`"),
        ("spectral_density", {"sigma": 0.0}, ValueError, "`sigma`"),
        ("spectral_density", {"grid": [1, 0]}, ValueError, "`grid`"),
        ("spectral_density", {"grid": []}, ValueError, "`grid`"),
        ("spectral_density", {"grid": [0, np.inf]}, ValueError, "`grid`"),
    ],
)
def test_bad_arguments(measure, arguments, error, message):
    at = quadratic(SPECTRA["spread"])
    functions = {
        "eigenvalues": landscape.eigenvalues,
        "trace": landscape.trace,
        "spectral_density": landscape.spectral_density,
    }
    with pytest.raises(error, match=message):
        functions[measure](at, **arguments)
    assert at.products == 0


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
