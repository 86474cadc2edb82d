"""The engine on NVIDIA's GPUs: one GStreamer graph for all cameras, its parts described as data.

`graph` says what is in it and why, `listed` checks that against what DeepStream has, `printing` shows it, `configs`
writes what nvinfer and nvtracker read, `metadata` is the only module that imports NVIDIA's Python bindings, `running`
builds the graph and keeps its cameras alive, `engine` hands what it sees to the pipeline.
"""
