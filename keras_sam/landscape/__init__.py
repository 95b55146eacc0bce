"""The loss of a model on a data set, as a function of its weights.

    landscape = keras_sam.landscape.Landscape(model, x, y)
    keras_sam.landscape.sharpness(landscape, rho=0.05).value

    sharpness, average_sharpness      how much it rises, at worst or on average
    path                              what a climb meets on its way
    line, plane, filter_normalized    losses around the weights, for pictures
    ascent_plane                      likewise, with a climb in the picture

Everything here leaves the model as it is, and works in evaluation mode unless
the landscape is told otherwise. Memory is a few copies of the weights, however
long a climb is. Long work takes `progress`, see `results.Work`; an interrupted
one returns what it has, with `complete` False.
"""

from keras_sam.landscape._ascent_plane import AscentPlane
from keras_sam.landscape._ascent_plane import ascent_plane
from keras_sam.landscape._batch import Patch
from keras_sam.landscape._density import SpectralDensity
from keras_sam.landscape._density import spectral_density
from keras_sam.landscape._eigenvalues import Eigenvalues
from keras_sam.landscape._eigenvalues import Trace
from keras_sam.landscape._eigenvalues import eigenvalues
from keras_sam.landscape._eigenvalues import trace
from keras_sam.landscape._filter_normalized import filter_normalized
from keras_sam.landscape._landscape import Landscape
from keras_sam.landscape._lines_and_planes import Line
from keras_sam.landscape._lines_and_planes import Plane
from keras_sam.landscape._lines_and_planes import line
from keras_sam.landscape._lines_and_planes import plane
from keras_sam.landscape._path import Path
from keras_sam.landscape._path import path
from keras_sam.landscape._sharpness import AverageSharpness
from keras_sam.landscape._sharpness import Sharpness
from keras_sam.landscape._sharpness import average_sharpness
from keras_sam.landscape._sharpness import sharpness

__all__ = [
    "AscentPlane",
    "AverageSharpness",
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
    "eigenvalues",
    "filter_normalized",
    "line",
    "path",
    "plane",
    "sharpness",
    "spectral_density",
    "trace",
]
