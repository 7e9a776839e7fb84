"""The usual loop: `cv2.VideoCapture`, ONNX Runtime, one camera after the other."""

from typing import Any

import cv2

from benchmarks.contenders.hand import Hand, given
from benchmarks.contenders.network import Network


def main() -> None:
    weights, seconds, sources = given()
    network = Network(weights)
    captures: list[Any] = [cv2.VideoCapture(source) for source in sources]
    with Hand(seconds) as hand:
        more = True
        while more:
            for camera, capture in enumerate(captures):
                there, pixels = capture.read()
                more = there and hand.take(camera, pixels, network.boxes(pixels))
                if not more:
                    break


if __name__ == "__main__":
    main()
