"""How long a batch may wait for more cameras to join."""

# Pictures of cameras that share a clock, and those after a burst on the network, come within this.
TOGETHER_S = 0.002


def joining_s(execution_s: float) -> float:
    """How long to wait for others after the first frame, where the device has nothing to do.

    execution_s: what a batch takes on the device; 0 where that is not known yet. Waiting longer than
    half of it costs the first frame more than it can save the next one, which otherwise waits for
    the device. While the device is busy nobody waits at all: batches fill by themselves meanwhile.
    """
    return min(execution_s / 2, TOGETHER_S)
