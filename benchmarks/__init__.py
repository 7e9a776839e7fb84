"""How fast, how fresh, how dear: one small file per question, each beside its peer or its physical limit.

    python -m benchmarks              the short suite: P1, P2, P6, P8 (make bench)
    python -m benchmarks --full       all of them (make bench-full)
    python -m benchmarks.throughput   a single one; --help says what it measures

    throughput   P1   the pipeline beside the bare network with the same decode load
    peers        P2   ultralytics, a cv2 loop, VidGear, Roboflow inference: file, one and four live cameras
    decoding     P4   decoding N cameras beside PyAV alone
    own_cost     P5   what our own Python costs, by stage: CPU and interpreter lock
    freshness    P6   age at the start of inference, real cameras and network
    overload     P6, P7   the same with the oracle detector: 1 to 64 cameras, 1 to 100 times too much
    backlog      P6, R4  a link is throttled and released: when is it live again?
    delivery     P8   packet in → message at the subscriber
    timestamps   P9   delay of the decoder, truth of the times
    accuracy     P10  boxes and AP beside `predict`
    publishing   P11  the ZeroMQ sink beside bare pyzmq
    starting     P12  process start → first detection
    memory       P13  beside an idle process with the same imports
    motion       what `detect: on_motion` and `detect_fps` save, and what they miss
    gpu.run      P1, P2, P3, P8 on a CUDA device (docs/gpu.md)

What all of them have: rounds.py (A B B A), report.py (arguments, tables, JSON), clips.py (what is looked at),
alone.py (one frame with nothing beside it), environment.py (weights, peers), processes.py (/proc, ports).
"""
