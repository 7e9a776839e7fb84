"""What a machine is looked at for, a file for each section.

interpreter, processor, libraries, storage, engines, video_codecs, displays, usb_cameras   the sections
child       a process of its own for what may crash, hang or lie
imports     run there, as a file: loads library after library, and asks each what it can
installed   what is installed, and what Freshframe's own metadata ask for
"""
