// A 3x3 convolution at stride 1 on tensor cores, without columns: the matrices of im2col are never written. A block of
// threads computes one tile of the product; it brings the parts of both matrices that the next slice of the sum needs to
// shared memory, where it finds the pixels of the columns in x itself.
//
// Tensor cores multiply in TF32: each number is rounded to 10 bits behind the binary point, sums are float32. Numbers of
// channels are multiples of 32. Three slices are in shared memory: while one is multiplied, two are on their way. Rows
// there are 4 or 8 numbers longer than they need to be, so that the 32 threads of a warp read from 32 different banks.
//
// For GPUs from compute capability 8.0 on; for others the kernels are empty, and `tensor_cores.py` does not launch them.

#ifndef HOST_SHIM  // what a C++ compiler does not know; for tests it is written out in tests/gpu/block_shim.h
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define TENSOR_CORES(code) code
#else
#define TENSOR_CORES(code)
#endif

// Copies 16 bytes to shared memory while the thread goes on; zeros unless `inside`.
__device__ inline void copy_four(float* there, const float* from, bool inside) {
  [[maybe_unused]] unsigned address = (unsigned)__cvta_generic_to_shared(there);
  [[maybe_unused]] int bytes = inside ? 16 : 0;
  TENSOR_CORES(asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes));)
}
__device__ inline void end_of_slice() { TENSOR_CORES(asm volatile("cp.async.commit_group;");) }
__device__ inline void wait_for_slice() { TENSOR_CORES(asm volatile("cp.async.wait_group 1;");) }  // all but the last

__device__ inline unsigned rounded(float number) {
  unsigned bits = 0;
  TENSOR_CORES(asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(number));)
  return bits;
}

// d (16, 8) += a (16, 8) @ b (8, 8), spread over the threads of a warp: thread (r, q) = (lane / 4, lane % 4) has
// a[r, q], a[r + 8, q], a[r, q + 4], a[r + 8, q + 4];  b[q, r], b[q + 4, r];  d[r, 2 q], d[r, 2 q + 1], and of row r + 8.
__device__ inline void multiply_add(float* d, const unsigned* a, const unsigned* b) {
  TENSOR_CORES(
      asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                   : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));)
}

extern __shared__ float memory[];
#endif

enum { SLICE = 32, STAGES = 3, WARP_ROWS = 32 };
struct alignas(8) Two { float v[2]; };

// One slice: a warp multiplies WARP_ROWS rows of A by BN / 2 columns of B. A number of A lies at row * A_ROW + k * A_K.
template <int BN, int A_ROW, int A_K> __device__ void multiply_slice(const float* A, const float* B, int lane,
                                                                     float (*sums)[BN / 16][4]) {
  int r = lane / 4, q = lane % 4;
#pragma unroll
  for (int k = 0; k < SLICE; k += 8) {
    unsigned a[2][4], b[BN / 16][2];
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int e = 0; e < 4; ++e) a[i][e] = rounded(A[(16 * i + r + 8 * (e % 2)) * A_ROW + (k + q + 4 * (e / 2)) * A_K]);
#pragma unroll
    for (int n = 0; n < BN / 16; ++n)
#pragma unroll
      for (int e = 0; e < 2; ++e) b[n][e] = rounded(B[(k + q + 4 * e) * (BN + 8) + 8 * n + r]);
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int n = 0; n < BN / 16; ++n) multiply_add(sums[i][n], a[i], b[n]);
  }
}

// Calls store(row, column, two neighbouring numbers) for all sums of a thread; its warp's part of the product begins at
// (row, column).
template <int BN, class F> __device__ inline void store_sums(float (*sums)[BN / 16][4], int row, int column, int lane,
                                                             F store) {
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int n = 0; n < BN / 16; ++n)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        Two value = {{sums[i][n][2 * half], sums[i][n][2 * half + 1]}};
        store(row + 16 * i + lane / 4 + 8 * half, column + 8 * n + lane % 4 * 2, value);
      }
}

// convolution/row_windows.py: forward, with bias and ReLU. Rows are the pixels of y (N, OH, OW, K), columns its channels,
// and the sum goes over the nine places in the window and, 32 at a time, the channels of x (N, H, W, C). Also dx: then x
// is dy and the kernel is turned. A block of 256 threads computes 128 pixels of BN channels.
template <int BN> __device__ void conv3x3_of(const float* x, const float* kernel, const float* bias, float* y, int N,
                                             int H, int W, int C, int OH, int OW, int K, int top, int left, int has_bias,
                                             int relu) {
  const int A_ROW = SLICE + 4, B_ROW = BN + 8, ROWS = 128, STAGE = ROWS * A_ROW + SLICE * B_ROW;
  const int t = threadIdx.x, warp = t / 32, lane = t % 32, tiles = K / BN;
  const int n0 = blockIdx.x % tiles * BN, m0 = blockIdx.x / tiles * ROWS, M = N * OH * OW, slices = 9 * C / SLICE;
  const int row = warp % 4 * WARP_ROWS, column = warp / 4 * (BN / 2);
  int h[4], w[4];  // where the windows of this thread's four pixels begin, and where their images do
  size_t image[4];
#pragma unroll
  for (int u = 0; u < 4; ++u) {
    int m = m0 + t / 8 + 32 * u;
    w[u] = m % OW - left;
    h[u] = m < M ? m / OW % OH - top : -4;  // beyond the last pixel: outside of every image
    image[u] = (size_t)(m / OW / OH) * H * W;
  }
  int p = 0, q = 0, c = 0, number = 0;  // of the next slice
  auto load = [&] {
    if (number < slices) {
      float *A = memory + number % STAGES * STAGE, *B = A + ROWS * A_ROW;
#pragma unroll
      for (int u = 0; u < 4; ++u) {
        bool inside = h[u] + p >= 0 && h[u] + p < H && w[u] + q >= 0 && w[u] + q < W;
        size_t pixel = inside ? image[u] + (size_t)(h[u] + p) * W + (w[u] + q) : 0;
        copy_four(A + (t / 8 + 32 * u) * A_ROW + t % 8 * 4, x + pixel * C + c + t % 8 * 4, inside);
      }
      for (int i = t; i < SLICE * BN / 4; i += 256)
        copy_four(B + i / (BN / 4) * B_ROW + i % (BN / 4) * 4,
                  kernel + ((size_t)number * SLICE + i / (BN / 4)) * K + n0 + i % (BN / 4) * 4, true);
      c += SLICE;
      if (c == C) {
        c = 0;
        if (++q == 3) q = 0, ++p;
      }
    }
    ++number;
    end_of_slice();
  };
  float sums[2][BN / 16][4] = {};
  load();
  load();
  for (int slice = 0; slice < slices; ++slice) {
    wait_for_slice();
    __syncthreads();
    load();
    const float *A = memory + slice % STAGES * STAGE, *B = A + ROWS * A_ROW;
    multiply_slice<BN, A_ROW, 1>(A + row * A_ROW, B + column, lane, sums);
  }
  store_sums<BN>(sums, m0 + row, n0 + column, lane, [&](int m, int k, Two value) {
    for (int e = 0; e < 2; ++e) {
      float v = value.v[e] + (has_bias ? bias[k + e] : 0.f);
      value.v[e] = relu && v < 0 ? 0.f : v;
    }
    if (m < M) *(Two*)(y + (size_t)m * K + k) = value;
  });
}

extern "C" __global__ void __launch_bounds__(256) conv3x3_32(const float* x, const float* kernel, const float* bias, float* y,
    int N, int H, int W, int C, int OH, int OW, int K, int top, int left, int has_bias, int relu) {
  conv3x3_of<32>(x, kernel, bias, y, N, H, W, C, OH, OW, K, top, left, has_bias, relu);
}

extern "C" __global__ void __launch_bounds__(256) conv3x3_64(const float* x, const float* kernel, const float* bias, float* y,
    int N, int H, int W, int C, int OH, int OW, int K, int top, int left, int has_bias, int relu) {
  conv3x3_of<64>(x, kernel, bias, y, N, H, W, C, OH, OW, K, top, left, has_bias, relu);
}

// convolution/row_windows.py: backward_kernel. Rows are the 9 C numbers of a filter, columns the K filters, and the sum
// goes over the pixels of dy (N, OH, OW, K): every block of 192 threads adds up `length` of them, a multiple of 32, for 96
// rows and BN columns: partial (pieces, 9 C, K).
template <int BN> __device__ void dkernel3x3_of(const float* x, const float* dy, float* partial, int N, int H, int W,
                                                int C, int OH, int OW, int K, int top, int left, int length) {
  const int ROWS = 96, A_K = ROWS + 8, B_ROW = BN + 8, STAGE = SLICE * (A_K + B_ROW);
  const int t = threadIdx.x, warp = t / 32, lane = t % 32, columns = K / BN, tiles = 9 * C / ROWS;
  const int n0 = blockIdx.x % columns * BN, m0 = blockIdx.x / columns % tiles * ROWS;
  const int piece = blockIdx.x / columns / tiles, M = N * OH * OW;
  const int row = warp % 3 * WARP_ROWS, column = warp / 3 * (BN / 2);
  const int four = t % 24 * 4, place = (m0 + four) / C, c = (m0 + four) % C;  // this thread's four rows, always the same
  const int p = place / 3 - top, q = place % 3 - left;
  int first = piece * length, last = M - first < length ? M : first + length;  // and its four pixels, 8 apart
  int j[4], i[4], n[4];
#pragma unroll
  for (int u = 0; u < 4; ++u) {
    int m = first + t / 24 + 8 * u;
    j[u] = m % OW, i[u] = m / OW % OH, n[u] = m / OW / OH;
  }
  const int dj = SLICE % OW, di = SLICE / OW % OH, dn = SLICE / OW / OH, slices = (last - first + SLICE - 1) / SLICE;
  int number = 0;  // of the next slice
  auto load = [&] {
    if (number < slices) {
      float *A = memory + number % STAGES * STAGE, *B = A + SLICE * A_K;
      int begin = first + number * SLICE;
#pragma unroll
      for (int u = 0; u < 4; ++u) {
        int h = i[u] + p, w = j[u] + q, k = t / 24 + 8 * u;
        bool inside = begin + k < last && h >= 0 && h < H && w >= 0 && w < W;
        size_t pixel = inside ? ((size_t)n[u] * H + h) * W + w : 0;
        copy_four(A + k * A_K + four, x + pixel * C + c, inside);
        j[u] += dj, i[u] += di, n[u] += dn;  // 32 pixels further on, without a division
        if (j[u] >= OW) j[u] -= OW, ++i[u];
        if (i[u] >= OH) i[u] -= OH, ++n[u];
      }
      for (int at = t; at < SLICE * BN / 4; at += 192) {
        int k = at / (BN / 4);
        bool inside = begin + k < last;
        copy_four(B + k * B_ROW + at % (BN / 4) * 4, dy + (size_t)(inside ? begin + k : 0) * K + n0 + at % (BN / 4) * 4,
                  inside);
      }
    }
    ++number;
    end_of_slice();
  };
  float sums[2][BN / 16][4] = {};
  load();
  load();
  for (int slice = 0; slice < slices; ++slice) {
    wait_for_slice();
    __syncthreads();
    load();
    const float *A = memory + slice % STAGES * STAGE, *B = A + SLICE * A_K;
    multiply_slice<BN, 1, A_K>(A + row, B + column, lane, sums);
  }
  store_sums<BN>(sums, m0 + row, n0 + column, lane, [&](int m, int k, Two value) {
    *(Two*)(partial + ((size_t)piece * 9 * C + m) * K + k) = value;
  });
}

extern "C" __global__ void __launch_bounds__(192) dkernel3x3_32(const float* x, const float* dy, float* partial, int N, int H,
    int W, int C, int OH, int OW, int K, int top, int left, int length) {
  dkernel3x3_of<32>(x, dy, partial, N, H, W, C, OH, OW, K, top, left, length);
}

extern "C" __global__ void __launch_bounds__(192) dkernel3x3_64(const float* x, const float* dy, float* partial, int N, int H,
    int W, int C, int OH, int OW, int K, int top, int left, int length) {
  dkernel3x3_of<64>(x, dy, partial, N, H, W, C, OH, OW, K, top, left, length);
}
