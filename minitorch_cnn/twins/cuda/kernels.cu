// The GPU's kernels. Each is the twin of a Python definition, named above it, and computes the same in the same order.
//
// One thread computes one element of the result (or one column of sums) and reads what it needs. No two threads write to
// the same place, so there are no atomics and a result has the same bits every time. Threads share no memory either, so
// a C++ compiler can build this file and run the grid as two loops; that is how it is tested without a GPU.
//
// Images are (N, H, W, C), kernels (KH, KW, C, K). `size` is always the number of threads that have work.

#ifndef REAL
#define REAL float
#endif
typedef REAL real;

__device__ inline unsigned element() { return blockIdx.x * blockDim.x + threadIdx.x; }

// convolution/im2col.py: im2col. columns (N*OH*OW, KH*KW*C), one thread per element.
extern "C" __global__ void im2col(unsigned size, const real* x, real* columns, int H, int W, int C, int OH, int OW,
                                  int KH, int KW, int SH, int SW, int top, int left) {
  unsigned at = element();
  if (at >= size) return;
  int c = at % C, q = at / C % KW, p = at / C / KW % KH;
  unsigned pixel = at / C / KW / KH;
  int j = pixel % OW, i = pixel / OW % OH, n = pixel / OW / OH;
  int h = i * SH + p - top, w = j * SW + q - left;
  bool inside = h >= 0 && h < H && w >= 0 && w < W;
  columns[at] = inside ? x[(((size_t)n * H + h) * W + w) * C + c] : real(0);
}

// convolution/im2col.py: col2im. dx (N, H, W, C): each pixel finds its copies in the columns and adds them up.
extern "C" __global__ void col2im(unsigned size, const real* columns, real* dx, int H, int W, int C, int OH, int OW,
                                  int KH, int KW, int SH, int SW, int top, int left) {
  unsigned at = element();
  if (at >= size) return;
  int c = at % C, w = at / C % W, h = at / C / W % H, n = at / C / W / H;
  real sum = 0;
  for (int p = 0; p < KH; ++p) {
    int row = h + top - p, i = row / SH;
    if (row < 0 || row % SH || i >= OH) continue;
    for (int q = 0; q < KW; ++q) {
      int column = w + left - q, j = column / SW;
      if (column < 0 || column % SW || j >= OW) continue;
      sum += columns[((((size_t)n * OH + i) * OW + j) * KH * KW + p * KW + q) * C + c];
    }
  }
  dx[at] = sum;
}

// convolution/row_windows.py: lay_out. x with `S` pixels per row and `T` rows per image, with zeros after each row and
// image, and `lead` pixels of zeros first.
extern "C" __global__ void lay_out(unsigned size, const real* x, real* flat, int N, int H, int W, int C, int T, int S,
                                   int lead) {
  unsigned at = element();
  if (at >= size) return;
  int c = at % C, pixel = (int)(at / C) - lead;
  int w = pixel % S, h = pixel / S % T, n = pixel / S / T;
  bool inside = pixel >= 0 && n < N && h < H && w < W;
  flat[at] = inside ? x[(((size_t)n * H + h) * W + w) * C + c] : real(0);
}

// convolution/row_windows.py: strip. Copies the pixels of y from an output in such rows (without lead), with bias and
// ReLU (convolution/epilogue.py: bias_relu).
extern "C" __global__ void strip(unsigned size, const real* flat, real* y, const real* bias, int OH, int OW, int K,
                                 int T, int S, int has_bias, int relu) {
  unsigned at = element();
  if (at >= size) return;
  int k = at % K, j = at / K % OW, i = at / K / OW % OH, n = at / K / OW / OH;
  real value = flat[(((size_t)n * T + i) * S + j) * K + k];
  if (has_bias) value += bias[k];
  y[at] = relu && value < 0 ? real(0) : value;  // NaN stays NaN
}

// convolution/epilogue.py: bias_relu, in place on y (..., K).
extern "C" __global__ void bias_relu(unsigned size, real* y, const real* bias, int K, int has_bias, int relu) {
  unsigned at = element();
  if (at >= size) return;
  real value = y[at];
  if (has_bias) value += bias[at % K];
  y[at] = relu && value < 0 ? real(0) : value;
}

// convolution/epilogue.py: bias_relu_backward. Masks `length` rows of dy (rows, K) and adds them up; one thread per
// stripe of rows and channel: sums (stripes, K).
extern "C" __global__ void bias_relu_backward(unsigned size, const real* dy, const real* y, real* dscores, real* sums,
                                              int rows, int length, int K) {
  unsigned at = element();
  if (at >= size) return;
  int k = at % K, stripe = at / K, last = min((stripe + 1) * length, rows);
  real sum = 0;
  for (int row = stripe * length; row < last; ++row) {
    size_t place = (size_t)row * K + k;
    real value = y[place] > 0 ? dy[place] : real(0);
    dscores[place] = value;
    sum += value;
  }
  sums[at] = sum;
}

// reductions.py: channel_sum. One stage: `length` rows of x (rows, K) become one row of sums (stripes, K).
extern "C" __global__ void sum_rows(unsigned size, const real* x, real* sums, int rows, int length, int K) {
  unsigned at = element();
  if (at >= size) return;
  int k = at % K, stripe = at / K, last = min((stripe + 1) * length, rows);
  real sum = 0;
  for (int row = stripe * length; row < last; ++row) sum += x[(size_t)row * K + k];
  sums[at] = sum;
}

// activations.py: relu_backward.
extern "C" __global__ void relu_backward(unsigned size, const real* dy, const real* y, real* dx) {
  unsigned at = element();
  if (at >= size) return;
  dx[at] = y[at] > 0 ? dy[at] : real(0);
}

// layers/max_pool2d.py: max_pool. y and the winner's place in the window; of equal ones the first, and NaN before all
// numbers. `outside` is the value of the padding, minus infinity.
extern "C" __global__ void max_pool(unsigned size, const real* x, real* y, unsigned char* winner, int H, int W, int C,
                                    int OH, int OW, int KH, int KW, int SH, int SW, int top, int left, real outside) {
  unsigned at = element();
  if (at >= size) return;
  int c = at % C, j = at / C % OW, i = at / C / OW % OH, n = at / C / OW / OH;
  real best = 0;
  int place = 0;
  for (int p = 0; p < KH; ++p)
    for (int q = 0; q < KW; ++q) {
      int h = i * SH + p - top, w = j * SW + q - left;
      bool inside = h >= 0 && h < H && w >= 0 && w < W;
      real value = inside ? x[(((size_t)n * H + h) * W + w) * C + c] : outside;
      bool first = p == 0 && q == 0, is_nan = value != value, had_nan = best != best;
      if (first || value > best || (is_nan && !had_nan)) {
        best = value;
        place = p * KW + q;
      }
    }
  y[at] = best;
  winner[at] = place;
}

// layers/max_pool2d.py: max_pool_backward. Each pixel adds up dy of the windows in which it is the winner.
extern "C" __global__ void max_pool_backward(unsigned size, const real* dy, const unsigned char* winner, real* dx,
                                             int H, int W, int C, int OH, int OW, int KH, int KW, int SH, int SW,
                                             int top, int left) {
  unsigned at = element();
  if (at >= size) return;
  int c = at % C, w = at / C % W, h = at / C / W % H, n = at / C / W / H;
  real sum = 0;
  for (int p = 0; p < KH; ++p) {
    int row = h + top - p, i = row / SH;
    if (row < 0 || row % SH || i >= OH) continue;
    for (int q = 0; q < KW; ++q) {
      int column = w + left - q, j = column / SW;
      if (column < 0 || column % SW || j >= OW) continue;
      size_t window = (((size_t)n * OH + i) * OW + j) * C + c;
      if (winner[window] == p * KW + q) sum += dy[window];
    }
  }
  dx[at] = sum;
}

// losses.py: softmax_cross_entropy. One thread per row of scores (N, K), which suits few classes.
extern "C" __global__ void softmax_cross_entropy(unsigned size, const real* scores, const real* wanted, real* losses,
                                                 real* dscores, int K) {
  unsigned row = element();
  if (row >= size) return;
  const real *s = scores + (size_t)row * K, *t = wanted + (size_t)row * K;
  real largest = s[0], total = 0, weight = 0, loss = 0;
  for (int k = 1; k < K; ++k) largest = s[k] > largest ? s[k] : largest;
  for (int k = 0; k < K; ++k) total += exp(s[k] - largest);
  real log_total = log(total);
  for (int k = 0; k < K; ++k) {
    loss += t[k] * (log_total - (s[k] - largest));
    weight += t[k];
  }
  for (int k = 0; k < K; ++k)
    dscores[(size_t)row * K + k] = (exp(s[k] - largest) / total * weight - t[k]) / (real)size;
  losses[row] = loss;
}

// optimizers.py: sgd_update, rmsprop_update, adam_update. In place on the long vector of parameters. The learning rate
// changes from step to step, so it is in GPU memory, where a captured step reads the current one. With a rate that
// is NaN nothing changes.
extern "C" __global__ void sgd_update(unsigned size, real* w, const real* g, real* m, const real* rate, real momentum,
                                      real decay, int has_momentum, int nesterov) {
  unsigned at = element();
  if (at >= size || rate[0] != rate[0]) return;
  real keep = fma(-rate[0], decay, real(1)), pull = rate[0] * g[at], step = -pull;
  if (has_momentum) {
    real velocity = momentum * m[at] - pull;
    m[at] = velocity;
    step = nesterov ? momentum * velocity - pull : velocity;
  }
  w[at] = keep * w[at] + step;
}

extern "C" __global__ void rmsprop_update(unsigned size, real* w, const real* g, real* v, const real* rate, real rho,
                                          real rest, real epsilon, real decay) {
  unsigned at = element();
  if (at >= size || rate[0] != rate[0]) return;
  real square = rho * v[at] + rest * g[at] * g[at];
  v[at] = square;
  w[at] = fma(-rate[0], decay, real(1)) * w[at] - rate[0] * g[at] / sqrt(square + epsilon);
}

extern "C" __global__ void adam_update(unsigned size, real* w, const real* g, real* m, real* v, const real* rate,
                                       const real* corrected_rate, real rest_1, real rest_2, real epsilon, real decay) {
  unsigned at = element();
  if (at >= size || rate[0] != rate[0]) return;
  real mean = m[at] + rest_1 * (g[at] - m[at]), square = v[at] + rest_2 * (g[at] * g[at] - v[at]);
  m[at] = mean;
  v[at] = square;
  w[at] = fma(-rate[0], decay, real(1)) * w[at] - corrected_rate[0] * mean / (sqrt(square) + epsilon);
}

// philox.py: philox. Four words of random bits for a counter of four and a key of two.
__device__ inline void philox(unsigned* c, unsigned key0, unsigned key1) {
  for (int round = 0; round < 10; ++round) {
    unsigned high0 = __umulhi(0xD2511F53u, c[0]), low0 = 0xD2511F53u * c[0];
    unsigned high1 = __umulhi(0xCD9E8D57u, c[2]), low1 = 0xCD9E8D57u * c[2];
    c[0] = high1 ^ c[1] ^ key0;
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ key1;
    c[3] = low0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

// layers/dropout.py: drop. One thread per four numbers of x, because one counter of Philox gives four words; `draw`, the
// number of the call, is in GPU memory for captured steps.
extern "C" __global__ void drop(unsigned size, const real* x, real* y, bool* keep, const unsigned long long* draw,
                                unsigned numbers, unsigned threshold, real factor, unsigned key0, unsigned key1) {
  unsigned at = element();
  if (at >= size) return;
  unsigned bits[4] = {at, 0, (unsigned)draw[0], (unsigned)(draw[0] >> 32)};
  philox(bits, key0, key1);
  for (unsigned lane = 0; lane < 4 && 4 * at + lane < numbers; ++lane) {
    bool kept = bits[lane] >= threshold;
    keep[4 * at + lane] = kept;
    y[4 * at + lane] = kept ? x[4 * at + lane] * factor : real(0);
  }
}

// layers/dropout.py: scale.
extern "C" __global__ void scale(unsigned size, const real* x, const bool* keep, real* y, real factor) {
  unsigned at = element();
  if (at >= size) return;
  y[at] = keep[at] ? x[at] * factor : real(0);
}

// datasets/affine.py: _into_image. The pixel that stands in for `index`; -1 if there is none.
// fill: 0 the nearest pixel of the edge, 1 zero, 2 reflected.
__device__ inline int into_image(int index, int length, int fill) {
  if (index >= 0 && index < length) return index;
  if (fill == 1) return -1;
  if (fill == 0 || length == 1) return index < 0 ? 0 : length - 1;
  int period = 2 * length - 2, place = (index < 0 ? -index : index) % period;
  return place < length ? place : period - place;
}

// A shift that brings the same pixels and fits an int: reflected images repeat, others end after their length.
__device__ inline int clipped(long long shift, int length, int fill) {
  if (fill == 2 && length > 1) return (int)(shift % (2 * length - 2));
  return (int)(shift > length ? length : shift < -length ? -length : shift);
}

// datasets/affine.py: move. Images (N, H, W, bytes per pixel), mirrored and shifted by whole pixels.
extern "C" __global__ void move(unsigned size, const unsigned char* images, unsigned char* moved, const bool* flips,
                                const long long* shifts, int H, int W, int bytes, int fill) {
  unsigned at = element();
  if (at >= size) return;
  int b = at % bytes, w = at / bytes % W, h = at / bytes / W % H, n = at / bytes / W / H;
  int row = into_image(h - clipped(shifts[2 * n], H, fill), H, fill), column = w - clipped(shifts[2 * n + 1], W, fill);
  column = into_image(flips[n] ? W - 1 - column : column, W, fill);
  bool inside = row >= 0 && column >= 0;
  moved[at] = inside ? images[(((size_t)n * H + row) * W + column) * bytes + b] : (unsigned char)0;
}

// datasets/preprocessing.py: standardize. Pixels to floats, with a scale and a shift for each channel.
extern "C" __global__ void standardize(unsigned size, const unsigned char* images, real* x, const real* scale,
                                       const real* shift, int C) {
  unsigned at = element();
  if (at >= size) return;
  x[at] = (real)images[at] * scale[at % C] + shift[at % C];
}
