"""RTSP cameras read with plain sockets: what comes is known packet by packet, and nothing hangs.

waiting.py     one poll for everything that is open, ended at once by a stop from outside
place.py       where a camera is, without the password      auth.py    Basic and Digest
message.py     requests and replies, with bounds            sdp.py     which video it has
connection.py  messages and packets out of one socket       dial.py    connecting, hedged
session.py     DESCRIBE to PLAY                             udp.py     a pair of ports
rtp.py         packets, time stamps                         order.py   sequence numbers: what was lost
rtcp.py        reports both ways                            nal.py     NAL units of H.264 and H.265
units.py       packets to access units, whole or not        playing.py all of it, while it plays
timing.py      when each picture was taken

Sources: RFC 2326 and 7826 (RTSP), 8866 (SDP), 3550 (RTP), 6184 (H.264), 7798 (H.265), 2617 and 7616 (Digest).
Nothing here decodes; all of it runs in the camera's thread.
"""
