"""YOLO detectors: own preparation and post-processing round the networks that Ultralytics makes.

    yolo          Yolo, the detector: prepare (letterbox) → infer (engine, post-processing)
    letterbox     how a picture lies in the network's input, and the way back for boxes
    batch         which input each view lies in, and where
    postprocess   the network's output → boxes, for end-to-end and for classic networks
    engine        what an engine is to the detector; labels, classes and sizes checked
    devices       which engine on which device
    weights       a model's name or path → a verified file; its export, made once
    network, torch_network   Ultralytics' network without its own ideas; as torch runs it, fp16 on a GPU
    export, child a process of its own for what is heavy
    cpu/          ONNX Runtime, OpenVINO, torch; threads are measured on the machine
    cuda/         upload, network and reading of consecutive batches overlap
    int8/         int8 networks: made, judged, kept

Importing this package imports none of torch, ultralytics and onnxruntime.
"""

from detectors.yolo.yolo import Yolo

__all__ = ["Yolo"]
