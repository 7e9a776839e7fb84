"""Cameras that fail on purpose, and what the pipeline made of it, beside a run in which nothing fails.

    scenario.py   what is to happen            reading.py   a YAML file as a scenario
    steps.py      its faults in order of time, each told to whom it is about
    processes.py  the test camera and the bad network, in processes of their own
    ways.py       what runs in the process of the bad network
    orders.py     what they are told, one after the other, without being waited for
    witness.py    notes what came out of the pipeline and when
    passing.py    one pass: the pipeline runs, faults happen on time
    account.py    what one pass was like, camera by camera
    trial.py      all of it: control, faults, control again

Not imported by `import streamer`, for it needs YAML, a decoder and an encoder.
"""

from streamer.chaos.reading import read_scenario
from streamer.chaos.scenario import Fault, Scenario, Scene
from streamer.chaos.trial import Trial, try_out

__all__ = ["Fault", "Scenario", "Scene", "Trial", "read_scenario", "try_out"]
