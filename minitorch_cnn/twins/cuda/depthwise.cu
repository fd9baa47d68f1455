// Kernels of convolutions of each channel by itself. Kernels are (KH, KW, C, M), and output channel k = c M + m. The
// versions with four channels per thread are for M = 1.

// convolution/depthwise.py: forward, with the bias.
template <int V> __device__ void depthwise_of(unsigned size, const real* x, const real* kernel, const real* bias, real* y,
                                              int H, int W, int K, int M, int OH, int OW, int KH, int KW, int SH, int SW,
                                              int DH, int DW, int top, int left, int has_bias) {
  unsigned at = element();
  if (at >= size) return;
  unsigned k = at % K, C = K / M, c = k / M;
  auto [n, i, j] = pixel_of(at / K, OH, OW);
  Pack<V> sum = {};
  for (int p = 0; p < KH; ++p) {
    int h = i * SH + p * DH - top;
    if (h < 0 || h >= H) continue;
    for (int q = 0; q < KW; ++q) {
      int w = j * SW + q * DW - left;
      if (w < 0 || w >= W) continue;
      Pack<V> value = ((const Pack<V>*)x)[number_of(n, h, w, H, W) * C + c];
      for (int e = 0; e < V; ++e) sum.v[e] += value.v[e] * kernel[V * (((size_t)p * KW + q) * K + k) + e];
    }
  }
  for (int e = 0; e < V; ++e)
    if (has_bias) sum.v[e] += bias[V * k + e];
  ((Pack<V>*)y)[at] = sum;
}

extern "C" __global__ void depthwise(unsigned size, const real* x, const real* kernel, const real* bias, real* y, int H,
                                     int W, int K, int M, int OH, int OW, int KH, int KW, int SH, int SW, int DH,
                                     int DW, int top, int left, int has_bias) {
  depthwise_of<1>(size, x, kernel, bias, y, H, W, K, M, OH, OW, KH, KW, SH, SW, DH, DW, top, left, has_bias);
}

extern "C" __global__ void depthwise4(unsigned size, const real* x, const real* kernel, const real* bias, real* y, int H,
                                      int W, int K, int M, int OH, int OW, int KH, int KW, int SH, int SW, int DH,
                                      int DW, int top, int left, int has_bias) {
  depthwise_of<4>(size, x, kernel, bias, y, H, W, K, M, OH, OW, KH, KW, SH, SW, DH, DW, top, left, has_bias);
}

// convolution/depthwise.py: backward_input. Each pixel finds the windows that have seen it.
template <int V> __device__ void depthwise_input_of(unsigned size, const real* dy, const real* kernel, real* dx, int H,
                                                    int W, int K, int M, int OH, int OW, int KH, int KW, int SH, int SW,
                                                    int DH, int DW, int top, int left) {
  unsigned at = element();
  if (at >= size) return;
  unsigned C = K / M, c = at % C;
  auto [n, h, w] = pixel_of(at / C, H, W);
  Pack<V> sum = {};
  for (int p = 0, i; p < KH; ++p) {
    if (!begins_window(h + top - p * DH, SH, OH, i)) continue;
    for (int q = 0, j; q < KW; ++q) {
      if (!begins_window(w + left - q * DW, SW, OW, j)) continue;
      Pack<V> tap = {};
      for (int m = 0; m < M; ++m) {
        Pack<V> g = ((const Pack<V>*)dy)[number_of(n, i, j, OH, OW) * K + c * M + m];
        for (int e = 0; e < V; ++e) tap.v[e] += g.v[e] * kernel[V * (((size_t)p * KW + q) * K + c * M + m) + e];
      }
      for (int e = 0; e < V; ++e) sum.v[e] += tap.v[e];
    }
  }
  ((Pack<V>*)dx)[at] = sum;
}

extern "C" __global__ void depthwise_input(unsigned size, const real* dy, const real* kernel, real* dx, int H, int W,
                                           int K, int M, int OH, int OW, int KH, int KW, int SH, int SW, int DH,
                                           int DW, int top, int left) {
  depthwise_input_of<1>(size, dy, kernel, dx, H, W, K, M, OH, OW, KH, KW, SH, SW, DH, DW, top, left);
}

extern "C" __global__ void depthwise_input4(unsigned size, const real* dy, const real* kernel, real* dx, int H, int W,
                                            int K, int M, int OH, int OW, int KH, int KW, int SH, int SW, int DH,
                                            int DW, int top, int left) {
  depthwise_input_of<4>(size, dy, kernel, dx, H, W, K, M, OH, OW, KH, KW, SH, SW, DH, DW, top, left);
}

// convolution/depthwise.py: backward_kernel. One thread for each stripe of `length` of the `pixels` of dy, place in the
// window and channel: sums (stripes, KH*KW*K).
template <int V> __device__ void depthwise_kernel_of(unsigned size, const real* x, const real* dy, real* sums, int pixels,
                                                     int length, int H, int W, int K, int M, int OH, int OW, int KH,
                                                     int KW, int SH, int SW, int DH, int DW, int top, int left) {
  unsigned at = element();
  if (at >= size) return;
  int C = K / M, k = at % K, c = k / M, q = at / K % KW, p = at / K / KW % KH;
  unsigned first = at / K / KW / KH * length, last = min(first + length, (unsigned)pixels);
  auto [n, i, j] = pixel_of(first, OH, OW);
  Pack<V> sum = {};
  for (unsigned pixel = first; pixel < last; ++pixel) {
    int h = i * SH + p * DH - top, w = j * SW + q * DW - left;
    if (is_inside(h, w, H, W)) {
      Pack<V> value = ((const Pack<V>*)x)[number_of(n, h, w, H, W) * C + c];
      Pack<V> g = ((const Pack<V>*)dy)[(size_t)pixel * K + k];
      for (int e = 0; e < V; ++e) sum.v[e] += value.v[e] * g.v[e];
    }
    if (++j == (unsigned)OW) {
      j = 0;
      if (++i == (unsigned)OH) i = 0, ++n;
    }
  }
  ((Pack<V>*)sums)[at] = sum;
}

extern "C" __global__ void depthwise_kernel(unsigned size, const real* x, const real* dy, real* sums, int pixels,
                                            int length, int H, int W, int K, int M, int OH, int OW, int KH, int KW,
                                            int SH, int SW, int DH, int DW, int top, int left) {
  depthwise_kernel_of<1>(size, x, dy, sums, pixels, length, H, W, K, M, OH, OW, KH, KW, SH, SW, DH, DW, top, left);
}

extern "C" __global__ void depthwise_kernel4(unsigned size, const real* x, const real* dy, real* sums, int pixels,
                                             int length, int H, int W, int K, int M, int OH, int OW, int KH, int KW,
                                             int SH, int SW, int DH, int DW, int top, int left) {
  depthwise_kernel_of<4>(size, x, dy, sums, pixels, length, H, W, K, M, OH, OW, KH, KW, SH, SW, DH, DW, top, left);
}
