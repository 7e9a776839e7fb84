"""A network on the CPU.

loading         from weights to the engine that runs them
onnx_engine     ONNX Runtime; onnx_file: what the file says of itself
openvino_engine OpenVINO, an extra; silent_openvino: importing it without its telling anybody
torch_engine    torch, to compare with
tuning          how many threads: measured once on the machine, and kept
planes, buffers pixels as numbers, in memory that is used again
reading         an engine and the reading of its output, together
"""
