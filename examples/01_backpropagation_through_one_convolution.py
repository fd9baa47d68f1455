# %% [markdown]
# # Backpropagation through one convolution
#
# What happens in the backward pass of a convolution? This one is small enough to follow every number: the forward pass
# by the definition and again as one matrix product, a loss, and the backward pass to the kernel and to the image. Every
# claim is asserted, so what this page says is true whenever it runs. Everything is plain NumPy in float64.

# %%
import numpy as np

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.engine.convolution.im2col import col2im, im2col

rng = np.random.default_rng(0)
image = rng.integers(0, 10, size=(5, 5)).astype(float)
kernel = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])  # answers to edges: bright on the left, dark on the right
print(f"image\n{image}\n\nkernel\n{kernel}")

# %% [markdown]
# ## The definition
#
# `y[i, j] = sum over p, q of image[i + p, j + q] * kernel[p, q]`: lay the kernel on the image at (i, j), multiply the
# numbers that lie on top of each other, and add up the products. A 3x3 kernel fits into a 5x5 image at 3x3 places.

# %%
y = np.zeros((3, 3))
for i, j, p, q in np.ndindex(3, 3, 3, 3):  # four loops in one line
    y[i, j] += image[i + p, j + q] * kernel[p, q]
print(f"y, by the definition\n{y}")

# %% [markdown]
# ## im2col: the same as one matrix product
#
# Each output multiplies one window by the same kernel. So we write every window as a row of a matrix. For an image
# whose pixels are *numbered*, the matrix shows which pixels each of the nine outputs looks at. (The package works on
# batches `(N, H, W, C)`; ours has one image and one channel.)

# %%
geometry = {"window": (3, 3), "strides": (1, 1), "padding": ((0, 0), (0, 0))}
numbers = np.arange(25).reshape(1, 5, 5, 1)
print(f"pixel numbers\n{numbers[0, :, :, 0]}\n\nim2col: a row for each output\n{im2col(numbers, **geometry)}\n")

columns = im2col(image.reshape(1, 5, 5, 1), **geometry)  # (9 outputs, 9 taps)
assert np.array_equal(columns @ kernel.reshape(9), y.reshape(9))
print("columns @ kernel equals the loops")

# %% [markdown]
# ## A loss, and the first gradient
#
# Suppose that `y` should be `target`. The loss, here the mean of the squared differences, says in one number how wrong
# `y` is. Its derivative says for every output in which direction it is wrong, and how much that matters.

# %%
target = rng.integers(-5, 6, size=(3, 3)).astype(float)
loss = ((y - target) ** 2).mean()
dy = 2 * (y - target) / y.size  # dL/dy
print(f"loss {loss:.4f}\ndL/dy\n{dy.round(2)}")

# %% [markdown]
# ## The gradients
#
# Because `y = columns @ kernel`, the chain rule gives two more matrix products:
#
# * `dkernel = columns.T @ dy`: a weight of the kernel is multiplied by one pixel in each window, so its gradient is the
#   sum of `dy` times that pixel over all nine windows.
# * `dcolumns = dy @ kernel.T`: a number in `columns` was multiplied by one weight, so it receives `dy` times that
#   weight. But a pixel has several copies in `columns`, and their gradients add up. `col2im`, the transpose of
#   `im2col`, does this addition.
#
# So `col2im` of ones counts how many windows use each pixel: a corner is used once, the middle in all nine.

# %%
dkernel = (columns.T @ dy.reshape(9)).reshape(3, 3)
dcolumns = dy.reshape(9, 1) @ kernel.reshape(1, 9)
dx = col2im(dcolumns, (1, 5, 5, 1), **geometry)
counts = col2im(np.ones((9, 9)), (1, 5, 5, 1), **geometry)[0, :, :, 0]
assert np.array_equal(counts, np.outer([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]))
print(f"dkernel\n{dkernel.round(2)}\n\ndx\n{dx[0, :, :, 0].round(2)}")
print(f"\nhow often each pixel is used\n{counts.astype(int)}")

# %% [markdown]
# *Transpose* is meant exactly: `<im2col(x), c> = <x, col2im(c)>` for all `x` and `c`. This adjoint identity is the
# shortest test of a linear layer's backward pass: two random arrays and no derivatives.

# %%
x, c = rng.standard_normal((1, 5, 5, 1)), rng.standard_normal((9, 9))
there, back = np.vdot(im2col(x, **geometry), c), np.vdot(x, col2im(c, x.shape, **geometry))
assert np.isclose(there, back, rtol=1e-12)
print(f"adjoint identity: <im2col(x), c> = {there:.12f}, <x, col2im(c)> = {back:.12f}")

# %% [markdown]
# ## The layer does the same
#
# `layers.Conv2D` contains the same lines for batches, channels, padding and strides.

# %%
model = mtc.Sequential([layers.Conv2D(1, 3, use_bias=False)], input_shape=(5, 5, 1), dtype="float64")
model.layers[0].parameters["kernel"] = kernel.reshape(3, 3, 1, 1)  # (KH, KW, C, K)
with mtc.definitions_only():  # the plain definitions, not their compiled twins
    assert np.array_equal(model.forward(image.reshape(1, 5, 5, 1)), y.reshape(1, 3, 3, 1))
    assert np.allclose(model.backward(dy.reshape(1, 3, 3, 1)), dx, rtol=1e-12)
assert np.allclose(model.layers[0].gradients["kernel"], dkernel.reshape(3, 3, 1, 1), rtol=1e-12)
print("Conv2D gives the same y, dkernel and dx")

# %% [markdown]
# With two channels and three filters only the shapes grow. A window has 3x3x2 numbers, the kernel is a matrix (18, 3),
# and (9, 18) @ (18, 3) gives all three feature maps at once, already in the order (OH, OW, K). Is the backward pass
# still right? `mtc.gradient_check` changes each number a little and compares the change of the output with the
# gradient.

# %%
x = rng.standard_normal((1, 5, 5, 2))
layer = layers.Conv2D(3, 3)
with mtc.definitions_only():
    feature_maps = layer.forward(x)
    check = mtc.gradient_check(layer, x)
as_matrix = layer.parameters["kernel"].reshape(18, 3)
assert np.allclose(feature_maps.reshape(9, 3), im2col(x, **geometry) @ as_matrix, rtol=1e-12)
assert check.passed and check.checked == 3 * 3 * 2 * 3 + 3 + 5 * 5 * 2  # kernel, bias, input
print(f"gradient check: {check.checked} numbers changed, the worst of each array:", *check.worst.values(), sep="\n  ")

# %% [markdown]
# ## One step of learning
#
# To first order, a step against the gradient, `kernel - rate * dkernel`, lowers the loss by `rate * sum(dkernel**2)`.
# The remaining error is of second order, so half the rate leaves a quarter of it.

# %%
errors = []
for rate in (2e-5, 1e-5):
    model.layers[0].parameters["kernel"] = kernel.reshape(3, 3, 1, 1)
    step = (image.reshape(1, 5, 5, 1), target.reshape(1, 3, 3, 1), losses.MeanSquaredError(), optimizers.SGD(rate))
    with mtc.definitions_only():
        before, after = model.train_step(*step), model.train_step(*step)  # each gives the loss before its update
    predicted, gained = rate * (dkernel**2).sum(), before - after
    errors.append(predicted - gained)
    assert np.isclose(before, loss) and gained > 0 and abs(predicted - gained) < 0.01 * predicted
    print(f"rate {rate:g}: predicted {predicted:.6f}, gained {gained:.6f}, error {errors[-1]:.6f}")
assert np.isclose(errors[0] / errors[1], 4, rtol=1e-6)
print("half the rate, a quarter of the error: the gradient is right to first order")
