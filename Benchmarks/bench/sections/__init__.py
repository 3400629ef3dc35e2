"""The sections of a run, each of which can also be run alone."""
