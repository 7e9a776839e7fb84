"""`python -m streamer` is `freshframe`."""

from streamer.cli import program

if __name__ == "__main__":
    program()
