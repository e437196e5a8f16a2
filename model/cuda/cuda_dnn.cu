/* cuda_dnn.cu - see cuda_dnn.h. cuDNN's graph interface by its C descriptors: tensors, one convolution, for a forward
 * pass with bias also the sum and relu behind it; the library proposes engines for the whole, best first, and the first
 * admissible ones become plans. Where no engine takes the fused form the plain convolution is planned and the caller
 * adds the rest. A network asks for the same few shapes again and again, so plans are kept in the back end, one per
 * shape, and so is the fact that there is none. */
#include "model/cuda/cuda_dnn.h"
extern "C" {
#include "model/cuda/nvidia.h"
}

#include <cudnn.h>
#include <stdio.h>
#include <stdlib.h>

/* The functions that are used, by the types that the header gives them. */
#define NN_FUNCTIONS(X) \
	X(cudnnBackendCreateDescriptor) \
	X(cudnnBackendDestroyDescriptor) \
	X(cudnnBackendExecute) \
	X(cudnnBackendFinalize) \
	X(cudnnBackendGetAttribute) \
	X(cudnnBackendSetAttribute) \
	X(cudnnCreate) X(cudnnDestroy) X(cudnnGetErrorString) X(cudnnGetVersion) X(cudnnSetStream)

static struct {
#define FIELD(name) decltype(&::name) name;
	NN_FUNCTIONS(FIELD)
#undef FIELD
} nn;

static const struct nvidia_function functions[] = {
#define ROW(name) { #name, &nn.name },
	NN_FUNCTIONS(ROW)
#undef ROW
		{ NULL, NULL },
};
static struct nvidia_library library = { &nvidia_rows[NVIDIA_DNN], functions, false, NULL, "" };

bool dnn_there(void)
{
	return nvidia_open(&library);
}

void dnn_text(char *out, size_t bytes)
{
	nvidia_text(out, bytes, &library, dnn_there() ? nn.cudnnGetVersion() : 0, "own convolutions");
}

enum { MAX_PARTS = 24 + TUNE_KNOBS, MAX_PROPOSALS = 64 };
enum { UID_X = 1, UID_W, UID_Y, UID_BIAS, UID_SUM, UID_CONV };

/* An engine with its knobs, and what is run. */
struct candidate {
	cudnnBackendDescriptor_t config, plan;
	struct tune_engine said;
};

struct dnn_plan {
	struct dnn_plan *next;
	struct cuda_conv_shape shape;
	cudnnBackendDescriptor_t parts[MAX_PARTS]; /* to be destroyed, in order of making */
	int n_parts;
	cudnnBackendDescriptor_t graph;
	struct candidate candidates[DNN_MOST_ENGINES + 1]; /* n 0: no engine; one more to be kept (dnn_plan_keep) */
	int n;
	bool fused;
	enum tensor_type dw;
};

/* After a failure building continues without effect, so one check at the end is enough. */
struct builder {
	struct cuda *cu;
	struct dnn_plan *c;
	cudnnStatus_t rc;
};

static cudnnBackendDescriptor_t make(struct builder *b, cudnnBackendDescriptorType_t type)
{
	cudnnBackendDescriptor_t d = NULL;
	if (b->rc == CUDNN_STATUS_SUCCESS && b->c->n_parts == MAX_PARTS)
		b->rc = CUDNN_STATUS_INTERNAL_ERROR;
	if (b->rc == CUDNN_STATUS_SUCCESS)
		b->rc = nn.cudnnBackendCreateDescriptor(type, &d);
	if (d)
		b->c->parts[b->c->n_parts++] = d;
	return d;
}

static void put(struct builder *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
	if (b->rc == CUDNN_STATUS_SUCCESS)
		b->rc = nn.cudnnBackendSetAttribute(d, name, type, count, values);
}

static void done(struct builder *b, cudnnBackendDescriptor_t d)
{
	if (b->rc == CUDNN_STATUS_SUCCESS)
		b->rc = nn.cudnnBackendFinalize(d);
}

static cudnnDataType_t type_of(enum tensor_type type)
{
	return type == TENSOR_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

/* (n,h,w,c), channels innermost. Inner results are virtual: they never reach memory. */
static cudnnBackendDescriptor_t tensor(struct builder *b, int64_t uid, cudnnDataType_t type, int64_t n, int64_t h,
                                       int64_t w, int64_t c, bool is_virtual)
{
	const int64_t dims[4] = { n, c, h, w }, strides[4] = { h * w * c, 1, w * c, c }, alignment = 16;
	cudnnBackendDescriptor_t d = make(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
	put(b, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
	put(b, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
	put(b, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
	put(b, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
	put(b, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
	put(b, d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
	done(b, d);
	return d;
}

static cudnnBackendDescriptor_t convolution(struct builder *b, const struct dnn_shape *s)
{
	const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
	const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
	const int64_t dims = 2, pad[2] = { s->pad_h, s->pad_w }, stride[2] = { s->stride, s->stride },
				  dilation[2] = { 1, 1 };
	cudnnBackendDescriptor_t d = make(b, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
	put(b, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
	put(b, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
	put(b, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &dims);
	put(b, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
	put(b, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
	put(b, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
	put(b, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
	done(b, d);
	return d;
}

/* What the three passes call the same things, by enum dnn_pass. */
struct pass_names {
	cudnnBackendDescriptorType_t operation;
	cudnnBackendAttributeName_t x, w, y, conv, alpha, beta;
};

#define PASS(operation, of, x, w, y) \
	{ \
		CUDNN_BACKEND_OPERATION_CONVOLUTION_##operation##_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_##of##_##x, \
			CUDNN_ATTR_OPERATION_CONVOLUTION_##of##_##w, CUDNN_ATTR_OPERATION_CONVOLUTION_##of##_##y, \
			CUDNN_ATTR_OPERATION_CONVOLUTION_##of##_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_##of##_ALPHA, \
			CUDNN_ATTR_OPERATION_CONVOLUTION_##of##_BETA \
	}
static const struct pass_names names_of_pass[] = {
	PASS(FORWARD, FORWARD, X, W, Y),
	PASS(BACKWARD_DATA, BWD_DATA, DX, W, DY),
	PASS(BACKWARD_FILTER, BWD_FILTER, X, DW, DY),
};
static_assert(DNN_FORWARD == 0 && DNN_BACKWARD_DATA == 1 && DNN_BACKWARD_WEIGHTS == 2, "rows of names_of_pass");

static cudnnBackendDescriptor_t conv_operation(struct builder *b, const struct cuda_conv_shape *s,
                                               cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t w,
                                               cudnnBackendDescriptor_t y)
{
	const struct pass_names *names = &names_of_pass[s->pass];
	const float one = 1, zero = 0;
	cudnnBackendDescriptor_t how = convolution(b, &s->shape), d = make(b, names->operation);
	put(b, d, names->conv, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &how);
	put(b, d, names->x, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &x);
	put(b, d, names->w, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &w);
	put(b, d, names->y, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &y);
	put(b, d, names->alpha, CUDNN_TYPE_FLOAT, 1, &one);
	put(b, d, names->beta, CUDNN_TYPE_FLOAT, 1, &zero);
	done(b, d);
	return d;
}

/* y = x + add, or relu(x) where add is NULL. */
static cudnnBackendDescriptor_t pointwise(struct builder *b, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t add,
                                          cudnnBackendDescriptor_t y)
{
	const cudnnPointwiseMode_t mode = add ? CUDNN_POINTWISE_ADD : CUDNN_POINTWISE_RELU_FWD;
	const cudnnDataType_t math = CUDNN_DATA_FLOAT;
	cudnnBackendDescriptor_t how = make(b, CUDNN_BACKEND_POINTWISE_DESCRIPTOR), d;
	put(b, how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
	put(b, how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &math);
	done(b, how);
	d = make(b, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
	put(b, d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &how);
	put(b, d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &x);
	if (add)
		put(b, d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &add);
	put(b, d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &y);
	done(b, d);
	return d;
}

/* The pass as operations; `fused` puts bias and relu behind a forward one. */
static cudnnBackendDescriptor_t operations(struct builder *b, const struct cuda_conv_shape *s, bool fused)
{
	const struct dnn_shape *p = &s->shape;
	cudnnDataType_t type = type_of(s->type), of_w = s->pass == DNN_BACKWARD_WEIGHTS ? type_of(b->c->dw) : type;
	cudnnBackendDescriptor_t ops[3], x = tensor(b, UID_X, type, p->n, p->h, p->w, p->ic, false),
									 w = tensor(b, UID_W, of_w, p->oc, p->kh, p->kw, p->ic, false);
	cudnnBackendDescriptor_t y = tensor(b, UID_Y, type, p->n, p->oh, p->ow, p->oc, false), last = y, graph;
	int64_t n = 0;
	if (fused && s->relu) {
		last = tensor(b, UID_SUM, CUDNN_DATA_FLOAT, p->n, p->oh, p->ow, p->oc, true);
		ops[n++] = pointwise(b, last, NULL, y);
	}
	if (fused && s->bias) {
		cudnnBackendDescriptor_t bias = tensor(b, UID_BIAS, type, 1, 1, 1, p->oc,
		                                       false); /* engines want the images' type */
		cudnnBackendDescriptor_t conv = tensor(b, UID_CONV, CUDNN_DATA_FLOAT, p->n, p->oh, p->ow, p->oc, true);
		ops[n++] = pointwise(b, conv, bias, last);
		last = conv;
	}
	ops[n++] = conv_operation(b, s, x, w, last);
	graph = make(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
	put(b, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, n, ops);
	put(b, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &b->cu->cudnn);
	done(b, graph);
	return graph;
}

/* Is the engine compiled when it is planned? That takes a second for each shape, and a compiler beside the library. */
static bool compiled_on_demand(cudnnBackendDescriptor_t engine)
{
	cudnnBackendBehaviorNote_t notes[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
	int64_t n = 0;
	if (nn.cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
	                                CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, &n, notes) != CUDNN_STATUS_SUCCESS)
		return true;
	for (int64_t i = 0; i < n; i++)
		if (notes[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)
			return true;
	return false;
}

/* May this engine compute it? Deterministic; floats stay floats unless TF32 is wanted; bf16 on tensor cores, unless
 * `any` will do. */
static bool admissible(const struct cuda *cu, const struct cuda_conv_shape *s, cudnnBackendDescriptor_t engine,
                       bool any)
{
	cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
	int64_t n = 0;
	bool strict = s->type == TENSOR_F32 && (cu->base.dtype != DTYPE_TF32 || s->exact), tensor_cores = false;
	if (compiled_on_demand(engine) ||
	    nn.cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
	                                CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &n, notes) != CUDNN_STATUS_SUCCESS)
		return false;
	for (int64_t i = 0; i < n; i++) {
		if (notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC ||
		    notes[i] == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)
			return false;
		if (strict &&
		    (notes[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE || notes[i] == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS))
			return false;
		if (notes[i] == CUDNN_NUMERICAL_NOTE_FFT ||
		    (notes[i] >= CUDNN_NUMERICAL_NOTE_WINOGRAD && notes[i] <= CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13))
			return false;
		tensor_cores = tensor_cores || notes[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
	}
	return any || tensor_cores || s->type == TENSOR_F32;
}

static bool get(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                int64_t room, int64_t *n, void *values)
{
	return nn.cudnnBackendGetAttribute(d, name, type, room, n, values) == CUDNN_STATUS_SUCCESS;
}

/* The configuration's knobs. */
static bool get_knobs(cudnnBackendDescriptor_t config, struct tune_engine *out)
{
	cudnnBackendDescriptor_t knobs[TUNE_KNOBS];
	int64_t made = 0, n = 0, one;
	while (made < TUNE_KNOBS &&
	       nn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &knobs[made]) == CUDNN_STATUS_SUCCESS)
		made++;
	bool ok = get(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, made, &n, knobs) &&
	          n <= made;
	for (int64_t i = 0; ok && i < n; i++) {
		cudnnBackendKnobType_t type;
		ok = get(knobs[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &one, &type) &&
		     get(knobs[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &one, &out->knobs[i].value);
		out->knobs[i].type = ok ? (int64_t)type : 0;
	}
	out->n_knobs = ok ? (int)n : 0;
	for (int64_t i = 0; i < made; i++)
		(void)nn.cudnnBackendDestroyDescriptor(knobs[i]);
	return ok;
}

/* What a configuration is, where its engine is admissible. */
static bool look_at(const struct builder *b, cudnnBackendDescriptor_t config, bool any, struct tune_engine *out)
{
	cudnnBackendDescriptor_t engine = NULL;
	int64_t n = 0;
	bool ok = nn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) == CUDNN_STATUS_SUCCESS &&
	          get(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, &engine) &&
	          admissible(b->cu, &b->c->shape, engine, any) &&
	          get(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &n, &out->engine) &&
	          get_knobs(config, out);
	if (engine)
		(void)nn.cudnnBackendDestroyDescriptor(engine);
	out->fallback = any;
	return ok;
}

/* Builds the plan of one configuration, if it is admissible, as the next candidate, which then owns both. */
static bool take(struct builder *b, cudnnBackendDescriptor_t config, bool any)
{
	struct candidate made = { config, NULL, {} };
	int64_t n = 0;
	bool taken =
		look_at(b, config, any, &made.said) &&
		nn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &made.plan) == CUDNN_STATUS_SUCCESS &&
		nn.cudnnBackendSetAttribute(made.plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &b->cu->cudnn) ==
			CUDNN_STATUS_SUCCESS &&
		nn.cudnnBackendSetAttribute(made.plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR,
	                                1, &config) == CUDNN_STATUS_SUCCESS &&
		nn.cudnnBackendFinalize(made.plan) == CUDNN_STATUS_SUCCESS &&
		get(made.plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &n, &made.said.workspace) &&
		(size_t)made.said.workspace <= b->cu->workspace_bytes;
	if (taken)
		b->c->candidates[b->c->n++] = made;
	else if (made.plan)
		(void)nn.cudnnBackendDestroyDescriptor(made.plan);
	return taken;
}

static void drop(struct candidate *k)
{
	(void)nn.cudnnBackendDestroyDescriptor(k->plan);
	(void)nn.cudnnBackendDestroyDescriptor(k->config);
}

/* Asks for proposals by one heuristic and takes the first `most` admissible ones. */
static bool search(struct builder *b, cudnnBackendHeurMode_t mode, int most)
{
	cudnnBackendDescriptor_t proposals[MAX_PROPOSALS], heuristic = make(b, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
	int64_t made = 0, n = 0;
	put(b, heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &b->c->graph);
	put(b, heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
	done(b, heuristic);
	while (b->rc == CUDNN_STATUS_SUCCESS && made < MAX_PROPOSALS &&
	       nn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &proposals[made]) ==
	           CUDNN_STATUS_SUCCESS)
		made++;
	if (b->rc == CUDNN_STATUS_SUCCESS)
		b->rc = nn.cudnnBackendGetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
		                                    made, &n, proposals);
	for (int64_t i = 0; i < made; i++) {
		bool wanted = b->rc == CUDNN_STATUS_SUCCESS && i < n && b->c->n < most;
		if (!wanted || !take(b, proposals[i], mode == CUDNN_HEUR_MODE_FALLBACK))
			(void)nn.cudnnBackendDestroyDescriptor(proposals[i]);
	}
	return b->c->n > 0;
}

/* The configuration of an engine by its number and knobs; NULL where the library refuses. The caller owns it. */
static cudnnBackendDescriptor_t configure(struct builder *b, const struct tune_engine *e)
{
	cudnnBackendDescriptor_t knobs[TUNE_KNOBS], engine = make(b, CUDNN_BACKEND_ENGINE_DESCRIPTOR), config;
	put(b, engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &b->c->graph);
	put(b, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &e->engine);
	done(b, engine);
	for (int i = 0; i < e->n_knobs; i++) {
		cudnnBackendKnobType_t type = (cudnnBackendKnobType_t)e->knobs[i].type;
		knobs[i] = make(b, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
		put(b, knobs[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type);
		put(b, knobs[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &e->knobs[i].value);
		done(b, knobs[i]);
	}
	config = make(b, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
	put(b, config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &engine);
	if (e->n_knobs)
		put(b, config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, e->n_knobs, knobs);
	done(b, config);
	if (b->rc != CUDNN_STATUS_SUCCESS)
		return NULL;
	b->c->n_parts--; /* the last one made */
	return config;
}

/* All but the first `left`. */
static void drop_parts(struct dnn_plan *c, int left)
{
	while (c->n_parts > left)
		(void)nn.cudnnBackendDestroyDescriptor(c->parts[--c->n_parts]);
}

/* One form of the pass by one heuristic. Returns whether an engine takes it. */
static bool plan(struct cuda *cu, struct dnn_plan *c, bool fused, enum tensor_type dw, cudnnBackendHeurMode_t mode,
                 int most)
{
	struct builder b = { cu, c, CUDNN_STATUS_SUCCESS };
	c->fused = fused;
	c->dw = dw;
	c->graph = operations(&b, &c->shape, fused);
	if (search(&b, mode, most))
		return true;
	drop_parts(c, 0);
	return false;
}

/* The forms, best first; the library's fallback for any shape, which can be slow, only after all of them were
 * refused. */
static bool plan_any(struct cuda *cu, struct dnn_plan *c, int most)
{
	static const cudnnBackendHeurMode_t modes[] = { CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK };
	const struct cuda_conv_shape *s = &c->shape;
	bool more = s->bias || s->relu, low_weights = s->pass == DNN_BACKWARD_WEIGHTS && s->type == TENSOR_BF16;
	for (int i = 0; i < 2; i++)
		if ((more && plan(cu, c, true, TENSOR_F32, modes[i], most)) || plan(cu, c, false, TENSOR_F32, modes[i], most) ||
		    (low_weights && plan(cu, c, false, TENSOR_BF16, modes[i], most)))
			return true;
	return false;
}

/* The library's handle, made at its first use. */
static bool ready(struct cuda *cu)
{
	cudnnStatus_t rc = CUDNN_STATUS_SUCCESS;
	if (cu->cudnn)
		return true;
	rc = nn.cudnnCreate(&cu->cudnn);
	if (rc == CUDNN_STATUS_SUCCESS)
		rc = nn.cudnnSetStream(cu->cudnn, cu->stream);
	if (rc != CUDNN_STATUS_SUCCESS)
		cuda_fail(cu, __FILE__, __LINE__, "cudnnCreate", nn.cudnnGetErrorString(rc));
	return rc == CUDNN_STATUS_SUCCESS;
}

static void plan_free(struct dnn_plan *c)
{
	for (int i = 0; i < c->n; i++)
		drop(&c->candidates[i]);
	drop_parts(c, 0);
	free(c);
}

struct dnn_plan *dnn_plan_of(struct cuda *cu, const struct cuda_conv_shape *s, int most)
{
	struct dnn_plan *c = cu->dnn_plans;
	while (c && !cuda_conv_same(&c->shape, s))
		c = c->next;
	if (c)
		return c->n ? c : NULL;
	if (!ready(cu))
		return NULL;
	c = (struct dnn_plan *)calloc(1, sizeof *c);
	if (!c)
		abort();
	c->shape = *s;
	c->next = cu->dnn_plans;
	cu->dnn_plans = c;
	return plan_any(cu, c, most) ? c : NULL;
}

int dnn_plan_engines(const struct dnn_plan *c)
{
	return c->n;
}

const struct tune_engine *dnn_plan_engine(const struct dnn_plan *c, int i)
{
	return &c->candidates[i].said;
}

static bool same_engine(const struct tune_engine *a, const struct tune_engine *b)
{
	bool same = a->engine == b->engine && a->n_knobs == b->n_knobs;
	for (int i = 0; same && i < a->n_knobs; i++)
		same = a->knobs[i].type == b->knobs[i].type && a->knobs[i].value == b->knobs[i].value;
	return same;
}

bool dnn_plan_keep(struct cuda *cu, struct dnn_plan *c, const struct tune_engine *engine)
{
	int i = 0, before = c->n_parts;
	while (i < c->n && !same_engine(&c->candidates[i].said, engine))
		i++;
	if (i == c->n) {
		struct builder b = { cu, c, CUDNN_STATUS_SUCCESS };
		cudnnBackendDescriptor_t config = configure(&b, engine);
		if (!config || !take(&b, config, true)) {
			if (config)
				(void)nn.cudnnBackendDestroyDescriptor(config);
			drop_parts(c, before);
			return false;
		}
		c->candidates[i].said.fallback = false; /* that was not kept */
	}
	struct candidate kept = c->candidates[i];
	for (int j = 0; j < c->n; j++)
		if (j != i)
			drop(&c->candidates[j]);
	kept.said.us = engine->us;
	c->candidates[0] = kept;
	c->n = 1;
	return true;
}

const struct cuda_conv_shape *dnn_plan_at(const struct cuda *cu, int i, const struct dnn_plan **c)
{
	int n = 0;
	for (struct dnn_plan *at = cu->dnn_plans; at; at = at->next)
		n++;
	struct dnn_plan *at = cu->dnn_plans; /* the last one asked for */
	for (n--; at && n > i; n--)
		at = at->next;
	*c = at && at->n ? at : NULL;
	return at && n == i ? &at->shape : NULL;
}

void dnn_close(struct cuda *cu)
{
	while (cu->dnn_plans) {
		struct dnn_plan *c = cu->dnn_plans;
		cu->dnn_plans = c->next;
		plan_free(c);
	}
	if (cu->cudnn)
		(void)nn.cudnnDestroy(cu->cudnn);
	cu->cudnn = NULL;
}

bool dnn_plan_fused(const struct dnn_plan *c)
{
	return c->fused;
}

enum tensor_type dnn_plan_bias(const struct dnn_plan *c)
{
	return c->fused ? c->shape.type : TENSOR_F32;
}

enum tensor_type dnn_plan_dw(const struct dnn_plan *c)
{
	return c->dw;
}

void dnn_plan_run(struct cuda *cu, struct dnn_plan *c, int i, void *x, void *w, const void *bias, void *y)
{
	union {
		const void *given;
		void *kept;
	} add = { bias }; /* read only */
	const int64_t ids[4] = { UID_X, UID_W, UID_Y, UID_BIAS };
	void *const pointers[4] = { x, w, y, add.kept };
	const int64_t n = c->fused && c->shape.bias ? 4 : 3;
	cudnnBackendDescriptor_t pack = NULL;
	cudnnStatus_t rc = nn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
	if (rc == CUDNN_STATUS_SUCCESS)
		rc = nn.cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, ids);
	if (rc == CUDNN_STATUS_SUCCESS)
		rc = nn.cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, pointers);
	if (rc == CUDNN_STATUS_SUCCESS)
		rc = nn.cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1,
		                                 &cu->workspace);
	if (rc == CUDNN_STATUS_SUCCESS)
		rc = nn.cudnnBackendFinalize(pack);
	if (rc == CUDNN_STATUS_SUCCESS)
		rc = nn.cudnnBackendExecute(cu->cudnn, c->candidates[i].plan, pack);
	if (pack)
		(void)nn.cudnnBackendDestroyDescriptor(pack);
	if (rc != CUDNN_STATUS_SUCCESS)
		cuda_fail(cu, __FILE__, __LINE__, "convolution", nn.cudnnGetErrorString(rc));
}
