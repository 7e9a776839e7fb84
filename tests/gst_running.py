"""A camera that nobody here wrote, run beside a test: GStreamer's RTSP server."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import missing


@contextmanager
def gst_camera(*words: str) -> Iterator[str]:
    """Its URL. The words are those of gst_camera.py."""
    script = str(Path(__file__).with_name("gst_camera.py"))
    command = ["/usr/bin/python3", script, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline().split()
            if ready[:1] != ["ready"]:
                process.kill()
                missing(f"GStreamer's RTSP server does not start: {process.communicate()[1].strip()[-300:]}")
            yield f"{'rtsps' if '--tls' in words else 'rtsp'}://127.0.0.1:{ready[1]}/cam"
        finally:
            process.kill()
