"""What is wrong here, and with a camera; each thing with what to do about it.

A source:      probing    connects and watches for some seconds ─▶ report, a value
               listening  what a network source gets, or a file has, undecoded ─▶ gathered
               flow       compressed pictures counted ─▶ rates, keyframes, jitter
               header     profile and announced rate, out of a keyframe or a container
               advice, video_advice  what it means   settings  a configuration for it
This machine:  examination  section by section; nothing that is broken ends it
               machine/     a file for each section
Both:          finding    one line, its mark, what to do   wording  amounts and names

Nothing here sends or fetches anything, but for the one connection to the source that was named.
"""

from streamer.doctor.probing import Probe, probe
from streamer.doctor.report import Report

__all__ = ["Probe", "Report", "probe"]
