"""Lanczos's method, from several vectors at once.

SciPy's `eigsh` returns only the outermost eigenvalues. It returns neither
residuals nor what spectral densities need, and nothing if it is interrupted. It
starts from one vector and may miss copies of an eigenvalue. So a dependency on
SciPy is not worth its cost. The tests compare with `eigsh`.
"""

from collections.abc import Callable

import numpy as np

# Relative to a vector from which the basis is subtracted: about the rounding
# errors of float64 over many weights.
_NEGLIGIBLE = 1e-10


class Lanczos:
    """Projects a symmetric operator onto a growing Krylov space.

    The basis is kept, and orthogonalized in full, twice, in float64. A space
    that starts from b vectors finds up to b copies of an eigenvalue.

    Args:
        product: Function from a float64 vector to its image.
        starts: Float64 array of shape (vectors, size).
        room: Int, the number of vectors that the basis may have.

    Attributes:
        size: Int, the number of vectors in the basis. The operator has
            multiplied each of them once.

    Reference: Golub and Van Loan, Matrix Computations, chapter 10 (the method,
    not this code).
    """

    def __init__(
        self,
        product: Callable[[np.ndarray], np.ndarray],
        starts: np.ndarray,
        room: int,
    ) -> None:
        room = min(room, starts.shape[1])
        self.size = 0
        self._product = product
        self._basis = np.empty((room, starts.shape[1]))
        self._projection = np.zeros((room, room))
        self._starts = [start / np.linalg.norm(start) for start in starts]
        # {index of a basis vector: the part of its image outside the basis}.
        self._rests: dict[int, np.ndarray] = {}
        self._scale = 0.0

    def started(self) -> bool:
        """Whether all vectors to start from are in the basis."""
        return not self._starts

    def grow(self) -> bool:
        """Adds one vector to the basis, if there is another.

        If the product raises an error, the space is as before.

        Returns:
            Whether a vector was added.
        """
        vector = self._next() if self.size < len(self._basis) else None
        if vector is None:
            return False
        image, size = self._product(vector), self.size
        self._basis[size] = vector
        rest, column = self._outside(image, size + 1)
        for other in self._rests.values():
            other -= (other @ vector) * vector
        # An interruption before this line leaves the space as it was.
        self._drop()
        self._rests[size] = rest
        self._projection[: size + 1, size] = column
        self._projection[size, : size + 1] = column
        self._scale = max(self._scale, float(np.linalg.norm(image)))
        self.size = size + 1
        return True

    def ritz(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns Ritz values, their coordinates, and residual norms.

        Returns:
            values: Array of `size` approximate eigenvalues, ascending.
            coordinates: Array, each column a unit vector in the basis.
            residuals: Array of ||H v - value v||, up to the rounding errors of
                products.
        """
        projection = self._projection[: self.size, : self.size]
        values, coordinates = np.linalg.eigh(projection)
        rests = np.stack([*self._rests.values()])
        shares = coordinates[list(self._rests)]
        squares = np.sum(shares * (rests @ rests.T @ shares), axis=0)
        return values, coordinates, np.sqrt(np.maximum(squares, 0.0))

    def vectors(self, coordinates: np.ndarray) -> np.ndarray:
        """Returns the vectors of columns of coordinates, as rows."""
        return coordinates.T @ self._basis[: self.size]

    def _next(self) -> np.ndarray | None:
        """Returns the next basis vector, or None if the space is invariant."""
        while True:
            scale = 1.0 if self._starts else self._scale
            rest, _ = self._outside(self._candidate(), self.size)
            length = np.linalg.norm(rest)
            if length > _NEGLIGIBLE * scale:
                # Again: the division by a short length magnifies errors.
                rest, _ = self._outside(rest / length, self.size)
                return rest / np.linalg.norm(rest)
            if not self._starts and len(self._rests) == 1:
                return None
            self._drop()

    def _candidate(self) -> np.ndarray:
        """Returns the vector that the next basis vector is made from."""
        return self._starts[0] if self._starts else self._rests[self._oldest()]

    def _drop(self) -> None:
        """Removes the candidate."""
        if self._starts:
            self._starts.pop(0)
        else:
            del self._rests[self._oldest()]

    def _oldest(self) -> int:
        return next(iter(self._rests))

    def _outside(
        self, vector: np.ndarray, size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the part of a vector outside the basis, and coordinates.

        Args:
            vector: Float64 array.
            size: Int, the number of basis vectors to subtract.
        """
        basis = self._basis[:size]
        first = basis @ vector
        vector = vector - first @ basis
        second = basis @ vector
        return vector - second @ basis, first + second
