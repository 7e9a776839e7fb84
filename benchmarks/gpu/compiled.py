"""The network as torch.compile makes it; in a process of its own, for it may take minutes.

    python -m benchmarks.gpu.compiled DEVICE BATCH HEIGHT WIDTH SECONDS

Writes pictures a second.
"""

import sys

from benchmarks.gpu import packed
from benchmarks.gpu.bare import Bare, pictures_per_s


def main() -> None:
    device, batch, height, width, seconds = sys.argv[1:]
    bare = Bare(packed.weights(), device)
    step = bare.compiled(int(batch), (int(height), int(width)))
    sys.stdout.write(f"{pictures_per_s(step, int(batch), float(seconds), bare.device)}\n")


if __name__ == "__main__":
    main()
