"""The programs of `make bench`: each figure beside the raw limit of the same machine in the same run."""
