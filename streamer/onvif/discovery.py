"""Asking all networks which cameras there are, and collecting what they answer."""

import random
import select
import socket
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from streamer.onvif.interfaces import GROUP, PORT, Interface
from streamer.onvif.markup import Unreadable
from streamer.onvif.matching import Answer, probe, read_answers

COLLECT_S = 3.0  # a camera waits up to APP_MAX_DELAY, 500 ms, with its answer (WS-Discovery, section 2.4)
# SOAP-over-UDP (September 2004), appendix I: the same message again, after a random time that doubles.
SENT_TIMES = 4
FIRST_DELAY_S, LONGEST_DELAY_S = (0.05, 0.25), 0.5
MOST_DEVICES = 64
# One that floods is not heard any more, and the others are. Each may answer each copy of the question.
MOST_OF_A_HOST, DEVICES_OF_A_HOST = 16, 8
MOST_READ = 4096  # datagrams that are looked into, of all hosts
LARGEST_DATAGRAM = 65_536


@dataclass(frozen=True, slots=True)
class Search:
    """What came of a search."""

    asked: tuple[Interface, ...]  # that the question could be sent on
    answers: tuple[Answer, ...]  # in order of address
    unreadable: int  # datagrams that were no answer


def search(
    networks: Sequence[Interface],
    seconds: float = COLLECT_S,
    to: tuple[str, int] = (GROUP, PORT),
) -> Search:
    """Ask for cameras on each network, over IPv4, and collect answers for so long. Blocks.

    A camera counts once for each host that it answers from: cheap ones share what should be unique.
    """
    message_id = str(uuid.uuid4())
    question = probe(message_id)
    found: dict[tuple[str, str], Answer] = {}
    heard: Counter[str] = Counter()
    unreadable = 0
    with ExitStack() as stack:
        sockets = {}
        for network in networks:
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            if _turned(sock, network) and _sent(sock, question, to):
                sockets[sock] = network
        for data, host in _datagrams(list(sockets), question, to, seconds):
            if heard[host] == MOST_OF_A_HOST:
                continue
            heard[host] += 1
            if heard.total() > MOST_READ:
                break
            try:
                answers = read_answers(data, host, message_id)
            except Unreadable:
                unreadable += 1
                continue
            for answer in answers:
                if sum(one.host == host for one in found.values()) < DEVICES_OF_A_HOST:
                    found.setdefault((answer.endpoint or answer.url, host), answer)
    answers = sorted(found.values(), key=lambda one: (_number(one.host), one.url))[:MOST_DEVICES]
    return Search(tuple(sockets.values()), tuple(answers), unreadable)


def _turned(sock: socket.socket, network: Interface) -> bool:
    """Have it ask on that network and no farther; False where that has just gone."""
    sock.setblocking(False)
    try:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(network.address))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    except OSError:
        return False
    return True


def _sent(sock: socket.socket, question: bytes, to: tuple[str, int]) -> bool:
    try:
        sock.sendto(question, to)
    except OSError:  # the network went down, or may not be used
        return False
    return True


def _datagrams(
    sockets: Sequence[socket.socket], question: bytes, to: tuple[str, int], seconds: float
) -> Iterator[tuple[bytes, str]]:
    """What comes until the time is over, with the host that it came from. The question is asked again."""
    now = time.monotonic()
    end, delay, copies = now + seconds, random.uniform(*FIRST_DELAY_S), 1
    again = now + delay
    poll = select.poll()
    by_number = {sock.fileno(): sock for sock in sockets}
    for number in by_number:
        poll.register(number, select.POLLIN)
    while by_number and now < end:
        until = min(end, again) if copies < SENT_TIMES else end
        for number, _ in poll.poll(max(0.0, until - now) * 1000):
            try:
                data, (host, _port) = by_number[number].recvfrom(LARGEST_DATAGRAM)
            except OSError:  # an ICMP error of another datagram
                continue
            yield data, str(host)
        now = time.monotonic()
        if now >= again and copies < SENT_TIMES:
            for sock in sockets:
                _sent(sock, question, to)
            copies += 1
            delay = min(2 * delay, LONGEST_DELAY_S)
            again = now + delay


def _number(host: str) -> bytes:
    return socket.inet_aton(host)
