"""Whether the climbs of a short look say which radius to train with."""
