// Kernels for windows that slide over images: columns, layouts of rows, pools.

// convolution/im2col.py: im2col. columns (N*OH*OW, KH*KW*C), one thread per element.
template <int V> __device__ void im2col_of(unsigned size, const real* x, real* columns, int H, int W, int C, int OH,
                                           int OW, int KH, int KW, int SH, int SW, int top, int left) {
  unsigned at = element();
  if (at >= size) return;
  int c = at % C, q = at / C % KW, p = at / C / KW % KH;
  unsigned pixel = at / C / KW / KH;
  int j = pixel % OW, i = pixel / OW % OH, n = pixel / OW / OH;
  int h = i * SH + p - top, w = j * SW + q - left;
  bool inside = h >= 0 && h < H && w >= 0 && w < W;
  Pack<V> none = {};
  ((Pack<V>*)columns)[at] = inside ? ((const Pack<V>*)x)[(((size_t)n * H + h) * W + w) * C + c] : none;
}

extern "C" __global__ void im2col(unsigned size, const real* x, real* columns, int H, int W, int C, int OH, int OW,
                                  int KH, int KW, int SH, int SW, int top, int left) {
  im2col_of<1>(size, x, columns, H, W, C, OH, OW, KH, KW, SH, SW, top, left);
}

extern "C" __global__ void im2col4(unsigned size, const real* x, real* columns, int H, int W, int C, int OH, int OW,
                                   int KH, int KW, int SH, int SW, int top, int left) {
  im2col_of<4>(size, x, columns, H, W, C, OH, OW, KH, KW, SH, SW, top, left);
}

// convolution/im2col.py: col2im. dx (N, H, W, C): each pixel finds its copies in the columns and adds them up.
template <int V> __device__ void col2im_of(unsigned size, const real* columns, real* dx, int H, int W, int C, int OH,
                                           int OW, int KH, int KW, int SH, int SW, int top, int left) {
  unsigned at = element();
  if (at >= size) return;
  int c = at % C, w = at / C % W, h = at / C / W % H, n = at / C / W / H;
  Pack<V> sum = {};
  for (int p = 0; p < KH; ++p) {
    int row = h + top - p, i = row / SH;
    if (row < 0 || row % SH || i >= OH) continue;
    for (int q = 0; q < KW; ++q) {
      int column = w + left - q, j = column / SW;
      if (column < 0 || column % SW || j >= OW) continue;
      Pack<V> copy = ((const Pack<V>*)columns)[((((size_t)n * OH + i) * OW + j) * KH * KW + p * KW + q) * C + c];
      for (int e = 0; e < V; ++e) sum.v[e] += copy.v[e];
    }
  }
  ((Pack<V>*)dx)[at] = sum;
}

extern "C" __global__ void col2im(unsigned size, const real* columns, real* dx, int H, int W, int C, int OH, int OW,
                                  int KH, int KW, int SH, int SW, int top, int left) {
  col2im_of<1>(size, columns, dx, H, W, C, OH, OW, KH, KW, SH, SW, top, left);
}

extern "C" __global__ void col2im4(unsigned size, const real* columns, real* dx, int H, int W, int C, int OH, int OW,
                                   int KH, int KW, int SH, int SW, int top, int left) {
  col2im_of<4>(size, columns, dx, H, W, C, OH, OW, KH, KW, SH, SW, top, left);
}

// convolution/row_windows.py: lay_out. x with `S` pixels per row and `T` rows per image, with zeros after each row and
// image, and `lead` pixels of zeros first. Pixels are counted without a sign: there may be more than 2^31.
template <int V> __device__ void lay_out_of(unsigned size, const real* x, real* flat, int N, int H, int W, int C, int T,
                                            int S, int lead) {
  unsigned at = element();
  if (at >= size) return;
  unsigned c = at % C, place = at / C, pixel = place - lead;
  unsigned w = pixel % S, h = pixel / S % T, n = pixel / S / T;
  bool inside = place >= (unsigned)lead && n < (unsigned)N && h < (unsigned)H && w < (unsigned)W;
  Pack<V> none = {};
  ((Pack<V>*)flat)[at] = inside ? ((const Pack<V>*)x)[(((size_t)n * H + h) * W + w) * C + c] : none;
}

extern "C" __global__ void lay_out(unsigned size, const real* x, real* flat, int N, int H, int W, int C, int T, int S,
                                   int lead) {
  lay_out_of<1>(size, x, flat, N, H, W, C, T, S, lead);
}

extern "C" __global__ void lay_out4(unsigned size, const real* x, real* flat, int N, int H, int W, int C, int T, int S,
                                    int lead) {
  lay_out_of<4>(size, x, flat, N, H, W, C, T, S, lead);
}

// convolution/row_windows.py: strip. Copies the pixels of y from an output in such rows (without lead), with bias and
// ReLU (convolution/epilogue.py: bias_relu).
template <int V> __device__ void strip_of(unsigned size, const real* flat, real* y, const real* bias, int OH, int OW,
                                          int K, int T, int S, int has_bias, int relu) {
  unsigned at = element();
  if (at >= size) return;
  unsigned k = at % K, j = at / K % OW, i = at / K / OW % OH, n = at / K / OW / OH;
  Pack<V> value = ((const Pack<V>*)flat)[(((size_t)n * T + i) * S + j) * K + k];
  for (int e = 0; e < V; ++e) {
    if (has_bias) value.v[e] += bias[V * k + e];
    if (relu && value.v[e] < 0) value.v[e] = 0;  // NaN stays NaN
  }
  ((Pack<V>*)y)[at] = value;
}

extern "C" __global__ void strip(unsigned size, const real* flat, real* y, const real* bias, int OH, int OW, int K,
                                 int T, int S, int has_bias, int relu) {
  strip_of<1>(size, flat, y, bias, OH, OW, K, T, S, has_bias, relu);
}

extern "C" __global__ void strip4(unsigned size, const real* flat, real* y, const real* bias, int OH, int OW, int K,
                                  int T, int S, int has_bias, int relu) {
  strip_of<4>(size, flat, y, bias, OH, OW, K, T, S, has_bias, relu);
}

// layers/max_pool2d.py: max_pool. y and the winner's place in the window; of equal ones the first, and NaN before all
// numbers. `outside` is the value of the padding, minus infinity.
template <int V> __device__ void max_pool_of(unsigned size, const real* x, real* y, unsigned char* winner, int H, int W,
                                             int C, int OH, int OW, int KH, int KW, int SH, int SW, int top, int left,
                                             real outside) {
  unsigned at = element();
  if (at >= size) return;
  int c = at % C, j = at / C % OW, i = at / C / OW % OH, n = at / C / OW / OH;
  Pack<V> best = {}, none;
  Bytes<V> places = {};
  for (int e = 0; e < V; ++e) none.v[e] = outside;
  for (int p = 0; p < KH; ++p)
    for (int q = 0; q < KW; ++q) {
      int h = i * SH + p - top, w = j * SW + q - left;
      bool inside = h >= 0 && h < H && w >= 0 && w < W, first = p == 0 && q == 0;
      Pack<V> values = inside ? ((const Pack<V>*)x)[(((size_t)n * H + h) * W + w) * C + c] : none;
      for (int e = 0; e < V; ++e) {
        real value = values.v[e], most = best.v[e];
        if (first || value > most || (value != value && most == most)) {
          best.v[e] = value;
          places.v[e] = p * KW + q;
        }
      }
    }
  ((Pack<V>*)y)[at] = best;
  ((Bytes<V>*)winner)[at] = places;
}

extern "C" __global__ void max_pool(unsigned size, const real* x, real* y, unsigned char* winner, int H, int W, int C,
                                    int OH, int OW, int KH, int KW, int SH, int SW, int top, int left, real outside) {
  max_pool_of<1>(size, x, y, winner, H, W, C, OH, OW, KH, KW, SH, SW, top, left, outside);
}

extern "C" __global__ void max_pool4(unsigned size, const real* x, real* y, unsigned char* winner, int H, int W, int C,
                                     int OH, int OW, int KH, int KW, int SH, int SW, int top, int left, real outside) {
  max_pool_of<4>(size, x, y, winner, H, W, C, OH, OW, KH, KW, SH, SW, top, left, outside);
}

// layers/max_pool2d.py: max_pool_backward. Each pixel adds up dy of the windows in which it is the winner.
template <int V> __device__ void max_pool_backward_of(unsigned size, const real* dy, const unsigned char* winner,
                                                      real* dx, int H, int W, int C, int OH, int OW, int KH, int KW,
                                                      int SH, int SW, int top, int left) {
  unsigned at = element();
  if (at >= size) return;
  int c = at % C, w = at / C % W, h = at / C / W % H, n = at / C / W / H;
  Pack<V> sum = {};
  for (int p = 0; p < KH; ++p) {
    int row = h + top - p, i = row / SH;
    if (row < 0 || row % SH || i >= OH) continue;
    for (int q = 0; q < KW; ++q) {
      int column = w + left - q, j = column / SW;
      if (column < 0 || column % SW || j >= OW) continue;
      size_t window = (((size_t)n * OH + i) * OW + j) * C + c;
      Bytes<V> places = ((const Bytes<V>*)winner)[window];
      Pack<V> d = ((const Pack<V>*)dy)[window];
      for (int e = 0; e < V; ++e)
        if (places.v[e] == p * KW + q) sum.v[e] += d.v[e];
    }
  }
  ((Pack<V>*)dx)[at] = sum;
}

extern "C" __global__ void max_pool_backward(unsigned size, const real* dy, const unsigned char* winner, real* dx,
                                             int H, int W, int C, int OH, int OW, int KH, int KW, int SH, int SW,
                                             int top, int left) {
  max_pool_backward_of<1>(size, dy, winner, dx, H, W, C, OH, OW, KH, KW, SH, SW, top, left);
}

extern "C" __global__ void max_pool_backward4(unsigned size, const real* dy, const unsigned char* winner, real* dx,
                                              int H, int W, int C, int OH, int OW, int KH, int KW, int SH, int SW,
                                              int top, int left) {
  max_pool_backward_of<4>(size, dy, winner, dx, H, W, C, OH, OW, KH, KW, SH, SW, top, left);
}
