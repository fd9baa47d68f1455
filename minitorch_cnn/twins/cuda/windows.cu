// Kernels for windows that slide over images: columns, layouts of rows, pools.

// convolution/im2col.py: im2col. columns (N*OH*OW, KH*KW*C), one thread per element.
template <int V> __device__ void im2col_of(unsigned size, const real* x, real* columns, int H, int W, int C, int OH,
                                           int OW, int KH, int KW, int SH, int SW, int top, int left) {
  unsigned at = element();
  if (at >= size) return;
  int c = at % C, q = at / C % KW, p = at / C / KW % KH;
  auto [n, i, j] = pixel_of(at / C / KW / KH, OH, OW);
  int h = i * SH + p - top, w = j * SW + q - left;
  Pack<V> none = {};
  ((Pack<V>*)columns)[at] = is_inside(h, w, H, W) ? ((const Pack<V>*)x)[number_of(n, h, w, H, W) * C + c] : none;
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
  unsigned c = at % C;
  auto [n, h, w] = pixel_of(at / C, H, W);
  Pack<V> sum = {};
  for (int p = 0, i; p < KH; ++p) {
    if (!begins_window(h + top - p, SH, OH, i)) continue;
    for (int q = 0, j; q < KW; ++q) {
      if (!begins_window(w + left - q, SW, OW, j)) continue;
      Pack<V> copy = ((const Pack<V>*)columns)[(number_of(n, i, j, OH, OW) * KH * KW + p * KW + q) * C + c];
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
//
// Whether x has a pixel at this place of the layout; `pixel` becomes its number in x.
__device__ inline bool is_laid_out(unsigned place, int N, int H, int W, int T, int S, int lead, size_t& pixel) {
  auto [n, h, w] = pixel_of(place - lead, T, S);
  pixel = number_of(n, h, w, H, W);
  return place >= (unsigned)lead && n < (unsigned)N && h < (unsigned)H && w < (unsigned)W;
}

template <int V> __device__ void lay_out_of(unsigned size, const real* x, real* flat, int N, int H, int W, int C, int T,
                                            int S, int lead) {
  unsigned at = element();
  if (at >= size) return;
  size_t pixel;
  bool inside = is_laid_out(at / C, N, H, W, T, S, lead, pixel);
  Pack<V> none = {};
  ((Pack<V>*)flat)[at] = inside ? ((const Pack<V>*)x)[pixel * C + at % C] : none;
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
  unsigned k = at % K;
  auto [n, i, j] = pixel_of(at / K, OH, OW);
  Pack<V> value = ((const Pack<V>*)flat)[number_of(n, i, j, T, S) * K + k];
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
  unsigned c = at % C;
  auto [n, i, j] = pixel_of(at / C, OH, OW);
  Pack<V> best = {}, none;
  Bytes<V> places = {};
  for (int e = 0; e < V; ++e) none.v[e] = outside;
  for (int p = 0; p < KH; ++p)
    for (int q = 0; q < KW; ++q) {
      int h = i * SH + p - top, w = j * SW + q - left;
      bool first = p == 0 && q == 0;
      Pack<V> values = is_inside(h, w, H, W) ? ((const Pack<V>*)x)[number_of(n, h, w, H, W) * C + c] : none;
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
  unsigned c = at % C;
  auto [n, h, w] = pixel_of(at / C, H, W);
  Pack<V> sum = {};
  for (int p = 0, i; p < KH; ++p) {
    if (!begins_window(h + top - p, SH, OH, i)) continue;
    for (int q = 0, j; q < KW; ++q) {
      if (!begins_window(w + left - q, SW, OW, j)) continue;
      size_t window = number_of(n, i, j, OH, OW) * C + c;
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
