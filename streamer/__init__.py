"""Freshframe's framework: frames in, results out. Knows no model and no transport.

Light on purpose: importing it loads neither torch nor OpenCV nor PyAV.
"""
