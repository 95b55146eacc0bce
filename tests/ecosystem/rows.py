"""A row of the table: runs the checks of a subject, keeps what they say."""

import time
import traceback

import keras

from tests.ecosystem import checks
from tests.ecosystem import files
from tests.ecosystem import measures

COLUMNS = {
    "plain equal": checks.Checks.plain_equal,
    "SAM": checks.Checks.sam,
    "n = 3, mean": checks.Checks.several,
    "save, load": files.saved,
    "export": files.exported,
}


class Row:
    """What the checks of a subject say.

    Attributes:
        name: String, the subject.
        faults: List of strings, a message of each check that failed.
    """

    def __init__(self, subject):
        start = time.process_time()
        keras.config.set_floatx(subject.dtype)
        keras.config.set_dtype_policy(subject.dtype)
        self.name, self._package = subject.name, subject.package
        self.faults, self._said = [], {}
        found = checks.Checks(subject)
        self._parameters = self._try(
            "plain Keras", checks.Checks.parameters, found
        )
        trains = not self.faults
        for column, check in COLUMNS.items():
            self._said[column] = (
                self._try(column, check, found) if trains else "not run"
            )
        self._remarks = "; ".join(found.remarks)
        self._seconds = time.process_time() - start

    def _try(self, column, check, found):
        """Returns what a check says; keeps the message if it fails."""
        try:
            return check(found)
        except Exception as error:
            traceback.print_exc(limit=-5)
            self.faults.append(f"{column}: {measures.short(error)}")
            return "fails"

    def cells(self):
        """Returns the texts of the table's columns."""
        return [
            self.name,
            self._package,
            self._parameters,
            *self._said.values(),
            f"{self._seconds:.0f}",
            self._remarks,
        ]
