"""Layers with deliberate bugs, each a classic mistake. A comment on the wrong line says what it should be."""

import numpy as np

from minitorch_cnn.engine.convolution.geometry import crop, pad
from minitorch_cnn.engine.convolution.im2col import col2im
from minitorch_cnn.engine.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU, Sigmoid, Softmax
from minitorch_cnn.engine.losses import CrossEntropy
from minitorch_cnn.engine.optimizers import SGD


class PaddingNotCutOff(Conv2D):
    def backward(self, dy, need_dx=True):
        super().backward(dy, need_dx)
        x, *_ = self.recall()
        KH, KW, C, K = self.parameters["kernel"].shape
        dcolumns = dy.reshape(-1, K) @ self.parameters["kernel"].reshape(-1, K).T
        dx = col2im(dcolumns, pad(x, self.pixels).shape, (KH, KW), self.strides, ((0, 0), (0, 0)))
        return dx[:, : x.shape[1], : x.shape[2]]  # should be crop(dx, self.pixels)


class Col2imOverwrites(Conv2D):
    def backward(self, dy, need_dx=True):
        super().backward(dy, need_dx)
        x, *_ = self.recall()
        (KH, KW, C, K), (SH, SW) = self.parameters["kernel"].shape, self.strides
        N, OH, OW, _ = dy.shape
        dcolumns = (dy.reshape(-1, K) @ self.parameters["kernel"].reshape(-1, K).T).reshape(N, OH, OW, KH, KW, C)
        dx = np.zeros_like(pad(x, self.pixels))
        for i, j in np.ndindex(OH, OW):
            dx[:, i * SH : i * SH + KH, j * SW : j * SW + KW] = dcolumns[:, i, j]  # should be +=
        return crop(dx, self.pixels)


class KernelFlipped(Conv2D):
    def backward(self, dy, need_dx=True):
        super().backward(dy, need_dx)
        kernel = self.parameters["kernel"][::-1, ::-1]  # should be the kernel as it is
        KH, KW, C, K = kernel.shape
        dcolumns = dy.reshape(-1, K) @ kernel.reshape(-1, K).T
        return col2im(dcolumns, (len(dy), *self.input_shape), (KH, KW), self.strides, self.pixels)


class BiasOfOneImage(Conv2D):
    def backward(self, dy, need_dx=True):
        dx = super().backward(dy, need_dx)
        self.gradients["bias"] = dy[0].sum((0, 1))  # should be dy.sum((0, 1, 2))
        return dx


class ReLUForgotten(Conv2D):
    def backward_pass(self, dy, kept, need_dx=True):
        *kept, y = kept
        return self.backward_scores(dy, kept, need_dx)  # should be dy * (y > 0) in the place of dy


class PoolOverwrites(MaxPool2D):
    def backward(self, dy, need_dx=True):
        (winner,) = self.recall()
        dx = pad(np.zeros((len(dy), *self.input_shape), dy.dtype), self.pixels)
        for n, i, j, c in np.ndindex(dy.shape):
            p, q = divmod(int(winner[n, i, j, c]), self.pool_size[1])
            dx[n, i * self.strides[0] + p, j * self.strides[1] + q, c] = dy[n, i, j, c]  # should be +=
        return crop(dx, self.pixels)


class MaskFromTheWrongSide(ReLU):
    def backward(self, dy, need_dx=True):
        *_, y = self.recall()
        return dy * (y <= 0)  # should be dy * (y > 0)


class ChannelsFirstFlatten(Flatten):
    def backward(self, dy, need_dx=True):
        H, W, C = self.input_shape
        return dy.reshape(-1, C, H, W).transpose(0, 2, 3, 1)  # should be dy.reshape(-1, H, W, C)


class KernelNotTransposed(Dense):
    def backward_scores(self, dscores, kept, need_dx=True):
        _, gradients = super().backward_scores(dscores, kept, need_dx)
        dx = dscores @ self.parameters["kernel"]  # should be dscores @ kernel.T; unnoticed if it is square
        return dx, gradients


class MeanOverTheBatch(Dense):
    def backward_scores(self, dscores, kept, need_dx=True):
        dx, gradients = super().backward_scores(dscores, kept, need_dx)
        gradients["kernel"] = gradients["kernel"] / len(dscores)  # wrong: the loss has already divided by N
        gradients["bias"] = dscores.mean(axis=0)  # should be dscores.sum(axis=0)
        return dx, gradients


class SlopeAtTheInput(Sigmoid):
    def forward(self, x, training=False):
        y = super().forward(x, training)
        self.cache = (x, y)
        return y

    def backward(self, dy, need_dx=True):
        x, _ = self.recall()
        return dy * x * (1 - x)  # should be dy * y * (1 - y)


class SoftmaxDiagonal(Softmax):
    def backward(self, dy, need_dx=True):
        *_, y = self.recall()
        return dy * y * (1 - y)  # should be y * (dy - (dy * y).sum(-1, keepdims=True))


class ConstantStatistics(BatchNorm):
    def backward(self, dy, need_dx=True):
        super().backward(dy, need_dx)
        _, _, inverse, _ = self.recall()
        return dy * self.parameters["gamma"] * inverse  # wrong: the mean and the variance depend on x as well


class AnotherMask(Dropout):
    def backward(self, dy, need_dx=True):
        keep = np.random.default_rng(0).random(dy.shape) >= self.rate  # should be the mask that forward drew
        return dy * keep / (1 - self.rate)


class SummedCrossEntropy(CrossEntropy):
    def from_scores(self, scores, labels):
        value, dscores = super().from_scores(scores, labels)
        return value, dscores * len(scores)  # should be dscores, which already contains the 1/N of the mean


class DecayingTheFrozen(SGD):
    def step(self, model):
        super().step(model)
        for layer in model.layers:
            for array in layer.parameters.values():
                array -= 1e-3 * array  # should skip every layer with trainable = False


class UpdatingTheFrozen(SGD):
    def step(self, model):
        frozen = [layer for layer in model.layers if layer.parameters and not layer.trainable]
        for layer in frozen:
            layer.trainable = True  # should stay False
        model.loss_and_gradients(*self.batch)
        super().step(model)
        for layer in frozen:
            layer.trainable = False
