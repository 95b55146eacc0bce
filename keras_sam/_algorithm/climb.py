"""The climb: from the weights to points of higher loss, step by step."""

from keras import ops

from keras_sam import _keras_internals
from keras_sam._algorithm import returned
from keras_sam._algorithm.ascent import Ascent
from keras_sam._backend import control_flow


class Path:
    """An iterator over the points z_1, ..., z_n of a climb from a point z_0.

        z_i = z_{i-1} + r * direction(g_{i-1}, z_{i-1})

    with r as in `ascent.STEP_LENGTHS`. "projected" then shortens z_i - w to the
    Euclidean length rho if it is longer. The climb evaluates a point when the
    iterator reaches it. The descent and the next step share the gradient there,
    unless they are on different examples.

    A descent that folds the points, or needs the last one only, calls `reduced`
    or `end`. The steps are then a loop of the compiled program, where loops are
    fast and the method allows them, see `method.Method.unrolled`.

    Args:
        method: `method.Method`.
        at: `objective.Objective`.
        clean: The `Point` z_0, `shared` by all replicas that climb together.
        weights: List of tensors, w.
        memory: The memory of the direction.
        gradient_at_end: Bool, whether the last point needs a gradient.
        evaluates_end: Bool, whether the last point needs more than its params.
        number: Int, the number of the climb within the train step.
        finite: List that gets a scalar bool for each gradient, or for all of a
            loop; or None for a new one.

    Attributes:
        memory: The memory of the direction after the steps so far.
        last: The last `Point` reached, or None before the first step.
    """

    def __init__(
        self,
        method,
        at,
        clean,
        weights,
        memory,
        gradient_at_end=True,
        evaluates_end=True,
        number=0,
        finite=None,
    ):
        self.memory, self.last = memory, None
        self._finite = at.finite(clean) if finite is None else finite
        self._first_memory, self._climbs = memory, 1
        self._method, self._at, self._clean = method, at, clean
        self._weights, self._ends = weights, (gradient_at_end, evaluates_end)
        self._ascent = Ascent(method, at, clean, weights, *self._ends, number)
        self._taken = 0

    def __iter__(self):
        return self

    def __next__(self):
        number = self._method.ascent_steps
        if self._taken == number:
            raise StopIteration
        self.last, self.memory = self._ascent(
            self._clean if self.last is None else self.last,
            self.memory,
            self._taken,
            at_end=self._taken + 1 == number,
        )
        # A point without a gradient has nothing that could overflow.
        self._finite += self._at.finite(self.last) if self.last.grads else []
        self._taken += 1
        return self.last

    def again(self):
        """Returns another `Path` from z_0, whose directions draw other numbers.

        It starts with the memory that this path has started with, and leaves
        none. `finite` of this path counts its gradients, too.
        """
        other = Path(
            self._method,
            self._at,
            self._clean,
            self._weights,
            self._first_memory,
            *self._ends,
            self._climbs,
            self._finite,
        )
        self._climbs += 1
        return other

    @property
    def finite(self):
        """A list of one scalar bool: whether all gradients so far are finite.

        The gradient at z_0 counts too. The list is empty without a loss scale.
        """
        return [ops.all(ops.stack(self._finite))] if self._finite else []

    def end(self):
        """Returns the last point of the whole climb."""
        self._looped(lambda carry, point: carry, ())
        for _ in self:
            pass
        return self._clean if self.last is None else self.last

    def reduced(self, visit, carry):
        """Returns what `visit(carry, point)` makes of a carry, at all points.

        Raises:
            ValueError: If `visit` returns a carry of another structure, or of
                other shapes or dtypes.
        """
        who = f"`visit` of {self._method.descent.who}"

        def visited(carry, point):
            return returned.carry(who, visit(carry, point), carry)

        carry = self._looped(visited, carry)
        for point in self:  # All points, or what the loop has left.
            carry = visited(carry, point)
        return carry

    def _looped(self, visit, carry):
        """Returns a carry after a loop over all steps that are alike.

        It returns the carry as it is, and takes no step, if the method or the
        backend unrolls its climbs.
        """
        if self._taken or self._method.unrolled:
            return carry

        def step(taken, carried):
            (point, _), memory, finite, carry = carried
            point, memory = self._ascent(point, memory, taken)
            both = zip(finite, self._at.finite(point), strict=True)
            finite = [ops.logical_and(a, b) for a, b in both]
            return _carried(point), memory, finite, visit(carry, point)

        clean, number = self._clean, self._ascent.alike
        first = _carried(clean), self.memory, self._at.finite(clean), carry
        after = control_flow.loop(number, step, first)
        if after is None:
            return carry
        (point, masks), self.memory, finite, carry = after
        _keras_internals.set_masks(point.y_pred, masks)
        self.last, self._taken = point, number
        self._finite += finite
        return carry


def _carried(point):
    """Returns (a point as a descent sees it, its masks), for a loop.

    A loop returns tensors without attributes, such as masks.
    """
    masks = _keras_internals.masks(point.y_pred)
    return point._replace(state=[], overwrites=[]), masks
