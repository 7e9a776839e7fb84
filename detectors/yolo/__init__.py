"""YOLO detectors: own preparation and post-processing round the networks that Ultralytics makes.

    yolo          Yolo, the detector: prepare (letterbox) → infer (engine, post-processing)
    letterbox     how a picture lies in the network's input, and the way back for boxes
    postprocess   the network's output → boxes, for end-to-end and for classic networks
    batch         which input each view lies in, and where
    engine        what an engine is to the detector; labels, classes and sizes checked
    cpu_reading   an engine on the CPU and postprocess, together
    buffers       memory that is used again
    devices       which engine on which device
    weights       a model's name or path → a verified file; its export, made once
    network, export, torch_network, torch_engine    torch and ultralytics are imported here …
    cuda_engine   a GPU: upload, network and reading of consecutive batches overlap
    slots, programs, device_reading    … and in its parts: memory, CUDA graphs, output → boxes
    loading, onnx_file, planes    what engines on the CPU share: which, what the file says, pixels
    tuning        how many threads: measured once on the machine, and kept
    onnx_engine   the only file that imports onnxruntime
    openvino_engine, silent_openvino    OpenVINO, an extra
    quantize, quantizing, quantized, accuracy    int8 networks: made, judged, kept
    child         a process of its own for what is heavy

Importing this package imports none of torch, ultralytics and onnxruntime.
"""

from detectors.yolo.yolo import Yolo

__all__ = ["Yolo"]
