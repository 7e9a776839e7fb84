"""VidGear's CamGear, which reads in a thread of its own, and ONNX Runtime."""

import importlib

from benchmarks.contenders.hand import Hand, given
from benchmarks.contenders.network import Network


def main() -> None:
    weights, seconds, sources = given()
    network = Network(weights)
    gear = importlib.import_module("vidgear.gears").CamGear
    cameras = [gear(source=source, logging=False).start() for source in sources]
    with Hand(seconds) as hand:
        more = True
        while more:
            for number, camera in enumerate(cameras):
                pixels = camera.read()
                more = pixels is not None and hand.take(number, pixels, network.boxes(pixels))
                if not more:
                    break
    for camera in cameras:
        camera.stop()


if __name__ == "__main__":
    main()
