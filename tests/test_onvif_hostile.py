"""What a camera that means harm, or a login that nobody can send, does to whoever asks: nothing."""

import pytest
from onvif_camera import TR2, OnvifCamera, Stream, envelope, http, response

from streamer.errors import Cause, SourceError
from streamer.onvif import Device, Login, profiles


@pytest.mark.parametrize("token", ["a&#10;b", "a&#x9b;31mb", "a&#x202e;b", "&#x85;a b"])
def test_a_token_in_the_place_of_a_name_cannot_drive_a_terminal(token: str) -> None:
    """XML allows C1 controls, line feeds in attributes, and letters that turn others round."""
    encoder = "<tr2:Configurations><tr2:VideoEncoder/></tr2:Configurations>"
    told = f'<tr2:Profiles token="{token}">{encoder}</tr2:Profiles>'
    answer = http(envelope(response(TR2, "GetProfiles", told)))
    address = http(envelope(response(TR2, "GetStreamUri", "<tr2:Uri>rtsp://127.0.0.1/a</tr2:Uri>")))
    with OnvifCamera(user=None, instead={"GetProfiles": answer, "GetStreamUri": address}) as camera:
        (profile,) = profiles(Device(camera.url))
    assert profile.name.isprintable()
    assert profile.name.startswith("a")


@pytest.mark.parametrize("way", ["token", "http"])
@pytest.mark.parametrize(
    "login",
    [Login("admin", "s3cr\udcff"), Login("ad\rmin", "s3cr"), Login("a\0", "s3cr"), Login("a", "s3cr\n")],
)
def test_a_login_that_no_request_may_hold_is_a_sentence_and_is_not_sent(login: Login, way: str) -> None:
    with OnvifCamera([Stream("a", "rtsp://127.0.0.1/a")], way=way) as camera:
        with pytest.raises(SourceError, match="characters that no request may hold") as caught:
            profiles(Device(camera.url, login))
        assert camera.heard == []
    assert caught.value.cause is Cause.AUTH
    assert "s3cr" not in str(caught.value)
