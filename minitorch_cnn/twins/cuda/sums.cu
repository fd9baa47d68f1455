// Kernels that add up the rows of a matrix (rows, K): a thread adds up a stripe of `length` rows of its channel.

// convolution/epilogue.py: bias_relu, in place on y (..., K).
template <int V> __device__ void bias_relu_of(unsigned size, real* y, const real* bias, int K, int has_bias, int relu) {
  unsigned at = element();
  if (at >= size) return;
  Pack<V> value = ((const Pack<V>*)y)[at];
  unsigned k = at % K;
  for (int e = 0; e < V; ++e) {
    if (has_bias) value.v[e] += bias[V * k + e];
    if (relu && value.v[e] < 0) value.v[e] = 0;
  }
  ((Pack<V>*)y)[at] = value;
}

extern "C" __global__ void bias_relu(unsigned size, real* y, const real* bias, int K, int has_bias, int relu) {
  bias_relu_of<1>(size, y, bias, K, has_bias, relu);
}

extern "C" __global__ void bias_relu4(unsigned size, real* y, const real* bias, int K, int has_bias, int relu) {
  bias_relu_of<4>(size, y, bias, K, has_bias, relu);
}

// convolution/epilogue.py: bias_relu_backward. Masks the rows of dy and adds them up: sums (stripes, K).
template <int V> __device__ void bias_relu_backward_of(unsigned size, const real* dy, const real* y, real* dscores,
                                                       real* sums, int rows, int length, int K) {
  unsigned at = element();
  if (at >= size) return;
  auto [k, stripe, first, last] = stripe_of(at, rows, length, K);
  Pack<V> sum = {};
#pragma unroll 8
  for (unsigned row = first; row < last; ++row) {
    size_t place = (size_t)row * K + k;
    Pack<V> g = ((const Pack<V>*)dy)[place], value = ((const Pack<V>*)y)[place];
    for (int e = 0; e < V; ++e) {
      g.v[e] = value.v[e] > 0 ? g.v[e] : real(0);
      sum.v[e] += g.v[e];
    }
    ((Pack<V>*)dscores)[place] = g;
  }
  ((Pack<V>*)sums)[at] = sum;
}

extern "C" __global__ void bias_relu_backward(unsigned size, const real* dy, const real* y, real* dscores, real* sums,
                                              int rows, int length, int K) {
  bias_relu_backward_of<1>(size, dy, y, dscores, sums, rows, length, K);
}

extern "C" __global__ void bias_relu_backward4(unsigned size, const real* dy, const real* y, real* dscores, real* sums,
                                               int rows, int length, int K) {
  bias_relu_backward_of<4>(size, dy, y, dscores, sums, rows, length, K);
}

// convolution/row_windows.py: backward_relu. The same, but dscores is laid out as by `lay_out`, in `flat`, zeros included:
// the stripes are of its `pixels`.
template <int V> __device__ void mask_and_lay_out_of(unsigned size, const real* dy, const real* y, real* flat, real* sums,
                                                     int pixels, int length, int N, int H, int W, int K, int T, int S,
                                                     int lead) {
  unsigned at = element();
  if (at >= size) return;
  auto [k, stripe, first, last] = stripe_of(at, pixels, length, K);
  Pack<V> sum = {};
  for (unsigned place = first; place < last; ++place) {
    Pack<V> g = {};
    size_t pixel;
    if (is_laid_out(place, N, H, W, T, S, lead, pixel)) {
      g = ((const Pack<V>*)dy)[pixel * K + k];
      Pack<V> value = ((const Pack<V>*)y)[pixel * K + k];
      for (int e = 0; e < V; ++e) {
        g.v[e] = value.v[e] > 0 ? g.v[e] : real(0);
        sum.v[e] += g.v[e];
      }
    }
    ((Pack<V>*)flat)[(size_t)place * K + k] = g;
  }
  ((Pack<V>*)sums)[at] = sum;
}

extern "C" __global__ void mask_and_lay_out(unsigned size, const real* dy, const real* y, real* flat, real* sums,
                                            int pixels, int length, int N, int H, int W, int K, int T, int S,
                                            int lead) {
  mask_and_lay_out_of<1>(size, dy, y, flat, sums, pixels, length, N, H, W, K, T, S, lead);
}

extern "C" __global__ void mask_and_lay_out4(unsigned size, const real* dy, const real* y, real* flat, real* sums,
                                             int pixels, int length, int N, int H, int W, int K, int T, int S,
                                             int lead) {
  mask_and_lay_out_of<4>(size, dy, y, flat, sums, pixels, length, N, H, W, K, T, S, lead);
}

// The sum of the rows of a stripe of x (rows, K). Sixteen loads are on their way at once.
template <int V> __device__ inline Pack<V> added(const Pack<V>* x, Stripe stripe, int K) {
  Pack<V> sum = {};
#pragma unroll 16
  for (unsigned row = stripe.first; row < stripe.last; ++row) {
    Pack<V> value = x[(size_t)row * K + stripe.k];
    for (int e = 0; e < V; ++e) sum.v[e] += value.v[e];
  }
  return sum;
}

// reductions.py: channel_sum. One stage: `length` rows of x (rows, K) become one row of sums (stripes, K).
template <int V> __device__ void sum_rows_of(unsigned size, const real* x, real* sums, int rows, int length, int K) {
  unsigned at = element();
  if (at >= size) return;
  ((Pack<V>*)sums)[at] = added((const Pack<V>*)x, stripe_of(at, rows, length, K), K);
}

extern "C" __global__ void sum_rows(unsigned size, const real* x, real* sums, int rows, int length, int K) {
  sum_rows_of<1>(size, x, sums, rows, length, K);
}

extern "C" __global__ void sum_rows4(unsigned size, const real* x, real* sums, int rows, int length, int K) {
  sum_rows_of<4>(size, x, sums, rows, length, K);
}

// layers/average_pool2d.py: image_mean. One stage: `length` of the rows of each image of x (N, rows, K) become one row of
// means (N, stripes, K), which are divided by `count`: by 1 in all stages but the last.
template <int V> __device__ void mean_rows_of(unsigned size, const real* x, real* means, int rows, int length,
                                              int stripes, int K, real count) {
  unsigned at = element();
  if (at >= size) return;
  size_t image = at / K / stripes;
  Pack<V> sum = added((const Pack<V>*)x + image * rows * K, stripe_of(at % (stripes * K), rows, length, K), K);
  for (int e = 0; e < V; ++e) sum.v[e] /= count;
  ((Pack<V>*)means)[at] = sum;
}

extern "C" __global__ void mean_rows(unsigned size, const real* x, real* means, int rows, int length, int stripes,
                                     int K, real count) {
  mean_rows_of<1>(size, x, means, rows, length, stripes, K, count);
}

extern "C" __global__ void mean_rows4(unsigned size, const real* x, real* means, int rows, int length, int stripes,
                                      int K, real count) {
  mean_rows_of<4>(size, x, means, rows, length, stripes, K, count);
}

// layers/average_pool2d.py: image_mean_backward. Every one of an image's `pixels` gets its share of dy (N, K).
template <int V> __device__ void share_of(unsigned size, const real* dy, real* dx, int pixels, int K, real count) {
  unsigned at = element();
  if (at >= size) return;
  Pack<V> share = ((const Pack<V>*)dy)[at / K / pixels * K + at % K];
  for (int e = 0; e < V; ++e) share.v[e] /= count;
  ((Pack<V>*)dx)[at] = share;
}

extern "C" __global__ void share(unsigned size, const real* dy, real* dx, int pixels, int K, real count) {
  share_of<1>(size, dy, dx, pixels, K, count);
}

extern "C" __global__ void share4(unsigned size, const real* dy, real* dx, int pixels, int K, real count) {
  share_of<4>(size, dy, dx, pixels, K, count);
}
