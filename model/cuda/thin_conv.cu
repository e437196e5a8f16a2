/* thin_conv.cu - see thin_conv.h. One side of the convolution is thin (O <= 4 channels), the other wide; which is the
 * input makes no difference but for the taps, which run the other way:
 *   gather    thin[i,j,o] = sum over c,p,q of w(o,c,p,q) wide[i + p - pad, j + q - pad, c]
 *   spread    wide[i,j,c] = sum over o,p,q of w(o,c,p,q) thin[i - p + pad, j - q + pad, o]
 *   weights   dw(o,c,p,q) = sum over images,i,j of wide[i,j,c] thin[i - p + pad, j - q + pad, o]
 * Forward with a thin output gathers and its data gradient spreads; with a thin input it is the other way around. Each
 * wide value meets 9 O products for 2 or 4 bytes: for O = 3 about as much arithmetic as memory allows, so a value is
 * multiplied out of registers, and what shared memory hands over serves several products.
 *
 * By count, for the last layer of ict-cifar10 (256 images of 32 x 32, 256 -> 3, wide side in bf16): 137 MB and
 * 3.6 GFLOP a pass, so 46 us at 3 TB/s and 54 us at 67 TFLOP/s; the weights' parts add 15 MB on 132 multiprocessors. */
#include "model/cuda/thin_conv.h"

enum { THIN = 4, TILE = 16, PIXELS = TILE * TILE }; /* a block takes square tiles of an image's pixels */
/* gather: channels at a time, of a thread, and floats between pixels, so that eight lanes that read four each meet no
 * bank twice */
enum { CHUNK = 16, QUAD = 4, LINE = CHUNK + QUAD };
enum { SLICES = CHUNK / QUAD, ROWS = PIXELS * SLICES / BLOCK }; /* of channels; pixels below each other of one thread */
enum { PAIR = 2 };                                              /* spread, weights: channels of a thread */

struct side {
	struct val v;
	int h, w;
	int64_t c;
};

enum bias_of { NO_BIAS, OF_THIN, OF_WIDE }; /* whose sums are the gradient of the bias */

struct job {
	struct side wide, thin;
	struct val w, bias;
	int64_t images, w_thin, w_wide, w_tap; /* between weights of neighbouring channels, of neighbouring taps */
	int k, pad, last_tap, relu;  /* k x k taps; tap t of the job is last_tap - t of the weights, or t if that is -1 */
	int tiles_h, tiles_w, lanes; /* tiles of an image; threads of a block that share a pixel (spread, weights) */
	int64_t parts_c, items;      /* groups of lanes along channels; tiles of all images */
	/* weights: */
	int64_t chunks, stride; /* runs of tiles; floats of one run's sums, of weights and then of bias */
	float *partial;         /* (chunks, stride) */
	enum bias_of bias_of;
};

__device__ static inline int64_t weight_at(const struct job &p, int o, int64_t c, int tap)
{
	return o * p.w_thin + c * p.w_wide + (p.last_tap < 0 ? tap : p.last_tap - tap) * p.w_tap;
}

__device__ static inline int64_t pixel_at(const struct side &s, int64_t n, int row, int col)
{
	return ((n * s.h + row) * s.w + col) * s.c;
}

__device__ static inline bool within(const struct side &s, int row, int col)
{
	return row >= 0 && row < s.h && col >= 0 && col < s.w;
}

/* Tile `item` of what a job covers: its image and first pixel. */
struct spot {
	int64_t n;
	int row, col;
};

__device__ static inline struct spot spot_of(const struct job &p, int64_t item)
{
	int64_t tiles = (int64_t)p.tiles_h * p.tiles_w, rest = item % tiles;
	struct spot s = { item / tiles, (int)(rest / p.tiles_w) * TILE, (int)(rest % p.tiles_w) * TILE };
	return s;
}

/* ---- gather ---------------------------------------------------------------------------------- */

/* A chunk of the wide side's channels, over the tile and what its taps reach beyond it. */
template <int SPAN> __device__ static inline void stage_wide(const struct job &p, struct spot at, int64_t c, float *x)
{
	enum { RUNS = CHUNK / VEC };
	for (int i = (int)threadIdx.x; i < SPAN * SPAN * RUNS; i += BLOCK) {
		int pixel = i / RUNS, row = at.row + pixel / SPAN - p.pad, col = at.col + pixel % SPAN - p.pad;
		int64_t first = c + i % RUNS * VEC, left = p.wide.c - first;
		int count = !within(p.wide, row, col) || left < 0 ? 0 : left < VEC ? (int)left : VEC;
		float v[VEC];
		val_load(v, p.wide.v, pixel_at(p.wide, at.n, row, col) + first, count);
		float4 *to = (float4 *)(x + pixel * LINE + i % RUNS * VEC);
		to[0] = make_float4(v[0], v[1], v[2], v[3]);
		to[1] = make_float4(v[4], v[5], v[6], v[7]);
	}
}

/* One tile of pixels. A thread has ROWS pixels below each other and, of each chunk, one slice of channels; the slices'
 * sums are added in order at the end. */
template <int O, int K> static __global__ void __launch_bounds__(BLOCK) gather_kernel(struct job p)
{
	enum { SPAN = TILE + K - 1, TAPS = K * K, LANES = BLOCK / SLICES };
	SHARED(float, x, SPAN *SPAN *LINE);
	SHARED(float, w, TAPS *O *CHUNK);
	struct spot at = spot_of(p, blockIdx.x);
	int t = (int)threadIdx.x, col = t % TILE, row = t % LANES / TILE * ROWS, slice = t / LANES;
	float sum[ROWS][O] = {};
	for (int64_t c = 0; c < p.wide.c; c += CHUNK) {
		__syncthreads(); /* the chunk before is no longer read */
		stage_wide<SPAN>(p, at, c, x);
		for (int i = t; i < TAPS * O * CHUNK; i += BLOCK)
			w[i] = c + i % CHUNK < p.wide.c ? val_get(p.w, weight_at(p, i / CHUNK % O, c + i % CHUNK, i / CHUNK / O))
			                                : 0;
		__syncthreads();
#pragma unroll
		for (int q = 0; q < K; q++) {
			float4 v[ROWS + K - 1];
#pragma unroll
			for (int r = 0; r < ROWS + K - 1; r++)
				v[r] = *(const float4 *)(x + ((row + r) * SPAN + col + q) * LINE + slice * QUAD);
#pragma unroll
			for (int i = 0; i < K * O; i++) {
				int tap_row = i / O, o = i % O;
				float4 k = *(const float4 *)(w + ((tap_row * K + q) * O + o) * CHUNK + slice * QUAD);
#pragma unroll
				for (int r = 0; r < ROWS; r++) {
					float4 u = v[r + tap_row];
					sum[r][o] += u.x * k.x + u.y * k.y + u.z * k.z + u.w * k.w;
				}
			}
		}
	}
	__syncthreads(); /* the last chunk is no longer read */
#pragma unroll
	for (int r = 0; r < ROWS; r++)
#pragma unroll
		for (int o = 0; o < O; o++)
			x[(o * SLICES + slice) * PIXELS + (row + r) * TILE + col] = sum[r][o];
	__syncthreads();
	row = at.row + t / TILE;
	col += at.col;
	if (row >= p.thin.h || col >= p.thin.w)
		return;
#pragma unroll
	for (int o = 0; o < O; o++) {
		float y = 0;
		for (int s = 0; s < SLICES; s++)
			y += x[(o * SLICES + s) * PIXELS + t];
		y += p.bias.p ? val_get(p.bias, o) : 0;
		val_put(p.thin.v, pixel_at(p.thin, at.n, row, col) + o, p.relu && !(y > 0) ? 0 : y);
	}
}

/* ---- spread, weights ------------------------------------------------------------------------- */

/* The thin side, four floats to a pixel, as the taps of a tile of the wide side reach it: staged pixel (i, j) lies at
 * the tile's first pixel + i - (K - 1) + pad. */
template <int O, int K> __device__ static inline void stage_thin(const struct job &p, struct spot at, float4 *to)
{
	enum { SPAN = TILE + K - 1 };
	for (int i = (int)threadIdx.x; i < SPAN * SPAN; i += BLOCK) {
		int row = at.row + i / SPAN - (K - 1) + p.pad, col = at.col + i % SPAN - (K - 1) + p.pad;
		float v[THIN] = {};
		if (within(p.thin, row, col))
#pragma unroll
			for (int o = 0; o < O; o++)
				v[o] = val_get(p.thin.v, pixel_at(p.thin, at.n, row, col) + o);
		to[i] = make_float4(v[0], v[1], v[2], v[3]);
	}
}

/* What tap `tap` of pixel (row, col) of the tile reads. */
template <int K> __device__ static inline void tap_of(float d[THIN], const float4 *thin, int row, int col, int tap)
{
	enum { SPAN = TILE + K - 1 };
	float4 v = thin[(row + K - 1 - tap / K) * SPAN + col + K - 1 - tap % K];
	d[0] = v.x, d[1] = v.y, d[2] = v.z, d[3] = v.w;
}

/* The thread's two channels: c and how many there are; and its pixels of a tile: row, row + rows, .. */
struct seat {
	int64_t c;
	int count, row, rows;
};

__device__ static inline struct seat seat_of(const struct job &p, int64_t part)
{
	struct seat s;
	s.c = (part * p.lanes + (int)threadIdx.x % p.lanes) * PAIR;
	s.count = s.c >= p.wide.c ? 0 : p.wide.c - s.c < PAIR ? 1 : PAIR;
	s.row = (int)threadIdx.x / p.lanes;
	s.rows = BLOCK / p.lanes;
	return s;
}

/* In one access where v.wide. */
__device__ static inline void pair_load(float x[PAIR], struct val v, int64_t i, int count)
{
	if (v.wide && v.low) {
		unsigned u = *(const unsigned *)((const unsigned short *)v.p + i);
		x[0] = of_low((unsigned short)u), x[1] = of_low((unsigned short)(u >> 16));
	} else if (v.wide) {
		float2 f = *(const float2 *)((const float *)v.p + i);
		x[0] = f.x, x[1] = f.y;
	} else {
		x[0] = val_get(v, i), x[1] = count > 1 ? val_get(v, i + 1) : 0;
	}
}

__device__ static inline void pair_store(struct val v, int64_t i, int count, const float x[PAIR])
{
	if (v.wide && v.low) {
		*(unsigned *)((unsigned short *)v.p + i) = (unsigned)to_low(x[0]) | (unsigned)to_low(x[1]) << 16;
	} else if (v.wide) {
		*(float2 *)((float *)v.p + i) = make_float2(x[0], x[1]);
	} else {
		val_put(v, i, x[0]);
		if (count > 1)
			val_put(v, i + 1, x[1]);
	}
}

/* One tile of pixels by `lanes` pairs of channels, whose weights stay in registers. */
template <int O, int K> static __global__ void __launch_bounds__(BLOCK) spread_kernel(struct job p)
{
	enum { SPAN = TILE + K - 1, TAPS = K * K };
	SHARED(float4, thin, SPAN * SPAN);
	struct spot at = spot_of(p, blockIdx.x / p.parts_c);
	struct seat s = seat_of(p, blockIdx.x % p.parts_c);
	float w[TAPS][O][PAIR], b[PAIR];
#pragma unroll
	for (int i = 0; i < TAPS * O * PAIR; i++) {
		int tap = i / PAIR / O, o = i / PAIR % O, j = i % PAIR;
		w[tap][o][j] = j < s.count ? val_get(p.w, weight_at(p, o, s.c + j, tap)) : 0;
	}
#pragma unroll
	for (int j = 0; j < PAIR; j++)
		b[j] = p.bias.p && j < s.count ? val_get(p.bias, s.c + j) : 0;
	stage_thin<O, K>(p, at, thin);
	__syncthreads();
	for (int i = s.row; i < PIXELS; i += s.rows) {
		int row = i / TILE, col = i % TILE;
		float sum[PAIR] = {};
		if (s.count == 0 || !within(p.wide, at.row + row, at.col + col))
			continue;
#pragma unroll
		for (int tap = 0; tap < TAPS; tap++) {
			float d[THIN];
			tap_of<K>(d, thin, row, col, tap);
#pragma unroll
			for (int o = 0; o < O; o++) {
				sum[0] += d[o] * w[tap][o][0];
				sum[1] += d[o] * w[tap][o][1];
			}
		}
#pragma unroll
		for (int j = 0; j < PAIR; j++) {
			sum[j] += b[j];
			sum[j] = p.relu && !(sum[j] > 0) ? 0 : sum[j];
		}
		pair_store(p.wide.v, pixel_at(p.wide, at.n, at.row + row, at.col + col) + s.c, s.count, sum);
	}
}

/* The sum over the threads of each channel, in order of rows, for the first row; none where channels are none. */
__device__ static inline void put_sums(const struct job &p, struct seat s, float *shared, const float x[PAIR],
                                       float *to, int64_t step)
{
	__syncthreads(); /* the sums before are read */
#pragma unroll
	for (int j = 0; j < PAIR; j++)
		shared[j * BLOCK + (int)threadIdx.x] = x[j];
	__syncthreads();
	for (int j = 0; j < s.count && s.row == 0; j++) {
		float sum = 0;
		for (int r = 0; r < s.rows; r++)
			sum += shared[j * BLOCK + r * p.lanes + (int)threadIdx.x];
		to[j * step] = sum;
	}
}

/* A chunk's share of the pixels of the thin side, added up by channel. */
template <int O> __device__ static inline void thin_sums(const struct job &p, int64_t chunk, float *shared, float *to)
{
	int64_t pixels = p.images * p.thin.h * p.thin.w, each = (pixels + p.chunks - 1) / p.chunks, first = chunk * each,
			last = first + each < pixels ? first + each : pixels;
	float sum[O] = {};
	for (int64_t i = first + threadIdx.x; i < last; i += BLOCK)
#pragma unroll
		for (int o = 0; o < O; o++)
			sum[o] += val_get(p.thin.v, i * O + o);
#pragma unroll
	for (int o = 0; o < O; o++) {
		float all = block_sum(sum[o], shared);
		if (threadIdx.x == 0)
			to[o] = all;
	}
}

/* A chunk of tiles by `lanes` pairs of channels: the sums of all taps stay in registers, each wide value is read once
 * and straight from memory. */
template <int O, int K> static __global__ void __launch_bounds__(BLOCK, 2) weights_kernel(struct job p)
{
	enum { SPAN = TILE + K - 1, TAPS = K * K };
	SHARED(float4, thin, SPAN * SPAN);
	SHARED(float, shared, PAIR *BLOCK);
	int64_t chunk = blockIdx.x / p.parts_c, part = blockIdx.x % p.parts_c, each = (p.items + p.chunks - 1) / p.chunks;
	int64_t last = (chunk + 1) * each < p.items ? (chunk + 1) * each : p.items;
	struct seat s = seat_of(p, part);
	float sum[TAPS][O][PAIR] = {}, bias[PAIR] = {};
	for (int64_t item = chunk * each; item < last; item++) {
		struct spot at = spot_of(p, item);
		__syncthreads(); /* the tile before is no longer read */
		stage_thin<O, K>(p, at, thin);
		__syncthreads();
#pragma unroll 4
		for (int i = s.row; i < PIXELS; i += s.rows) {
			int row = i / TILE, col = i % TILE;
			float x[PAIR] = {};
			if (s.count && within(p.wide, at.row + row, at.col + col))
				pair_load(x, p.wide.v, pixel_at(p.wide, at.n, at.row + row, at.col + col) + s.c, s.count);
			bias[0] += x[0];
			bias[1] += x[1];
#pragma unroll
			for (int tap = 0; tap < TAPS; tap++) {
				float d[THIN];
				tap_of<K>(d, thin, row, col, tap);
#pragma unroll
				for (int o = 0; o < O; o++) {
					sum[tap][o][0] += x[0] * d[o];
					sum[tap][o][1] += x[1] * d[o];
				}
			}
		}
	}
	float *to = p.partial + chunk * p.stride, *to_bias = to + p.wide.c * O * TAPS;
#pragma unroll
	for (int i = 0; i < TAPS * O; i++)
		put_sums(p, s, shared, sum[i / O][i % O], to + weight_at(p, i % O, s.c, i / O), p.w_wide);
	if (p.bias_of == OF_WIDE)
		put_sums(p, s, shared, bias, to_bias + s.c, 1);
	else if (p.bias_of == OF_THIN && part == 0)
		thin_sums<O>(p, chunk, shared, to_bias);
}

/* ---- launching ------------------------------------------------------------------------------- */

typedef void (*kernel_of_job)(struct job);
#define BY_SHAPE(kernel) \
	{ \
		{ kernel<1, 1>, kernel<2, 1>, kernel<3, 1>, kernel<4, 1> }, \
			{ kernel<1, 3>, kernel<2, 3>, kernel<3, 3>, kernel<4, 3> }, \
	}
static const kernel_of_job gathers[2][THIN] = BY_SHAPE(gather_kernel), spreads[2][THIN] = BY_SHAPE(spread_kernel),
						   weights[2][THIN] = BY_SHAPE(weights_kernel);

bool thin_conv_takes(const struct dnn_shape *s, bool strict)
{
	return s->stride == 1 && s->kh == s->kw && (s->kh == 1 || s->kh == 3) && s->pad_h == s->pad_w &&
	       (s->oc <= THIN || (strict && s->ic <= THIN));
}

static bool output_is_thin(const struct dnn_shape *s)
{
	return s->oc <= THIN;
}

/* The job without its tiles. Single pixels have no neighbours, so they may lie in images of any shape. */
static struct job job_of(const struct dnn_shape *s, struct val x, struct thin_weights w, struct val y)
{
	struct job p = {};
	struct side in = { x, (int)s->h, (int)s->w, s->ic }, out = { y, (int)s->oh, (int)s->ow, s->oc };
	int64_t taps = s->kh * s->kw;
	p.images = s->n;
	p.k = (int)s->kh;
	if (taps == 1 && s->pad_h == 0) {
		int64_t pixels = s->n * s->h * s->w, width = TILE;
		while (pixels % width)
			width /= 2;
		p.images = 1;
		in.w = out.w = (int)width;
		in.h = out.h = (int)(pixels / width);
	}
	bool thin_out = output_is_thin(s);
	p.wide = thin_out ? in : out;
	p.thin = thin_out ? out : in;
	int64_t w_out = taps * s->ic, w_in = w.by_taps ? 1 : taps;
	p.w = w.v;
	p.w_thin = thin_out ? w_out : w_in;
	p.w_wide = thin_out ? w_in : w_out;
	p.w_tap = w.by_taps ? s->ic : 1;
	p.pad = thin_out ? (int)s->pad_h : p.k - 1 - (int)s->pad_h;
	p.last_tap = thin_out ? -1 : (int)taps - 1;
	p.lanes = 1;
	while (p.lanes < BLOCK / 2 && p.lanes * PAIR < p.wide.c)
		p.lanes *= 2;
	p.parts_c = (p.wide.c + p.lanes * PAIR - 1) / (p.lanes * PAIR);
	return p;
}

static void cut(struct job *p, const struct side *s)
{
	p->tiles_h = (s->h + TILE - 1) / TILE;
	p->tiles_w = (s->w + TILE - 1) / TILE;
	p->items = p->images * p->tiles_h * p->tiles_w;
}

static void gather(struct cuda *cu, struct job *p)
{
	cut(p, &p->thin);
	p->wide.v.wide = p->wide.v.wide && p->wide.c % VEC == 0;
	LAUNCH(cu, gathers[p->k / 2][p->thin.c - 1], (unsigned)p->items, BLOCK, 0, *p);
}

static void spread(struct cuda *cu, struct job *p)
{
	cut(p, &p->wide);
	p->wide.v.wide = p->wide.v.wide && p->wide.c % PAIR == 0;
	LAUNCH(cu, spreads[p->k / 2][p->thin.c - 1], (unsigned)(p->items * p->parts_c), BLOCK, 0, *p);
}

void thin_conv_forward(struct cuda *cu, const struct dnn_shape *s, struct val x, struct thin_weights w, struct val bias,
                       bool relu, struct val y)
{
	struct job p = job_of(s, x, w, y);
	p.bias = bias;
	p.relu = relu;
	(output_is_thin(s) ? gather : spread)(cu, &p);
}

void thin_conv_data(struct cuda *cu, const struct dnn_shape *s, struct val dy, struct thin_weights w, struct val dx)
{
	struct job p = job_of(s, dx, w, dy);
	(output_is_thin(s) ? spread : gather)(cu, &p);
}

/* Two blocks for each multiprocessor, as far as there are tiles. */
static struct job weights_job(const struct cuda *cu, const struct dnn_shape *s, struct val x, struct val dy,
                              struct thin_weights dw)
{
	struct job p = job_of(s, x, dw, dy);
	cut(&p, &p.wide);
	int64_t want = (2 * (int64_t)cu->processors + p.parts_c - 1) / p.parts_c, each = (p.items + want - 1) / want;
	p.chunks = (p.items + each - 1) / each;
	p.stride = s->oc * s->ic * s->kh * s->kw + s->oc;
	p.wide.v.wide = p.wide.v.wide && p.wide.c % PAIR == 0;
	return p;
}

size_t thin_conv_scratch(const struct cuda *cu, const struct dnn_shape *s)
{
	struct val none = {};
	struct thin_weights nowhere = {};
	struct job p = weights_job(cu, s, none, none, nowhere);
	return (size_t)(p.chunks * p.stride) * sizeof(float);
}

void thin_conv_weights(struct cuda *cu, const struct dnn_shape *s, struct val x, struct val dy, struct thin_weights dw,
                       struct val db, float *scratch)
{
	struct job p = weights_job(cu, s, x, dy, dw);
	int64_t n = p.stride - s->oc;
	p.partial = scratch;
	p.bias_of = !db.p ? NO_BIAS : output_is_thin(s) ? OF_THIN : OF_WIDE;
	LAUNCH(cu, weights[p.k / 2][p.thin.c - 1], (unsigned)(p.chunks * p.parts_c), BLOCK, 0, p);
	rows_sum(cu, dw.v, scratch, 1, p.chunks, p.stride, n, 1);
	if (db.p)
		rows_sum(cu, db, scratch + n, 1, p.chunks, p.stride, s->oc, 1);
}
