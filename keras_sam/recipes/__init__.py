"""Published methods as rows of parts.

    print(recipes.RECIPES)               # all of them, as a table
    print(recipes.search("*sam*"))       # some of them
    SAM.from_recipe("gsam", model, rho=0.1)
    SAM(model, **recipes.RECIPES["gsam"].arguments)

Each row says what the method is for, who published it, where the rule was read,
and whose its numbers are. They are starting points at best: the radius depends
on the model and the data. The docstrings of the parts say what of a rule could
not be confirmed.
"""

from keras_sam.recipes._papers import Paper
from keras_sam.recipes._recipe import Recipe
from keras_sam.recipes._table import RECIPES
from keras_sam.recipes._table import find
from keras_sam.recipes._table import search

__all__ = ["RECIPES", "Paper", "Recipe", "find", "search"]
