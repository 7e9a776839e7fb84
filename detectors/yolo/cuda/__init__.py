"""A network on a CUDA device.

engine    what is queued where, and what is waited for
programs  CUDA graphs, one for each shape and batch size
slots     pinned memory and the moments between
reading   the output → boxes, on the device
"""
