"""Holds an exported generator, and what ganinfer made of it, against Python.

usage: check_export.py GENERATOR.onnx Z.npy IMAGES.npy DISCRIMINATOR.onnx

Z.npy and IMAGES.npy are what `ganinfer generate` kept with --save-z and --npy.
Prints the largest difference; a model that the checker refuses, or a shape that
it infers otherwise, is an error.
"""

import sys

import numpy
import onnx
import onnxruntime


def shapes(path):
    """The checker's and the strict shape inference's idea of a model's outputs."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    return {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in inferred.graph.output
    }


generator, z, images, discriminator = sys.argv[1:]
images = numpy.load(images)
name = "image" if images.ndim == 4 else "points"
assert shapes(generator) == {name: ["batch", *images.shape[1:]]}, shapes(generator)
judged = shapes(discriminator)
assert judged and set(judged) <= {"logit", "probability"}, judged
assert all(shape == ["batch", 1] for shape in judged.values()), judged
session = onnxruntime.InferenceSession(generator, providers=["CPUExecutionProvider"])
feed = {"z": numpy.load(z)}
if len(session.get_inputs()) > 1:  # the classes in turn, as ganinfer gives them
    classes = int(session.get_modelmeta().custom_metadata_map["gan.classes"])
    feed["label"] = (numpy.arange(len(feed["z"])) % classes)[:, None]
made = session.run(None, feed)[0]
print(numpy.abs(made - images).max())
