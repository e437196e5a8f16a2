/* cuda.h - what the files of the CUDA back end share: the device's state, the table of ops, launching, and what happens
 * when a call fails.
 *
 * The .cu files are compiled twice: by nvcc for the plugin, and by a host C++ compiler against tests/cuda_emu/, which
 * runs kernels block by block on the CPU. So they keep to what both have: kernels are launched through LAUNCH, never by
 * chevrons, shared memory is declared with SHARED or SHARED_BYTES, and everything is the C part of C++.
 *
 *     LAUNCH(cu, kernel, blocks, threads, shared_bytes, arg, ...);
 *     CUDA_CALL(cu, cudaMemcpyAsync(...));
 *
 * A failed call is remembered in the state (the first one) and reported at the next backend_check; nothing is thrown
 * and nothing ends the process. */
#ifndef ABLATE_CUDA_H
#define ABLATE_CUDA_H

#include <cuda_runtime.h>

extern "C" {
#include "model/graph/backend.h"
#include "model/graph/op.h"
}

struct cublasLtContext;
struct cudnnContext;

enum { CUDA_STAGES = 4, CUDA_AHEAD = 4 };

struct cuda {
	struct backend base; /* first: a struct backend * of this kind is a struct cuda * */
	int device;
	cudaStream_t stream;              /* everything runs in it, in order */
	struct cublasLtContext *cublaslt; /* created when first needed */
	struct cudnnContext *cudnn;
	struct dnn_plan *dnn_plans; /* what cuDNN has planned so far, by shape */
	struct tune *tune;          /* engines chosen by the clock; NULL: the first proposed */
	char card[160];             /* the device and its driver, as they stand there */
	void *workspace;            /* of the libraries; allocated at opening, never during a step */
	size_t workspace_bytes;
	size_t used_before;        /* bytes of the card's memory that were in use when it was opened, its context's too */
	struct step_scalars *step; /* device memory: the position of the counter-based streams */
	int processors;            /* multiprocessors */
	int shared_most, shared_each, shared_own; /* bytes of shared memory: that a block may ask for, that a multiprocessor
	                                           * has, of which each block costs so many for itself */
	bool capturing;
	bool measuring;                /* nodes are prepared for their scratch alone: libraries are not asked */
	cudaEvent_t turns[CUDA_AHEAD]; /* each follows one of the programs that were replayed last */
	int turn;                      /* the oldest of them */
	char *stages;                  /* pinned host memory: small uploads on their way */
	size_t stage_used;             /* bytes of the current stage */
	int stage;
	cudaEvent_t stage_read[CUDA_STAGES]; /* the device has read what it held */
	struct cuda_team *team;              /* NULL: alone. With one: */
	cudaStream_t beside;                 /* where its means are computed */
	cudaEvent_t ready, made;             /* its values are ready; its means are ready for the main stream */
	int convs_by_library, convs_thin, convs_by_kernel; /* planned so far: by cuDNN, thin_conv.h, own_product.h */
	char failed[512];                                  /* the first failure since the last check; "" = none */
};

/* One per row of ops.def, in model/ops/FILE.cu, named cuda_NAME. prepare makes nd->state and returns the bytes of
 * scratch (nd->work->data) that run wants; it may set cu->failed. release frees what prepare made; both may be NULL. A
 * row without a kernel is a link error. */
struct cuda_op {
	size_t (*prepare)(struct node *nd, struct cuda *cu);
	void (*run)(struct node *nd, struct cuda *cu);
	void (*release)(struct node *nd, struct cuda *cu);
};

extern "C" {
#define OP(name, part) extern const struct cuda_op cuda_##name;
#include "model/ops/ops.def"
#undef OP
}

/* The libraries' names and versions, or what replaces them and why, for records. In products.cu, as is: */
void cuda_libraries_text(char *out, size_t bytes);
/* Opens the file of engines where ABLATE_CUDNN_TUNE names one; a bad one is a failure of cu. */
void cuda_libraries_tune(struct cuda *cu);
/* The same of those alone that are missing although the environment does not disable them; "" = none. */
void cuda_libraries_lacking(char *out, size_t bytes);
/* Closes the handles of the libraries. */
void cuda_libraries_close(struct cuda *cu);
/* Remembers "FILE:LINE: what: why" unless something failed before. */
void cuda_fail(struct cuda *cu, const char *file, int line, const char *what, const char *why);
/* The same of a call of the runtime: why is what CUDA says of rc, and the remedy where there is one. */
void cuda_fail_call(struct cuda *cu, const char *file, int line, const char *call, cudaError_t rc);

#define CUDA_CALL(cu, call) \
	do { \
		cudaError_t cuda_call_rc_ = (call); \
		if (cuda_call_rc_ != cudaSuccess) \
			cuda_fail_call((cu), __FILE__, __LINE__, #call, cuda_call_rc_); \
	} while (0)

#ifdef ABLATE_CUDA_EMU
#include <cuda_emu.h> /* LAUNCH and SHARED of the file that replaces cuda_runtime.h, from the same folder */
#else
#define LAUNCH(cu, kernel, blocks, threads, shared_bytes, ...) \
	do { \
		kernel<<<(blocks), (threads), (shared_bytes), (cu)->stream>>>(__VA_ARGS__); \
		CUDA_CALL((cu), cudaGetLastError()); \
	} while (0)
#define SHARED(type, name, count) __shared__ __align__(32) type name[count] /* as 16-byte accesses and wmma require */
#define SHARED_BYTES(name)        extern __shared__ __align__(16) unsigned char name[] /* what the launch gives */
#endif

/* Bytes of the libraries' workspace on a device with so much memory: a 256th of it. */
static inline size_t cuda_workspace(size_t memory)
{
	const size_t least = (size_t)64 << 20;
	return memory / 256 < least ? least : memory / 256;
}

static inline unsigned blocks_for(size_t n, unsigned per_block)
{
	return (unsigned)((n + per_block - 1) / per_block);
}

#endif
