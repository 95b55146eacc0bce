"""Lanczos's method, from several vectors at once.

Of SciPy's `eigsh` only the largest eigenvalues are to be had, not what spectral
densities need, no residuals, and nothing of a computation that is interrupted;
from one vector it may also miss copies of an eigenvalue. So it is not worth a
dependency on SciPy; tests compare with it.
"""

import numpy as np

# Of what is subtracted, about the rounding errors of float64 in many weights.
_NEGLIGIBLE = 1e-10


class Lanczos:
    """Projects a symmetric operator onto a growing Krylov space.

    The basis is kept and is orthogonalized in full, twice, in float64. A space
    that starts from b vectors finds up to b copies of an eigenvalue.

    Args:
        product: Function from a float64 vector to its image.
        starts: Float64 array of shape (vectors, size).
        room: Int, how many vectors the basis may have.

    Attributes:
        size: Int, how many it has, each multiplied once.

    Reference: Golub and Van Loan, Matrix Computations, chapter 10 (the method,
    not this code).
    """

    def __init__(self, product, starts, room):
        room = min(room, starts.shape[1])
        self.size = 0
        self._product = product
        self._basis = np.empty((room, starts.shape[1]))
        self._projection = np.zeros((room, room))
        self._starts = [start / np.linalg.norm(start) for start in starts]
        # Of images, what is outside of the basis: {index: vector}.
        self._rests = {}
        self._scale = 0.0

    def started(self):
        """Whether all vectors to start from are in the basis."""
        return not self._starts

    def grow(self):
        """Adds one vector to the basis; returns whether there is another.

        Nothing has changed if the product raises an error.
        """
        vector = self._next() if self.size < len(self._basis) else None
        if vector is None:
            return False
        image, size = self._product(vector), self.size
        self._basis[size] = vector
        rest, column = self._outside(image, size + 1)
        for other in self._rests.values():
            other -= (other @ vector) * vector
        # An interrupt before this line leaves all as it was.
        self._drop()
        self._rests[size] = rest
        self._projection[: size + 1, size] = column
        self._projection[size, : size + 1] = column
        self._scale = max(self._scale, np.linalg.norm(image))
        self.size = size + 1
        return True

    def ritz(self):
        """Returns Ritz values, their coordinates, and residual norms.

        Returns:
            values: Array of `size` approximate eigenvalues, ascending.
            coordinates: Array, each column a unit vector in the basis.
            residuals: Array of ||H v - value v||, but for the rounding errors
                of products.
        """
        projection = self._projection[: self.size, : self.size]
        values, coordinates = np.linalg.eigh(projection)
        rests = np.stack([*self._rests.values()])
        shares = coordinates[list(self._rests)]
        squares = np.sum(shares * (rests @ rests.T @ shares), axis=0)
        return values, coordinates, np.sqrt(np.maximum(squares, 0.0))

    def vectors(self, coordinates):
        """Returns the vectors of columns of coordinates, as rows."""
        return coordinates.T @ self._basis[: self.size]

    def _next(self):
        """Returns the next basis vector, or None if the space is invariant."""
        while True:
            scale = 1.0 if self._starts else self._scale
            rest, _ = self._outside(self._candidate(), self.size)
            length = np.linalg.norm(rest)
            if length > _NEGLIGIBLE * scale:
                # Again, since dividing by a short length scales errors up.
                rest, _ = self._outside(rest / length, self.size)
                return rest / np.linalg.norm(rest)
            if not self._starts and len(self._rests) == 1:
                return None
            self._drop()

    def _candidate(self):
        """Returns what the next basis vector is made of."""
        return self._starts[0] if self._starts else self._rests[self._oldest()]

    def _drop(self):
        if self._starts:
            self._starts.pop(0)
        else:
            del self._rests[self._oldest()]

    def _oldest(self):
        return next(iter(self._rests))

    def _outside(self, vector, size):
        """Returns a vector less what the basis has of it, and that."""
        basis = self._basis[:size]
        first = basis @ vector
        vector = vector - first @ basis
        second = basis @ vector
        return vector - second @ basis, first + second
