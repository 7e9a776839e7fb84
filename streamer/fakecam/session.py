"""One client's RTSP connection, and the session that lives and ends with it."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from streamer.fakecam.camera import Camera
from streamer.fakecam.delivery import Datagrams, Delivery, Interleaved
from streamer.fakecam.gate import Gate
from streamer.fakecam.message import BadRequest, Request, read_request, reply
from streamer.fakecam.sdp import CONTROL, describe
from streamer.serving.listening import PortPair, port_pair

SILENCE_S = 60.0  # a client that says nothing for so long, not even by RTCP, is gone
GOODBYE_S = 2.0  # for the last words to leave


class _CutError(Exception):
    """The camera refuses: close without a word."""


class Connection:
    """Answers one client's requests, in order, until it leaves. A session is one camera's stream."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        cameras: Mapping[str, Camera],
        gate: Gate | None,
        ports: PortPair,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._cameras = cameras  # by path
        self._gate = gate
        self._ports = ports
        self._nonce = Gate.new_nonce()
        self._camera: Camera | None = None
        self._session = ""
        self._track_url = ""
        self._delivery: Delivery | None = None
        self._playing = False
        self._deadline: asyncio.Timeout | None = None
        self.rtcp_address: Any = None  # where a client's reports over UDP come from

    async def run(self) -> None:
        """Serve until the client leaves, misbehaves, is silent too long or is cut off."""
        try:
            while True:
                async with asyncio.timeout(SILENCE_S) as self._deadline:
                    request = await read_request(self._reader)
                    if request is not None:
                        self._answer(request)
                        await self._writer.drain()
                    await asyncio.sleep(0)  # the cameras' turn: nothing above waits for who asks on and on
        except BadRequest:
            self._writer.write(reply(400, {"Connection": "close"}))
        except (_CutError, TimeoutError, asyncio.IncompleteReadError, OSError):
            pass  # whatever it was, the client is to be let go now
        finally:
            self._let_go()
            await self._close()

    def abort(self) -> None:
        """Cut the connection off; what was not sent is thrown away."""
        self._leave()
        self._writer.transport.abort()

    def heard(self) -> None:
        """The client gave a sign of life beside the connection."""
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + SILENCE_S)

    def _answer(self, request: Request) -> None:
        if self._playing and self._camera is not None and self._camera.faults.hang:
            return
        respond: Callable[[Request], bytes] | None = {
            "OPTIONS": self._options,
            "DESCRIBE": self._describe,
            "SETUP": self._setup,
            "PLAY": self._play,
            "TEARDOWN": self._teardown,
            "GET_PARAMETER": self._keep_alive,
            "SET_PARAMETER": self._keep_alive,
        }.get(request.method)
        if respond is None:
            self._writer.write(self._reply(request, 501))
        elif self._may(request):
            self._writer.write(respond(request))
            if request.method == "PLAY" and self._playing and self._camera and self._delivery:
                self._camera.join(self._delivery)  # after the reply, which has to come first
        else:
            challenges = Gate.challenges(self._nonce)
            self._writer.write(reply(401, {"CSeq": request.cseq}, more=challenges))

    def _may(self, request: Request) -> bool:
        if self._gate is None or request.method == "OPTIONS":
            return True
        return self._gate.admits(request, self._nonce)

    def _reply(self, request: Request, status: int, headers: Mapping[str, str] | None = None) -> bytes:
        session = {"Session": f"{self._session};timeout={SILENCE_S:.0f}"} if self._session else {}
        return reply(status, {"CSeq": request.cseq} | session | dict(headers or {}))

    def _about(self, request: Request) -> Camera | None:
        """The camera of the request's address; the connection counts as one of its viewers then."""
        camera = self._cameras.get(request.path.removesuffix(f"/{CONTROL}"))
        if camera is not None and camera.faults.refuse:
            raise _CutError
        if camera is not None and not self._session:
            self._watch(camera)
        return camera

    def _watch(self, camera: Camera | None) -> None:
        if self._camera is not None:
            self._camera.viewers.discard(self)
        self._camera = camera
        if camera is not None:
            camera.viewers.add(self)

    def _options(self, request: Request) -> bytes:
        self._about(request)
        methods = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
        return self._reply(request, 200, {"Public": methods})

    def _describe(self, request: Request) -> bytes:
        camera = self._about(request)
        if camera is None:
            return self._reply(request, 404)
        head = {
            "CSeq": request.cseq,
            "Content-Base": request.url.rstrip("/") + "/",
            "Content-Type": "application/sdp",
        }
        return reply(200, head, body=describe(f"cam{camera.index}", camera.clip))

    def _setup(self, request: Request) -> bytes:
        camera = self._about(request)
        if camera is None:
            return self._reply(request, 404)
        if self._session:
            return self._reply(request, 455)
        for wanted in request.headers.get("transport", "").split(","):
            agreed = self._agree(wanted.strip())
            if agreed:
                self._session = secrets.token_hex(8)
                self._track_url = request.url
                return self._reply(request, 200, {"Transport": agreed})
        return self._reply(request, 461)

    def _agree(self, wanted: str) -> str | None:
        """Open the way that a Transport header asks for; None where it cannot be had."""
        protocol, *parameters = wanted.split(";")
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        if "multicast" in given:
            return None
        if protocol == "RTP/AVP/TCP":
            first, second = port_pair(given.get("interleaved", "0-1")) or (256, 256)
            if max(first, second) > 255:
                return None
            self._delivery = Interleaved(self._writer.transport, (first, second))
            return f"RTP/AVP/TCP;unicast;interleaved={first}-{second}"
        ports = port_pair(given.get("client_port", ""))
        if protocol not in ("RTP/AVP", "RTP/AVP/UDP") or ports is None or min(ports) < 1:
            return None
        # Only ever to who asks: `destination` would make the camera flood somebody else.
        host, _, *scope = self._writer.get_extra_info("peername")
        self.rtcp_address = (host, ports[1], *scope)
        self._delivery = Datagrams(self._ports, (host, ports[0], *scope), self.rtcp_address)
        mine = self._ports.numbers
        return f"{protocol};unicast;client_port={ports[0]}-{ports[1]};server_port={mine[0]}-{mine[1]}"

    def _play(self, request: Request) -> bytes:
        if not self._is_mine(request) or self._camera is None:
            return self._reply(request, 454)
        self._about(request)
        self._playing = True
        sequence, timestamp = self._camera.next_packet
        info = f"url={self._track_url};seq={sequence};rtptime={timestamp}"
        return self._reply(request, 200, {"Range": "npt=now-", "RTP-Info": info})

    def _teardown(self, request: Request) -> bytes:
        if not self._is_mine(request):
            return self._reply(request, 454)
        self._let_go()
        return self._reply(request, 200)

    def _keep_alive(self, request: Request) -> bytes:
        known = "session" not in request.headers or self._is_mine(request)
        return self._reply(request, 200 if known else 454)

    def _is_mine(self, request: Request) -> bool:
        named = request.headers.get("session", "").partition(";")[0].strip()
        return bool(self._session) and named == self._session

    def _leave(self) -> None:
        if self._camera is not None and self._delivery is not None:
            self._camera.leave(self._delivery)

    def _let_go(self) -> None:
        self._leave()
        self._watch(None)
        self._delivery = self.rtcp_address = None
        self._session = ""
        self._playing = False

    async def _close(self) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            self._writer.close()
            async with asyncio.timeout(GOODBYE_S):
                await self._writer.wait_closed()
        self._writer.transport.abort()
