"""The layers, one idea a file, each with its forward and its backward pass side by side."""

from minitorch_cnn.engine.layers.activation_layers import ELU, Activation, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from minitorch_cnn.engine.layers.average_pool2d import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D
from minitorch_cnn.engine.layers.batch_norm import BatchNorm
from minitorch_cnn.engine.layers.conv2d import Conv2D
from minitorch_cnn.engine.layers.conv2d_transpose import Conv2DTranspose
from minitorch_cnn.engine.layers.dense import Dense
from minitorch_cnn.engine.layers.depthwise_conv2d import DepthwiseConv2D, SeparableConv2D
from minitorch_cnn.engine.layers.dropout import Dropout
from minitorch_cnn.engine.layers.flatten import Flatten
from minitorch_cnn.engine.layers.layer import Layer
from minitorch_cnn.engine.layers.max_pool2d import MaxPool2D
from minitorch_cnn.engine.layers.merge import Add, Average, Concatenate, Maximum, Multiply, Subtract
from minitorch_cnn.engine.layers.reshaping import Cropping2D, Permute, Reshape
from minitorch_cnn.engine.layers.resizing import Resizing, UpSampling2D
from minitorch_cnn.engine.layers.scaling import LayerNorm, LayerScale, Normalization, PReLU, Rescaling
from minitorch_cnn.engine.layers.zero_pad2d import ZeroPad2D

__all__ = [
    "ELU",
    "Activation",
    "Add",
    "Average",
    "AveragePool2D",
    "BatchNorm",
    "Concatenate",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GlobalAveragePool2D",
    "GlobalMaxPool2D",
    "Layer",
    "LayerNorm",
    "LayerScale",
    "LeakyReLU",
    "MaxPool2D",
    "Maximum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Resizing",
    "SeparableConv2D",
    "Sigmoid",
    "Softmax",
    "Subtract",
    "Tanh",
    "UpSampling2D",
    "ZeroPad2D",
]
