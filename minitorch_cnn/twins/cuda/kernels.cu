// The GPU's kernels. Each is the twin of a Python definition, named above it, and computes the same in the same order.
// This file has those that go through arrays number by number; `windows.cu`, `sums.cu` and the others follow it, and all
// of them are compiled as one.
//
// One thread computes one element of the result (or one column of sums) and reads what it needs. No two threads write to
// the same place, so there are no atomics and a result has the same bits every time. Threads share no memory either, so
// a C++ compiler can build this file and run the grid as two loops; that is how it is tested without a GPU.
//
// Images are (N, H, W, C), kernels (KH, KW, C, K). `size` is always the number of threads that have work.
//
// A kernel called `...4` does the same with four neighbouring channels per thread: it loads and stores them at once and
// finds out only once where they lie. It is for numbers of channels that are multiples of four, and for arrays that
// begin at multiples of four numbers; sizes and channels are then counted in fours.

#ifndef REAL
#define REAL float
#endif
typedef REAL real;

template <int V> struct alignas(V * sizeof(real)) Pack { real v[V]; };          // V neighbouring numbers
template <int V> struct alignas(V) Bytes { unsigned char v[V]; };

__device__ inline unsigned element() { return blockIdx.x * blockDim.x + threadIdx.x; }

// Pixel `number` of images (N, H, W), and the other way round.
struct Pixel { unsigned n, h, w; };
__device__ inline Pixel pixel_of(unsigned number, int H, int W) { return {number / W / H, number / W % H, number % W}; }
__device__ inline size_t number_of(unsigned n, int h, int w, int H, int W) { return ((size_t)n * H + h) * W + w; }
__device__ inline bool is_inside(int h, int w, int H, int W) { return h >= 0 && h < H && w >= 0 && w < W; }

// Whether one of `count` windows, `stride` apart, begins at `place`; `number` becomes its number.
__device__ inline bool begins_window(int place, int stride, int count, int& number) {
  number = place / stride;
  return place >= 0 && place % stride == 0 && number < count;
}

// A thread that adds up a stripe of `length` rows of a matrix (rows, K): its channel, and the stripe.
struct Stripe { unsigned k, number, first, last; };
__device__ inline Stripe stripe_of(unsigned at, int rows, int length, int K) {
  unsigned number = at / K, first = number * length;
  return {at % K, number, first, min(first + length, (unsigned)rows)};
}

// activations.py: relu_backward.
extern "C" __global__ void relu_backward(unsigned size, const real* dy, const real* y, real* dx) {
  unsigned at = element();
  if (at >= size) return;
  dx[at] = y[at] > 0 ? dy[at] : real(0);
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
  auto [n, h, w] = pixel_of(at / bytes, H, W);
  int row = into_image(h - clipped(shifts[2 * n], H, fill), H, fill), column = w - clipped(shifts[2 * n + 1], W, fill);
  column = into_image(flips[n] ? W - 1 - column : column, W, fill);
  bool inside = row >= 0 && column >= 0;
  moved[at] = inside ? images[number_of(n, row, column, H, W) * bytes + at % bytes] : (unsigned char)0;
}

// datasets/preprocessing.py: standardize. Pixels to floats, with a scale and a shift for each channel.
extern "C" __global__ void standardize(unsigned size, const unsigned char* images, real* x, const real* scale,
                                       const real* shift, int C) {
  unsigned at = element();
  if (at >= size) return;
  x[at] = (real)images[at] * scale[at % C] + shift[at % C];
}
