// Kernels of batch normalisation: x and dy are (rows, K), and each channel has its own numbers. Sums are over stripes of
// `length` rows, as in `sums.cu`.

// layers/batch_norm.py: moments. The squares of x - mean, added up: sums (stripes, K).
template <int V> __device__ void add_squares_of(unsigned size, const real* x, const real* mean, real* sums, int rows,
                                                int length, int K) {
  unsigned at = element();
  if (at >= size) return;
  auto [k, stripe, first, last] = stripe_of(at, rows, length, K);
  Pack<V> sum = {};
#pragma unroll 8
  for (unsigned row = first; row < last; ++row) {
    Pack<V> value = ((const Pack<V>*)x)[(size_t)row * K + k];
    for (int e = 0; e < V; ++e) {
      real centred = value.v[e] - mean[V * k + e];
      sum.v[e] += centred * centred;
    }
  }
  ((Pack<V>*)sums)[at] = sum;
}

extern "C" __global__ void add_squares(unsigned size, const real* x, const real* mean, real* sums, int rows, int length,
                                       int K) {
  add_squares_of<1>(size, x, mean, sums, rows, length, K);
}

extern "C" __global__ void add_squares4(unsigned size, const real* x, const real* mean, real* sums, int rows, int length,
                                        int K) {
  add_squares_of<4>(size, x, mean, sums, rows, length, K);
}

// layers/batch_norm.py: normalise, with a ReLU up to `ceiling`.
template <int V> __device__ void normalise_of(unsigned size, const real* x, const real* mean, const real* scale,
                                              const real* shift, real* y, int K, int relu, real ceiling) {
  unsigned at = element();
  if (at >= size) return;
  unsigned k = at % K;
  Pack<V> value = ((const Pack<V>*)x)[at];
  for (int e = 0; e < V; ++e) {
    real v = (value.v[e] - mean[V * k + e]) * scale[V * k + e] + shift[V * k + e];
    if (relu) v = v < 0 ? real(0) : v > ceiling ? ceiling : v;
    value.v[e] = v;
  }
  ((Pack<V>*)y)[at] = value;
}

extern "C" __global__ void normalise(unsigned size, const real* x, const real* mean, const real* scale,
                                     const real* shift, real* y, int K, int relu, real ceiling) {
  normalise_of<1>(size, x, mean, scale, shift, y, K, relu, ceiling);
}

extern "C" __global__ void normalise4(unsigned size, const real* x, const real* mean, const real* scale,
                                      const real* shift, real* y, int K, int relu, real ceiling) {
  normalise_of<4>(size, x, mean, scale, shift, y, K, relu, ceiling);
}

// What a ReLU up to `ceiling` after the normalisation lets pass of the gradient g.
__device__ inline real passed(real g, real centred, real scale, real shift, int relu, real ceiling) {
  if (!relu) return g;
  real y = centred * scale + shift;
  bool unlimited = ceiling - ceiling != 0;  // infinite
  return y > 0 && (unlimited || y < ceiling) ? g : real(0);
}

// layers/batch_norm.py: sums_backward. sums (stripes, 2 K): of dy, and behind them those of dy * n.
template <int V> __device__ void sums_backward_of(unsigned size, const real* dy, const real* x, const real* mean,
                                                  const real* inverse, const real* scale, const real* shift, real* sums,
                                                  int rows, int length, int K, int relu, real ceiling) {
  unsigned at = element();
  if (at >= size) return;
  auto [k, stripe, first, last] = stripe_of(at, rows, length, K);
  Pack<V> sum_dy = {}, sum_dy_n = {};
#pragma unroll 4
  for (unsigned row = first; row < last; ++row) {
    Pack<V> g = ((const Pack<V>*)dy)[(size_t)row * K + k], value = ((const Pack<V>*)x)[(size_t)row * K + k];
    for (int e = 0; e < V; ++e) {
      unsigned c = V * k + e;
      real centred = value.v[e] - mean[c], d = passed(g.v[e], centred, scale[c], shift[c], relu, ceiling);
      sum_dy.v[e] += d;
      sum_dy_n.v[e] += d * (centred * inverse[c]);
    }
  }
  ((Pack<V>*)sums)[(size_t)stripe * 2 * K + k] = sum_dy;
  ((Pack<V>*)sums)[(size_t)stripe * 2 * K + K + k] = sum_dy_n;
}

extern "C" __global__ void sums_backward(unsigned size, const real* dy, const real* x, const real* mean,
                                         const real* inverse, const real* scale, const real* shift, real* sums,
                                         int rows, int length, int K, int relu, real ceiling) {
  sums_backward_of<1>(size, dy, x, mean, inverse, scale, shift, sums, rows, length, K, relu, ceiling);
}

extern "C" __global__ void sums_backward4(unsigned size, const real* dy, const real* x, const real* mean,
                                          const real* inverse, const real* scale, const real* shift, real* sums,
                                          int rows, int length, int K, int relu, real ceiling) {
  sums_backward_of<4>(size, dy, x, mean, inverse, scale, shift, sums, rows, length, K, relu, ceiling);
}

// layers/batch_norm.py: normalise_backward. `slope` is inverse * mean_dy_n; sums (stripes, K) are those of dx.
template <int V> __device__ void normalise_backward_of(unsigned size, const real* dy, const real* x, const real* mean,
                                                       const real* scale, const real* shift, const real* mean_dy,
                                                       const real* slope, real* dx, real* sums, int rows, int length,
                                                       int K, int relu, real ceiling) {
  unsigned at = element();
  if (at >= size) return;
  auto [k, stripe, first, last] = stripe_of(at, rows, length, K);
  Pack<V> sum = {}, mean_, scale_, shift_, mean_dy_, slope_;
  for (int e = 0; e < V; ++e) {  // once: for all the compiler knows, the loop below changes them
    unsigned c = V * k + e;
    mean_.v[e] = mean[c], scale_.v[e] = scale[c], shift_.v[e] = shift[c], mean_dy_.v[e] = mean_dy[c], slope_.v[e] = slope[c];
  }
#pragma unroll 4
  for (unsigned row = first; row < last; ++row) {
    size_t place = (size_t)row * K + k;
    Pack<V> g = ((const Pack<V>*)dy)[place], value = ((const Pack<V>*)x)[place];
    for (int e = 0; e < V; ++e) {
      real centred = value.v[e] - mean_.v[e], d = passed(g.v[e], centred, scale_.v[e], shift_.v[e], relu, ceiling);
      g.v[e] = scale_.v[e] * (d - mean_dy_.v[e] - centred * slope_.v[e]);
      sum.v[e] += g.v[e];
    }
    ((Pack<V>*)dx)[place] = g;
  }
  ((Pack<V>*)sums)[at] = sum;
}

extern "C" __global__ void normalise_backward(unsigned size, const real* dy, const real* x, const real* mean,
                                              const real* scale, const real* shift, const real* mean_dy,
                                              const real* slope, real* dx, real* sums, int rows, int length, int K,
                                              int relu, real ceiling) {
  normalise_backward_of<1>(size, dy, x, mean, scale, shift, mean_dy, slope, dx, sums, rows, length, K, relu, ceiling);
}

extern "C" __global__ void normalise_backward4(unsigned size, const real* dy, const real* x, const real* mean,
                                               const real* scale, const real* shift, const real* mean_dy,
                                               const real* slope, real* dx, real* sums, int rows, int length, int K,
                                               int relu, real ceiling) {
  normalise_backward_of<4>(size, dy, x, mean, scale, shift, mean_dy, slope, dx, sums, rows, length, K, relu, ceiling);
}
