"""The loss of a model on a data set, as a function of its weights.

    from keras_sam import landscape

    at = landscape.Landscape(model, x, y)
    worst = landscape.sharpness(at, rho=0.05, ascent_steps=5)
    print(worst.value, worst.loss)
    print(landscape.path(at, rho=0.05).mean()["straightness"])

Each function answers one question about a `Landscape`:

    sharpness           How much can the loss rise within a radius?
    average_sharpness   How much does it rise on average, under random noise?
    path                What are losses and gradients along a climb, and how
                        much does the climb turn?
    climbs              How do climbs of several radii behave?
    line, plane         What is the loss along one direction, or two?
    filter_normalized   Which random direction is in scale with the weights?
    ascent_plane        Where do one step and several steps of a climb end?
    eigenvalues, trace  How curved is the loss, at most and in sum?
    spectral_density    How are the eigenvalues of the Hessian distributed?

`plot` draws their results with matplotlib (`pip install matplotlib`).

No function changes the model. All work in evaluation mode unless the
`Landscape` has `training=True`. The functions on climbs and grids need memory
for a few copies of the weights, however long the climb is. The functions on the
Hessian state their own need.

Most functions take `progress`: False for silence, True for a progress bar, or a
function of the number of finished items and their total (None if unknown). A
function that returns True ends the work. Ctrl-C also ends it, with a warning.
The result then holds the finished items, and its `complete` is False. Ctrl-C
before the first finished item raises KeyboardInterrupt.
"""

from keras_sam.landscape._ascent_plane import AscentPlane
from keras_sam.landscape._ascent_plane import ascent_plane
from keras_sam.landscape._average_sharpness import AverageSharpness
from keras_sam.landscape._average_sharpness import average_sharpness
from keras_sam.landscape._batch import Patch
from keras_sam.landscape._climbs import Climbs
from keras_sam.landscape._climbs import climbs
from keras_sam.landscape._density import SpectralDensity
from keras_sam.landscape._density import spectral_density
from keras_sam.landscape._eigenvalues import Eigenvalues
from keras_sam.landscape._eigenvalues import eigenvalues
from keras_sam.landscape._filter_normalized import filter_normalized
from keras_sam.landscape._landscape import Landscape
from keras_sam.landscape._lines_and_planes import Line
from keras_sam.landscape._lines_and_planes import Plane
from keras_sam.landscape._lines_and_planes import line
from keras_sam.landscape._lines_and_planes import plane
from keras_sam.landscape._path import Path
from keras_sam.landscape._path import path
from keras_sam.landscape._plot import plot
from keras_sam.landscape._sharpness import Sharpness
from keras_sam.landscape._sharpness import sharpness
from keras_sam.landscape._trace import Trace
from keras_sam.landscape._trace import trace

__all__ = [
    "AscentPlane",
    "AverageSharpness",
    "Climbs",
    "Eigenvalues",
    "Landscape",
    "Line",
    "Patch",
    "Path",
    "Plane",
    "Sharpness",
    "SpectralDensity",
    "Trace",
    "ascent_plane",
    "average_sharpness",
    "climbs",
    "eigenvalues",
    "filter_normalized",
    "line",
    "path",
    "plane",
    "plot",
    "sharpness",
    "spectral_density",
    "trace",
]
