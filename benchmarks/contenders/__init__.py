"""Programs that are timed beside each other. Each runs alone in a process, as its users would write it.

    python -m benchmarks.contenders.NAME WEIGHTS SECONDS SOURCE...

They read live RTSP cameras or a file, and say of each result when it was in hand and which frame it
was about (hand.py). Only `ours` imports Freshframe's pipeline; the others import of Freshframe what
reads a watermark, and run in an environment of their own.
"""
