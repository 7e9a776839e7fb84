"""One client's RTSP connection, and the session that lives and ends with it."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from streamer.fakecam.camera import Camera
from streamer.fakecam.delivery import Delivery
from streamer.fakecam.faults import Faults
from streamer.fakecam.gate import Gate
from streamer.fakecam.message import BadRequest, Request, read_request, reply
from streamer.fakecam.outlet import Outlet
from streamer.fakecam.sdp import CONTROL, describe
from streamer.fakecam.transport import agree
from streamer.serving.listening import PortPair

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
        self._outlet = Outlet(writer.transport)
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
                async with asyncio.timeout(self._patience_s()) as self._deadline:
                    request = await read_request(self._reader)
                    if request is not None:
                        self._answer(request)
                        await self._writer.drain()
                    await asyncio.sleep(0)  # the cameras' turn: nothing above waits for who asks on and on
        except BadRequest:
            if not self._faults.mute:
                self._outlet.write(reply(400, {"Connection": "close"}))
        except (_CutError, TimeoutError, asyncio.IncompleteReadError, OSError):
            pass  # whatever it was, the client is to be let go now
        finally:
            self._let_go()
            await self._close()

    def abort(self) -> None:
        """Cut the connection off; what was not sent is thrown away."""
        self._leave()
        self._outlet.abort()

    def reset(self) -> None:
        """Cut the connection off with a TCP reset."""
        self._leave()
        self._outlet.reset()

    def faults_changed(self) -> None:
        """The camera fails in another way from now on, or no longer."""
        self._outlet.trickle(self._faults.trickle)
        self.heard()

    def heard(self) -> None:
        """The client gave a sign of life beside the connection."""
        if self._deadline is not None and not self._deadline.expired():
            patience_s = self._patience_s()
            now_s = asyncio.get_running_loop().time()
            self._deadline.reschedule(None if patience_s is None else now_s + patience_s)

    @property
    def _faults(self) -> Faults:
        return Faults() if self._camera is None else self._camera.faults

    def _patience_s(self) -> float | None:
        return None if self._faults.patient else SILENCE_S

    def _answer(self, request: Request) -> None:
        self._ask_about(request)
        faults = self._faults
        if faults.mute or (faults.hang and self._playing):
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
        if faults.deny or (respond is not None and not self._may(request)):
            challenges = Gate.challenges(self._nonce)
            self._outlet.write(reply(401, {"CSeq": request.cseq}, more=challenges))
        elif respond is None:
            self._outlet.write(self._reply(request, 501))
        else:
            self._outlet.write(respond(request))
            if request.method == "PLAY" and self._playing and self._camera and self._delivery:
                self._camera.join(self._delivery)  # after the reply, which has to come first

    def _may(self, request: Request) -> bool:
        if self._gate is None or request.method == "OPTIONS":
            return True
        return self._gate.admits(request, self._nonce)

    def _reply(self, request: Request, status: int, headers: Mapping[str, str] | None = None) -> bytes:
        session = {"Session": f"{self._session};timeout={SILENCE_S:.0f}"} if self._session else {}
        return reply(status, {"CSeq": request.cseq} | session | dict(headers or {}))

    def _named(self, request: Request) -> Camera | None:
        return self._cameras.get(request.path.removesuffix(f"/{CONTROL}"))

    def _ask_about(self, request: Request) -> None:
        """The connection counts as one of the viewers of the camera that it asks about."""
        camera = self._named(request)
        if camera is not None and camera.faults.refuse:
            raise _CutError
        if camera is not None and not self._session:
            self._watch(camera)

    def _watch(self, camera: Camera | None) -> None:
        if self._camera is not None:
            self._camera.viewers.discard(self)
        self._camera = camera
        if camera is not None:
            camera.viewers.add(self)
        self._outlet.trickle(self._faults.trickle)

    def _options(self, request: Request) -> bytes:
        methods = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
        return self._reply(request, 200, {"Public": methods})

    def _describe(self, request: Request) -> bytes:
        camera = self._named(request)
        if camera is None:
            return self._reply(request, 404)
        head = {
            "CSeq": request.cseq,
            "Content-Base": request.url.rstrip("/") + "/",
            "Content-Type": "application/sdp",
        }
        return reply(200, head, body=describe(f"cam{camera.index}", camera.clip, camera.faults.codec))

    def _setup(self, request: Request) -> bytes:
        camera = self._named(request)
        if camera is None:
            return self._reply(request, 404)
        if self._session:
            return self._reply(request, 455)
        peer = self._writer.get_extra_info("peername")
        agreed = agree(request.headers.get("transport", ""), self._outlet, peer, self._ports)
        if agreed is None:
            return self._reply(request, 461)
        self._delivery, self.rtcp_address = agreed.delivery, agreed.rtcp_address
        self._session = secrets.token_hex(8)
        self._track_url = request.url
        return self._reply(request, 200, {"Transport": agreed.header})

    def _play(self, request: Request) -> bytes:
        if not self._is_mine(request) or self._camera is None:
            return self._reply(request, 454)
        self._playing = True
        sequence, timestamp = self._camera.introduce()
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
        self._outlet.abort()
