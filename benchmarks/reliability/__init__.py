"""What happens when cameras fail: one small file per question, each figure beside its peer or a control run.

    python -m benchmarks.reliability.silence      R1   how soon is it known that a camera says nothing?
    python -m benchmarks.reliability.coming_back  R2   camera back → first fresh frame, after any outage
    python -m benchmarks.reliability.blast        R3   what do the other cameras see of it?
    python -m benchmarks.reliability.stopping     R13  SIGINT, with every camera in any state
    python -m benchmarks.reliability.beside       R1 to R4 beside LoadStreams and a plain cv2 loop

Each takes `--quick`, which asks less of the same, and `--json FILE`. The cameras are `freshframe fakecam` in
processes of their own, on roads that can be spoilt (rig.py); the frames say themselves which they are.
"""
