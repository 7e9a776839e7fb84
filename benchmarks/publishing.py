"""P11: what does the ZeroMQ sink reach beside bare pyzmq on ready-made bytes?

    .venv/bin/python -m benchmarks.publishing

A subscriber in a process of its own reads as fast as it can. Ours: `Publisher.write` with a result of ten
boxes. Peer, like with like: the same message is made and encoded, and a bare pyzmq socket sends
ready-made bytes, so that libzmq's own thread falls asleep and is woken as often as beside us. And for
the record the bare socket at full speed, where it never sleeps. In turn, five times.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import zmq

from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import Figures, Spread, interleaved, ratio
from sinks.publisher import Publisher
from streamer import Detections, Frame, ModelInfo, Quality, Result, Timing
from streamer.frame import ArrayPicture
from streamer.wire import encode, message, topic

MESSAGES = 20_000
GOAL, GOAL_CURVE, GOAL_ENCODING_US = 0.8, 0.6, 40.0
WAYS = {"": False, " (CURVE)": True}

READER = """
import sys, time, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.rcvhwm = 0
if len(sys.argv) > 3:
    socket.curve_serverkey, socket.curve_secretkey, socket.curve_publickey = (
        word.encode() for word in sys.argv[3:])
socket.connect(sys.argv[1])
socket.subscribe(b"")
print("ready", flush=True)
count = last_ns = 0
while count < int(sys.argv[2]) and socket.poll(2000):
    socket.recv()
    count += 1
    last_ns = time.monotonic_ns()
print(count, last_ns, flush=True)
while True:
    socket.recv()
"""


def result() -> Result:
    """Ten boxes in a 720p frame."""
    numbers = np.random.default_rng(1)
    corners = numbers.uniform(0, 600, (10, 2)).astype(np.float32)
    boxes = np.concatenate((corners, corners + numbers.uniform(20, 100, (10, 2)).astype(np.float32)), 1)
    score, class_id = numbers.uniform(0.3, 1, 10).astype(np.float32), numbers.integers(0, 2, 10, np.int32)
    seen = Detections(("person", "car"), boxes, score, class_id)
    picture = ArrayPicture(np.zeros((720, 1280, 3), np.uint8))
    now_ns = time.monotonic_ns()
    frame = Frame("gate", 0, 17, now_ns, now_ns, 0, None, True, Quality.FINE, picture)
    timing = Timing(now_ns, now_ns, now_ns, now_ns, now_ns)
    return Result(frame, seen, ModelInfo("yolo26n", "onnxruntime", 640, "fp32"), timing, {})


@contextmanager
def reading(address: str, *keys: bytes) -> "Iterator[subprocess.Popen[str]]":
    """A subscriber in a process of its own; it says so when it has got everything."""
    command = [sys.executable, "-c", READER, address, str(MESSAGES), *(key.decode() for key in keys)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def rate(send: Callable[[], object]) -> Figures:
    """Calls a second, and processor time of the calling thread for each, µs."""
    cpu_s, started = time.thread_time(), time.perf_counter()
    for _ in range(MESSAGES):
        send()
    took_s, cpu_s = time.perf_counter() - started, time.thread_time() - cpu_s
    return {"per_s": MESSAGES / took_s, "cpu_us": cpu_s / MESSAGES * 1e6}


def arriving(send: Callable[[], object], reader: "subprocess.Popen[str]") -> Figures:
    """Messages that arrive each second, and how many never do: our sink drops rather than wait."""
    started_ns = time.monotonic_ns()
    for _ in range(MESSAGES):
        send()
    assert reader.stdout is not None
    count, last_ns = map(int, reader.stdout.readline().split())
    return {"per_s": count / (last_ns - started_ns) * 1e9, "lost": float(MESSAGES - count)}


def bare(curve: bool, making: bool) -> Figures:
    """A pyzmq socket; with `making`, a message is made and encoded before each ready-made one is sent."""
    one = result()
    packet = topic("det", "gate") + encode(message(one, 1))
    server, server_secret = zmq.curve_keypair()
    client, client_secret = zmq.curve_keypair()
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.sndhwm, socket.linger = 0, 0
        if curve:
            socket.curve_server, socket.curve_secretkey = True, server_secret
        socket.bind("tcp://127.0.0.1:*")
        address = bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()

        def send() -> None:
            if making:
                encode(message(one, 1))
            socket.send(packet, zmq.NOBLOCK)

        with reading(address, *((server, client_secret, client) if curve else ())) as reader:
            socket.recv()  # the subscription
            return arriving(send, reader)


def ours(curve: bool) -> Figures:
    one = result()
    server, server_secret = zmq.curve_keypair()
    client, client_secret = zmq.curve_keypair()
    keys = {"secret_key": server_secret.decode(), "clients": [client.decode()]} if curve else None
    with Publisher("tcp://127.0.0.1:*", curve=keys) as publisher:
        nobody = rate(lambda: publisher.write(one))
        with reading(publisher.address, *((server, client_secret, client) if curve else ())) as reader:
            while publisher._wanted(topic("det", "gate")) is None:  # until the subscription is there
                assert publisher._socket is not None
                publisher._hear(publisher._socket)
            found = arriving(lambda: publisher.write(one), reader)
    making = rate(lambda: encode(message(one, 1)))
    return {
        **found,
        "making_us": making["cpu_us"],
        "for_nobody_us": nobody["cpu_us"],
    }


def main() -> None:
    args = arguments(__doc__).parse_args()
    contenders: dict[str, Callable[[], Figures]] = {}
    for suffix, curve in WAYS.items():
        contenders[f"bare pyzmq at full speed{suffix}"] = partial(bare, curve, False)
        contenders[f"bare pyzmq beside the same making{suffix}"] = partial(bare, curve, True)
        contenders[f"our sink{suffix}"] = partial(ours, curve)
    found = interleaved(contenders)
    rows = [[name, one["per_s"].text(0), "", one["lost"].text(0)] for name, one in found.items()]
    verdicts = []
    shares: dict[str, Spread] = {}
    for row, (suffix, curve) in zip(rows[2::3], WAYS.items(), strict=True):
        name, peer = f"our sink{suffix}", f"bare pyzmq beside the same making{suffix}"
        shares[name] = share = ratio(found[name]["per_s"], found[peer]["per_s"])
        row[2] = share.text(2)
        verdicts.append(verdict(f"{name} ÷ {peer}", share.median, "≥", GOAL_CURVE if curve else GOAL))
    mine = found["our sink"]
    making_us, nobody_us = mine["making_us"].median, mine["for_nobody_us"].median
    verdicts.append(verdict("a message made and encoded", making_us, "≤", GOAL_ENCODING_US, " µs", 1))
    verdicts.append(f"a result that nobody subscribed to costs {nobody_us:.1f} µs and is not encoded")
    finish(
        Report(
            "P11",
            "the ZeroMQ sink beside bare pyzmq (ten boxes, JSON, one subscriber over tcp)",
            ["", "arriving, messages/s", "ours ÷ bare", f"lost of {MESSAGES}"],
            rows,
            verdicts,
            {**found, "ratio": shares},
        ),
        args,
    )


if __name__ == "__main__":
    main()
