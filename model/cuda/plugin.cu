/* plugin.cu - the CUDA back end as the program sees it: finding devices, memory, one stream, recording a step as a CUDA
 * graph, and the table that sends each node to its op. See backend.h; ops are in model/ops/NAME.cu. */
#include "generated/numerics_build.h"
#include "model/base/env.h"
#include "model/cuda/cuda.h"
#include "model/cuda/cuda_dnn.h"
#include "model/cuda/cuda_nccl.h"
#include "model/cuda/cuda_solver.h"
#include "model/cuda/moment_kernel.h"
#include "model/cuda/picture_kernel.h"
#include "model/cuda/step_kernels.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cuda_op *const ops_of[] = {
#define OP(name, part) &cuda_##name,
#include "model/ops/ops.def"
#undef OP
};

enum { STAGE_BYTES = 256 << 10, SMALL_UPLOAD = 64 << 10 };

static struct cuda *cuda_of(struct backend *b)
{
	return (struct cuda *)b;
}

void cuda_fail(struct cuda *cu, const char *file, int line, const char *what, const char *why)
{
	const char *name = strrchr(file, '/');
	if (!cu->failed[0])
		(void)snprintf(cu->failed, sizeof cu->failed, "%s:%d: %.200s: %s", name ? name + 1 : file, line, what, why);
}

/* What to do about errors that come from outside of the call that meets them. */
static const struct {
	cudaError_t rc;
	const char *remedy;
} remedies[] = {
	{ cudaErrorMemoryAllocation, "a smaller batch needs less, and `nvidia-smi` tells who else uses the card" },
	{ cudaErrorDevicesUnavailable,
	  "another process has the card to itself, or it no longer answers: `nvidia-smi` tells" },
	{ cudaErrorECCUncorrectable, "the card's memory is damaged: reset the card, and see `nvidia-smi -q -d ECC`" },
	{ cudaErrorIllegalAddress, "if it comes again on another card, too, the program is at fault: please report it" },
	{ cudaErrorLaunchFailure, "if it comes again on another card, too, the program is at fault: please report it" },
	{ cudaErrorSystemNotReady, "start NVIDIA's fabric manager (nvidia-fabricmanager), which cards on NVSwitch need" },
	{ cudaErrorSystemDriverMismatch, "libcuda.so.1 and the kernel's module are of different drivers: reboot" },
};

static const char *remedy_of(cudaError_t rc)
{
	for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
		if (remedies[i].rc == rc)
			return remedies[i].remedy;
	return NULL;
}

static void why_text(char out[300], cudaError_t rc)
{
	const char *remedy = remedy_of(rc);
	(void)snprintf(out, 300, "%.150s%s%s", cudaGetErrorString(rc), remedy ? "; " : "", remedy ? remedy : "");
}

void cuda_fail_call(struct cuda *cu, const char *file, int line, const char *call, cudaError_t rc)
{
	char why[300];
	why_text(why, rc);
	cuda_fail(cu, file, line, call, why);
}

/* ---- devices --------------------------------------------------------------------------------- */

static int devices(int *n, struct err *e)
{
	int driver = 0, runtime = 0;
	*n = 0;
	(void)cudaDriverGetVersion(&driver);
	(void)cudaRuntimeGetVersion(&runtime);
	cudaError_t rc = cudaGetDeviceCount(n);
	if (rc == cudaSuccess && *n > 0)
		return 0;
	(void)cudaGetLastError();
	if (driver == 0)
		return err_set(e, "no NVIDIA driver on this machine (libcuda.so.1): install one that has CUDA %d.%d or newer",
		               runtime / 1000, runtime % 1000 / 10);
	if (rc == cudaErrorInsufficientDriver)
		return err_set(
			e, "the NVIDIA driver is too old: it has CUDA %d.%d, the plugin needs %d.%d; install a newer driver",
			driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
	if (rc == cudaSuccess || rc == cudaErrorNoDevice)
		return err_set(e, "a driver (CUDA %d.%d), but no CUDA device%s", driver / 1000, driver % 1000 / 10,
		               env_get(ENV_CUDA_VISIBLE_DEVICES) ? " that CUDA_VISIBLE_DEVICES shows" : "");
	char why[300];
	why_text(why, rc);
	return err_set(e, "the CUDA driver says: %s", why);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void wait(struct backend *b)
{
	CUDA_CALL(cuda_of(b), cudaStreamSynchronize(cuda_of(b)->stream));
}

static int check(struct backend *b, struct err *e)
{
	struct cuda *cu = cuda_of(b);
	wait(b);
	if (!cu->failed[0])
		return 0;
	(void)err_set(e, "%s: %s", b->name, cu->failed);
	cu->failed[0] = '\0';
	return -1;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void *alloc(struct backend *b, size_t bytes, struct err *e)
{
	struct cuda *cu = cuda_of(b);
	void *p = NULL;
	size_t free_bytes = 0, total = 0;
	cudaError_t rc = cudaMalloc(&p, bytes ? bytes : 1);
	if (rc == cudaSuccess) {
		CUDA_CALL(cu, cudaMemsetAsync(p, 0, bytes, cu->stream));
		return p;
	}
	(void)cudaGetLastError(); /* out of memory does not persist */
	if (rc != cudaErrorMemoryAllocation) {
		cuda_fail_call(cu, __FILE__, __LINE__, "cudaMalloc", rc);
		(void)check(b, e);
		return NULL;
	}
	(void)cudaMemGetInfo(&free_bytes, &total);
	(void)err_set(e,
	              "%s: %s: %.1f MiB asked for, %.1f of %.1f are free; %.1f were in use before (`nvidia-smi` tells by "
	              "whom)",
	              b->name, cudaGetErrorString(rc), (double)bytes / 0x1p20, (double)free_bytes / 0x1p20,
	              (double)total / 0x1p20, (double)cu->used_before / 0x1p20);
	return NULL;
}

static void release(struct backend *b, void *p)
{
	CUDA_CALL(cuda_of(b), cudaFree(p));
}

/* A copy of a small block where the device may read it late. The stages take turns: one is written again when the
 * device has read all that it held. */
static const void *staged(struct cuda *cu, const void *src, size_t bytes)
{
	if (cu->stage_used + bytes > STAGE_BYTES) {
		CUDA_CALL(cu, cudaEventRecord(cu->stage_read[cu->stage], cu->stream));
		cu->stage = (cu->stage + 1) % CUDA_STAGES;
		cu->stage_used = 0;
		CUDA_CALL(cu, cudaEventSynchronize(cu->stage_read[cu->stage]));
	}
	char *at = cu->stages + (size_t)cu->stage * STAGE_BYTES + cu->stage_used;
	cu->stage_used += (bytes + 15) / 16 * 16;
	return memcpy(at, src, bytes);
}

/* The caller may write src at once: a small block, such as a step uploads, is staged; a larger one is waited for. */
static void upload(struct backend *b, void *dst, const void *src, size_t bytes)
{
	struct cuda *cu = cuda_of(b);
	bool small = bytes <= SMALL_UPLOAD;
	const void *from = small ? staged(cu, src, bytes) : src;
	CUDA_CALL(cu, cudaMemcpyAsync(dst, from, bytes, cudaMemcpyHostToDevice, cu->stream));
	if (!small)
		CUDA_CALL(cu, cudaStreamSynchronize(cu->stream));
}

static void download(struct backend *b, void *dst, const void *src, size_t bytes)
{
	struct cuda *cu = cuda_of(b);
	memset(dst, 0, bytes); /* what a lost device leaves is at least always the same */
	CUDA_CALL(cu, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, cu->stream));
	CUDA_CALL(cu, cudaStreamSynchronize(cu->stream));
}

static void copy(struct backend *b, void *dst, const void *src, size_t bytes)
{
	struct cuda *cu = cuda_of(b);
	CUDA_CALL(cu, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, cu->stream));
}

static void clear(struct backend *b, void *dst, size_t bytes)
{
	struct cuda *cu = cuda_of(b);
	CUDA_CALL(cu, cudaMemsetAsync(dst, 0, bytes, cu->stream));
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static size_t node_prepare(struct backend *b, struct node *nd)
{
	const struct cuda_op *op = ops_of[nd->op];
	return op->prepare ? op->prepare(nd, cuda_of(b)) : 0;
}

static size_t node_measure(struct backend *b, struct node *nd)
{
	cuda_of(b)->measuring = true;
	size_t scratch = node_prepare(b, nd);
	cuda_of(b)->measuring = false;
	return scratch;
}

static void node_run(struct backend *b, struct node *nd)
{
	if (!cuda_of(b)->failed[0]) /* anything after a failure would read what was never written */
		ops_of[nd->op]->run(nd, cuda_of(b));
}

static void node_release(struct backend *b, struct node *nd)
{
	if (nd->state && ops_of[nd->op]->release)
		ops_of[nd->op]->release(nd, cuda_of(b));
}

static void set_step(struct backend *b, const struct step_scalars *s)
{
	upload(b, cuda_of(b)->step, s, sizeof *s);
}

/* ---- recording ------------------------------------------------------------------------------- */

static int capture_begin(struct backend *b, struct err *e)
{
	struct cuda *cu = cuda_of(b);
	if (check(b, e))
		return -1;
	CUDA_CALL(cu, cudaStreamBeginCapture(cu->stream, cudaStreamCaptureModeThreadLocal));
	cu->capturing = !cu->failed[0];
	return cu->capturing ? 0 : check(b, e);
}

static int capture_end(struct backend *b, void **program, struct err *e)
{
	struct cuda *cu = cuda_of(b);
	cudaGraph_t graph = NULL;
	cudaGraphExec_t exec = NULL;
	cu->capturing = false;
	CUDA_CALL(cu, cudaStreamEndCapture(cu->stream, &graph));
	if (graph) {
		CUDA_CALL(cu, cudaGraphInstantiate(&exec, graph, 0));
		CUDA_CALL(cu, cudaGraphDestroy(graph));
	}
	if (check(b, e)) {
		if (exec)
			(void)cudaGraphExecDestroy(exec);
		return err_in(e, "recording a step");
	}
	*program = exec;
	return 0;
}

/* At most CUDA_AHEAD programs wait to run, so that who is asked to stop does not first wait for all that the host could
 * enqueue since it last looked. */
static void replay(struct backend *b, void *program)
{
	struct cuda *cu = cuda_of(b);
	cudaEvent_t turn = cu->turns[cu->turn];
	cu->turn = (cu->turn + 1) % CUDA_AHEAD;
	CUDA_CALL(cu, cudaEventSynchronize(turn)); /* returns at once where it was never recorded */
	CUDA_CALL(cu, cudaGraphLaunch((cudaGraphExec_t)program, cu->stream));
	CUDA_CALL(cu, cudaEventRecord(turn, cu->stream));
}

static void program_free(struct backend *b, void *program)
{
	CUDA_CALL(cuda_of(b), cudaGraphExecDestroy((cudaGraphExec_t)program));
}

/* ---- several processes ----------------------------------------------------------------------- */

static int team_name(struct backend *, char name[TEAM_NAME_BYTES], struct err *e)
{
	return cuda_team_name(name, e);
}

static int team_join(struct backend *b, const char name[TEAM_NAME_BYTES], int rank, int size, struct err *e)
{
	struct cuda *cu = cuda_of(b);
	CUDA_CALL(cu, cudaSetDevice(cu->device));
	CUDA_CALL(cu, cudaStreamCreateWithFlags(&cu->beside, cudaStreamNonBlocking));
	CUDA_CALL(cu, cudaEventCreateWithFlags(&cu->ready, cudaEventDisableTiming));
	CUDA_CALL(cu, cudaEventCreateWithFlags(&cu->made, cudaEventDisableTiming));
	return check(b, e) ? -1 : cuda_team_join(&cu->team, name, rank, size, e);
}

static void team_mean(struct backend *b, float *values, size_t n)
{
	struct cuda *cu = cuda_of(b);
	CUDA_CALL(cu, cudaEventRecord(cu->ready, cu->stream));
	CUDA_CALL(cu, cudaStreamWaitEvent(cu->beside, cu->ready, 0));
	if (!cu->failed[0])
		cuda_team_mean(cu, cu->team, values, n, cu->beside);
}

static void team_wait(struct backend *b)
{
	struct cuda *cu = cuda_of(b);
	CUDA_CALL(cu, cudaEventRecord(cu->made, cu->beside));
	CUDA_CALL(cu, cudaStreamWaitEvent(cu->stream, cu->made, 0));
}

/* ---- life ------------------------------------------------------------------------------------ */

/* "GPU-12345678-9abc-def0-1234-56789abcdef0": a hyphen before these of its bytes. */
static void uuid_text(char out[48], const cudaUUID_t *uuid)
{
	int at = snprintf(out, 48, "GPU");
	for (int i = 0; i < 16; i++)
		at += snprintf(out + at, 48 - (size_t)at, "%s%02x", i == 0 || (i >= 4 && i <= 10 && i % 2 == 0) ? "-" : "",
		               (unsigned)(unsigned char)uuid->bytes[i]);
}

#define TEXT_OF(x)  #x
#define VALUE_OF(x) TEXT_OF(x)
#ifdef __CUDACC__
#define COMPILED_BY \
	"nvcc " VALUE_OF(__CUDACC_VER_MAJOR__) "." VALUE_OF(__CUDACC_VER_MINOR__) "." VALUE_OF(__CUDACC_VER_BUILD__)
#else
#define COMPILED_BY "host compiler " __VERSION__
#endif

static void facts(struct backend *b, struct backend_facts *out)
{
	static const char *const math[] = {
		"fp32",
		"tf32 in products and convolutions, the teacher by its change",
		"bf16 activations, fp32 sums, norms and losses, the teacher by its change",
	};
	const struct cuda *cu = cuda_of(b);
	static_assert(DTYPE_FP32 == 0 && DTYPE_TF32 == 1 && DTYPE_BF16 == 2 && N_DTYPES == 3, "rows of math");
	struct cudaDeviceProp prop;
	int driver = 0, runtime = 0;
	char versions[200];
	size_t free_bytes = 0, total = 0;
	memset(out, 0, sizeof *out);
	memset(&prop, 0, sizeof prop);
	(void)cudaGetDeviceProperties(&prop, cuda_of(b)->device);
	(void)cudaDriverGetVersion(&driver);
	(void)cudaRuntimeGetVersion(&runtime);
	(void)cudaMemGetInfo(&free_bytes, &total);
	(void)snprintf(out->device, sizeof out->device, "%.90s, compute capability %d.%d", prop.name, prop.major,
	               prop.minor);
	uuid_text(out->uuid, &prop.uuid);
	(void)snprintf(out->bus, sizeof out->bus, "%04x:%02x:%02x.0", (unsigned)prop.pciDomainID & 0xFFFF,
	               (unsigned)prop.pciBusID & 0xFF, (unsigned)prop.pciDeviceID & 0xFF);
	(void)snprintf(out->driver, sizeof out->driver, "CUDA %d.%d", driver / 1000, driver % 1000 / 10);
	cuda_libraries_text(versions, sizeof versions);
	(void)snprintf(out->libraries, sizeof out->libraries, "CUDA runtime %d.%d, %.180s%s", runtime / 1000,
	               runtime % 1000 / 10, versions, cu->tune ? ", engines by time" : "");
	(void)snprintf(out->math, sizeof out->math, "%s", math[b->dtype]);
	(void)snprintf(out->kernels, sizeof out->kernels, "%s, %s, %.80s", NUMERICS_KERNELS, COMPILED_BY,
	               ABLATE_CUDA_BUILT_FOR);
	if (cu->convs_by_library + cu->convs_thin + cu->convs_by_kernel)
		(void)snprintf(out->convolutions, sizeof out->convolutions,
		               "%d by cuDNN, %d by the plugin's own kernels, %d of them for thin layers", cu->convs_by_library,
		               cu->convs_by_kernel + cu->convs_thin, cu->convs_thin);
	out->timed = cu->tune != NULL;
	out->memory = total;
	out->memory_free = free_bytes;
}

static bool convolution(struct backend *b, int i, char *out, size_t bytes)
{
	return cuda_conv_text(cuda_of(b), i, out, bytes);
}

static void close_cuda(struct backend *b)
{
	struct cuda *cu = cuda_of(b);
	bool lost = cu->stream && cudaStreamSynchronize(cu->stream) != cudaSuccess;
	for (int i = 0; i < CUDA_AHEAD; i++)
		if (cu->turns[i])
			(void)cudaEventDestroy(cu->turns[i]);
	for (int i = 0; i < CUDA_STAGES; i++)
		if (cu->stage_read[i])
			(void)cudaEventDestroy(cu->stage_read[i]);
	if (cu->stages)
		(void)cudaFreeHost(cu->stages);
	cuda_team_leave(cu->team, lost);
	if (cu->ready)
		(void)cudaEventDestroy(cu->ready);
	if (cu->made)
		(void)cudaEventDestroy(cu->made);
	if (cu->beside)
		(void)cudaStreamDestroy(cu->beside);
	cuda_libraries_close(cu);
	(void)cudaFree(cu->workspace);
	(void)cudaFree(cu->step);
	if (cu->stream)
		(void)cudaStreamDestroy(cu->stream);
	(void)cudaGetLastError(); /* what failed here is not the next device's */
	free(cu);
}

static const struct backend_programs programs = {
	.begin = capture_begin, .end = capture_end, .replay = replay, .free = program_free
};
static const struct backend_scores scores = {
	.pictures = cuda_pictures, .fold = cuda_fold, .copy = copy, .clear = clear, .singular = cuda_singular
};
static const struct backend_team team = { .name = team_name, .join = team_join, .mean = team_mean, .wait = team_wait };
static const struct backend_ops ops = {
	.kind = "cuda",
	.host_memory = false,
	.align = 256,
	.sums = true,
	.strided = true,
	.by_taps = true,
	.repeats = false,
	.memory = { .alloc = alloc, .release = release, .upload = upload, .download = download },
	.nodes = { .prepare = node_prepare,
	           .measure = node_measure,
	           .run = node_run,
	           .release = node_release,
	           .set_step = set_step },
	.training = { .batch = cuda_batch,
	              .add_part = cuda_add_part,
	              .settle = cuda_settle,
	              .update = cuda_update,
	              .follow = cuda_follow,
	              .round = cuda_round },
	.programs = &programs,
	.scores = &scores,
	.team = &team,
	.wait = wait,
	.check = check,
	.facts = facts,
	.convolution = convolution,
	.close = close_cuda,
};

/* What makes enqueueing safe: staged() and replay(). Who waits sleeps: other cells want the processor. */
static void open_rings(struct cuda *cu)
{
	CUDA_CALL(cu, cudaHostAlloc((void **)&cu->stages, (size_t)CUDA_STAGES * STAGE_BYTES, cudaHostAllocDefault));
	for (int i = 0; i < CUDA_STAGES; i++)
		CUDA_CALL(cu, cudaEventCreateWithFlags(&cu->stage_read[i], cudaEventDisableTiming | cudaEventBlockingSync));
	for (int i = 0; i < CUDA_AHEAD; i++)
		CUDA_CALL(cu, cudaEventCreateWithFlags(&cu->turns[i], cudaEventDisableTiming | cudaEventBlockingSync));
}

/* Can this plugin compute on this card? Where it cannot, every kernel would fail, and say less. */
static int check_card(const struct cuda *cu, const struct cudaDeviceProp *prop, struct err *e)
{
	struct cudaFuncAttributes kernel;
	cudaError_t rc = cudaFuncGetAttributes(&kernel, cuda_a_kernel());
	(void)cudaGetLastError();
	if (rc == cudaErrorNoKernelImageForDevice || rc == cudaErrorInvalidDeviceFunction ||
	    rc == cudaErrorUnsupportedPtxVersion)
		return err_code(e, EXIT_USAGE,
		                "%s: the plugin holds no code for %s (compute capability %d.%d), only for %s: build it with "
		                "-DABLATE_CUDA_ARCHITECTURES=%d%d-real",
		                cu->base.name, prop->name, prop->major, prop->minor, ABLATE_CUDA_BUILT_FOR, prop->major,
		                prop->minor);
	if (cu->base.dtype == DTYPE_BF16 && prop->major < 8)
		return err_code(e, EXIT_USAGE, "train.dtype = \"bf16\": %s (compute capability %d.%d) has none; needs 8.0",
		                prop->name, prop->major, prop->minor);
	return 0; /* any other failure comes again, and is told */
}

static int set_up(struct cuda *cu, const struct cudaDeviceProp *prop, struct err *e)
{
	size_t free_bytes = 0, total = 0;
	int driver = 0;
	CUDA_CALL(cu, cudaMemGetInfo(&free_bytes, &total));
	cu->used_before = total - free_bytes;
	cu->processors = prop->multiProcessorCount;
	cu->shared_most = (int)prop->sharedMemPerBlockOptin;
	cu->shared_each = (int)prop->sharedMemPerMultiprocessor;
	cu->shared_own = (int)prop->reservedSharedMemPerBlock;
	cu->workspace_bytes = cuda_workspace(prop->totalGlobalMem);
	(void)cudaDriverGetVersion(&driver);
	(void)snprintf(cu->card, sizeof cu->card, "%.120s, CUDA %d.%d", prop->name, driver / 1000, driver % 1000 / 10);
	cuda_libraries_tune(cu);
	open_rings(cu);
	if (cu->failed[0])
		return check(&cu->base, e);
	if (!(cu->workspace = alloc(&cu->base, cu->workspace_bytes, e)))
		return -1;
	cu->step = (struct step_scalars *)alloc(&cu->base, sizeof *cu->step, e);
	return cu->step ? 0 : -1;
}

enum { MAX_DEVICES = 1000 }; /* numbers have three digits (devices.h) */
static bool opened[MAX_DEVICES];

static int open_cuda(struct backend **out, int device, enum dtype_kind dtype, struct err *e)
{
	struct cudaDeviceProp prop;
	struct cuda *cu = (struct cuda *)calloc(1, sizeof *cu);
	if (!cu)
		return err_set(e, "out of memory");
	cu->base.ops = &ops;
	cu->base.dtype = dtype;
	cu->device = device;
	opened[device] = true;
	(void)snprintf(cu->base.name, sizeof cu->base.name, "cuda:%d", device);
	CUDA_CALL(cu, cudaSetDevice(device));
	CUDA_CALL(cu, cudaStreamCreateWithFlags(&cu->stream, cudaStreamNonBlocking));
	memset(&prop, 0, sizeof prop);
	CUDA_CALL(cu, cudaGetDeviceProperties(&prop, device));
	if (cu->failed[0] ? check(&cu->base, e) : check_card(cu, &prop, e) || set_up(cu, &prop, e)) {
		close_cuda(&cu->base);
		return -1;
	}
	*out = &cu->base;
	return 0;
}

/* A process that has opened a device holds some of its memory from then on, whatever it frees. */
static void leave(void)
{
	for (int i = 0; i < MAX_DEVICES; i++)
		if (opened[i] && cudaSetDevice(i) == cudaSuccess)
			(void)cudaDeviceReset();
	memset(opened, 0, sizeof opened);
}

extern "C" __attribute__((visibility("default"))) const struct backend_plugin ablate_backend_plugin = {
	devices,
	open_cuda,
	cuda_libraries_lacking,
	leave,
};
