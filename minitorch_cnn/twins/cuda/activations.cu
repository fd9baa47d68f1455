// Kernels of activations and sums, number by number.

// layers/merge.py: add, with a ReLU.
extern "C" __global__ void add(unsigned size, const real* x1, const real* x2, real* y, int relu) {
  unsigned at = element();
  if (at >= size) return;
  real value = x1[at] + x2[at];
  y[at] = relu && value < 0 ? real(0) : value;
}

// more_activations.py: bent_relu, bent_relu_backward.
extern "C" __global__ void bent_relu(unsigned size, const real* x, real* y, real slope, real largest, real threshold) {
  unsigned at = element();
  if (at >= size) return;
  real value = x[at], below = slope != 0 ? slope * (value - threshold) : real(0);
  y[at] = value < threshold ? below : value > largest ? largest : value;
}

extern "C" __global__ void bent_relu_backward(unsigned size, const real* dy, const real* x, real* dx, real slope,
                                              real largest, real threshold) {
  unsigned at = element();
  if (at >= size) return;
  real above = x[at] < largest ? 1 : 0;
  dx[at] = dy[at] * (x[at] > threshold ? above : slope);
}

// more_activations.py: sigmoid, by tanh, which does not overflow; silu, silu_backward.
__device__ inline real sigmoid(real x) { return real(0.5) * (1 + tanh(real(0.5) * x)); }

extern "C" __global__ void silu(unsigned size, const real* x, real* y) {
  unsigned at = element();
  if (at >= size) return;
  y[at] = x[at] * sigmoid(x[at]);
}

extern "C" __global__ void silu_backward(unsigned size, const real* dy, const real* x, real* dx) {
  unsigned at = element();
  if (at >= size) return;
  real s = sigmoid(x[at]);
  dx[at] = dy[at] * (s + x[at] * s * (1 - s));
}

// more_activations.py: erf, CUDA's own.
extern "C" __global__ void error_function(unsigned size, const real* x, real* y) {
  unsigned at = element();
  if (at >= size) return;
  y[at] = erf(x[at]);
}

// more_activations.py: gelu, gelu_backward. P(x) is the share of the normal distribution below x; its density is p(x).
__device__ inline real normal_below(real x) { return real(0.5) * erfc(real(-0.70710678118654752440) * x); }

extern "C" __global__ void gelu(unsigned size, const real* x, real* y) {
  unsigned at = element();
  if (at >= size) return;
  y[at] = x[at] * normal_below(x[at]);
}

extern "C" __global__ void gelu_backward(unsigned size, const real* dy, const real* x, real* dx) {
  unsigned at = element();
  if (at >= size) return;
  real density = exp(real(-0.5) * x[at] * x[at]) * real(0.39894228040143267794);
  dx[at] = dy[at] * (normal_below(x[at]) + x[at] * density);
}
