"""What several workers of one training do together.

agree(strategy, facts)      all workers compare facts, and wait
is_chief(strategy)          whether this worker writes for all
on_chief(strategy, f)       what a function returns on the first worker
writing(strategy, path)     a place to write, one file for all; whole weights
"""

from keras_sam._backend import replicas
from keras_sam._training import agreement

agree = agreement.agree
is_chief = replicas.is_chief
on_chief = agreement.on_chief
writing = agreement.writing

__all__ = ["agree", "is_chief", "on_chief", "writing"]
