"""YOLO detectors: own preparation and post-processing round the networks that Ultralytics makes.

    yolo          Yolo, the detector: prepare (letterbox) → infer (engine, post-processing)
    letterbox     how a picture lies in the network's input, and the way back for boxes
    postprocess   the network's output → boxes, for end-to-end and for classic networks
    engine        what an engine is to the detector; labels, classes and sizes checked
    buffers       memory that is used again
    devices       which engine on which device
    weights       a model's name or path → a verified file; its export, made once
    network, export, torch_engine    the only files that import torch and ultralytics
    onnx_engine   the only file that imports onnxruntime

Importing this package imports none of torch, ultralytics and onnxruntime.
"""

from detectors.yolo.yolo import Yolo

__all__ = ["Yolo"]
