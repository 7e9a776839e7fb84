"""int8 networks for OpenVINO.

quantize    the command: makes one, holds it against the original, keeps or refuses it
quantizing  the process that makes it
accuracy    average precision on a COCO data set
quantized   where it is kept
"""
