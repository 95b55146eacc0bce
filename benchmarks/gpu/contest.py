"""Libraries compile at the same time, and take turns network by network."""

import itertools
import random
import threading
import time

# Seconds that an answer may be late before its process is ended.
GRACE = 15


def prepare(libraries, *arguments):
    """Compiles in all libraries at once.

    Args:
        libraries: List of `racing.Library`.
        *arguments: Arguments of `Library.prepare`.
    """
    threads = [
        threading.Thread(target=library.prepare, args=arguments)
        for library in libraries
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def race(libraries, end, seconds, rounds, note):
    """Lets the libraries of each network take turns, in its share of the time.

    Then their processes end, and the next network has the memory.

    Args:
        libraries: List of `racing.Library`, those of a network side by side.
        end: When to end, in `time.monotonic()`.
        seconds: Float, about how long a turn takes.
        rounds: Int, if there is time.
        note: Function that is called after each round.
    """
    groups = [
        list(group)
        for _, group in itertools.groupby(
            libraries, key=lambda x: (x.network, x.precision)
        )
    ]
    for number, group in enumerate(groups):
        now = time.monotonic()
        share = now + max(0, end - now) / (len(groups) - number)
        _race(group, share, seconds, rounds, note)
        for library in group:
            library.close()


def _race(group, end, seconds, rounds, note):
    turns = []
    for library in group:
        for method in library.ready:
            if time.monotonic() < end:
                library.warm(method, end + GRACE)
                turns.append((library, method))
    order = random.Random(0)
    for number in range(rounds):
        if number:  # The first round has the important methods first.
            order.shuffle(turns)
        begun = False
        for library, method in turns:
            if time.monotonic() + library.expected(method, seconds) <= end:
                begun |= library.turn(method, seconds, end + GRACE)
        note()
        if not begun:
            return
