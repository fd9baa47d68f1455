"""The layers, one a file, each with its forward and its backward pass side by side."""

from minitorch_cnn.engine.layers.activation_layers import ReLU, Sigmoid, Softmax, Tanh
from minitorch_cnn.engine.layers.average_pool2d import AveragePool2D, GlobalAveragePool2D
from minitorch_cnn.engine.layers.batch_norm import BatchNorm
from minitorch_cnn.engine.layers.conv2d import Conv2D
from minitorch_cnn.engine.layers.dense import Dense
from minitorch_cnn.engine.layers.dropout import Dropout
from minitorch_cnn.engine.layers.flatten import Flatten
from minitorch_cnn.engine.layers.layer import Layer
from minitorch_cnn.engine.layers.max_pool2d import MaxPool2D
from minitorch_cnn.engine.layers.zero_pad2d import ZeroPad2D

__all__ = [
    "AveragePool2D",
    "BatchNorm",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePool2D",
    "Layer",
    "MaxPool2D",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "ZeroPad2D",
]
