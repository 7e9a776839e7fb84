"""Freshframe, out of Python as the README shows it."""

from benchmarks.contenders.hand import Hand, given
from detectors.yolo import Yolo
from streamer import Camera, Pipeline, Result
from streamer.sources import open_source, parse_address


class Take:
    takes = Result
    backlog = 8  # of live cameras: what is timed is the result, not the reading of the watermark

    def __init__(self, hand: Hand) -> None:
        self._hand = hand

    def __enter__(self) -> "Take":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, result: Result) -> None:
        number = int(result.frame.camera.removeprefix("cam"))
        self._hand.take(number, result.frame.picture.bgr(), len(result.detections))


def main() -> None:
    weights, seconds, sources = given()
    pipeline = Pipeline()
    yolo = Yolo(weights)
    for number, source in enumerate(sources):
        pipeline.add(Camera(f"cam{number}", open_source(parse_address(source))), yolo)
    with Hand(seconds) as hand:
        pipeline.sink(Take(hand))
        with pipeline:
            while not hand.over.wait(0.2) and not pipeline.wait(0):
                pass
        if pipeline.error is not None:
            raise pipeline.error


if __name__ == "__main__":
    main()
