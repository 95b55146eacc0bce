"""The command line: `python -m keras_sam --help`."""

import sys

from keras_sam._command_line import parser

if __name__ == "__main__":
    sys.exit(parser.main())
