/* cudnn_offline.c - stands before the real cuDNN on a machine without a GPU: devices are descriptions
 * (CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR), so that the library itself says which graphs it takes and by which engines;
 * nothing is computed. The program under test opens it in cuDNN's place (ABLATE_CUDNN) and knows nothing of it. */
#include <cudnn.h>
#include <dlfcn.h>
#include <stdio.h>

#include "tests/shim/cudnn_offline.h"

static struct {
#define FIELD(name) __typeof__(&name) name;
	CUDNN_OFFLINE_FUNCTIONS(FIELD)
#undef FIELD
} nn;

static cudnnBackendDescriptor_t described;
static int live;

/* What cuDNN asks a driver for, of one card of each generation (the vendor's data sheets and tables of limits by
 * compute capability). */
static const struct {
	int capability, processors, shared, threads, blocks, gib, l2_mib;
} cards[] = {
	{ 800, 108, 166912, 2048, 32, 80, 40 },    /* A100 */
	{ 860, 82, 101376, 1536, 16, 24, 6 },      /* RTX 3090 */
	{ 890, 128, 101376, 1536, 24, 24, 72 },    /* RTX 4090 */
	{ 900, 132, 232448, 2048, 32, 80, 50 },    /* H100 */
	{ 1000, 148, 232448, 2048, 32, 180, 126 }, /* B200 */
	{ 1200, 170, 101376, 1536, 24, 32, 96 },   /* RTX 5090 */
};

int cudnn_offline_open(const char *library)
{
	void *h = dlopen(library, RTLD_NOW | RTLD_LOCAL), *at = NULL;
	if (!h)
		return -1;
#define FIND(name) \
	if (!(at = dlsym(h, #name))) \
		return -1; \
	*(void **)&nn.name = at;
	CUDNN_OFFLINE_FUNCTIONS(FIND)
#undef FIND
	return 0;
}

int cudnn_offline_card(int i)
{
	char text[1024];
	int n;
	if (i < 0 || i >= (int)(sizeof cards / sizeof *cards))
		return 0;
	if (described)
		(void)nn.cudnnBackendDestroyDescriptor(described);
	n = snprintf(
		text, sizeof text,
		"{\"deviceName\":\"a "
		"card\",\"deviceVer\":%d,\"driverVer\":13000,\"cudaDeviceId\":0,\"pciDeviceId\":0,\"isTccDriver\":0,\"supportCoopLaunch\":1,\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,\"warpSize\":32,\"maxRegistersPerSM\":65536,"
		"\"maxThreadsPerBlock\":1024,\"maxSharedMemoryPerBlock\":49152,\"reservedSharedMemoryPerBlock\":1024,\"smClockRateKHz\":1800000,\"memClockRateKHz\":2600000,"
		"\"multiProcessorCount\":%d,\"maxSharedMemoryPerBlockOptin\":%d,\"maxThreadsPerSM\":%d,\"maxCtasPerSM\":%d,\"totalGlobalMem\":%lld,\"l2CacheSize\":%d}",
		cards[i].capability, cards[i].processors, cards[i].shared, cards[i].threads, cards[i].blocks,
		(long long)cards[i].gib << 30, cards[i].l2_mib << 20);
	if (nn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &described) != CUDNN_STATUS_SUCCESS ||
	    nn.cudnnBackendSetAttribute(described, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, n, text) !=
	        CUDNN_STATUS_SUCCESS ||
	    nn.cudnnBackendFinalize(described) != CUDNN_STATUS_SUCCESS)
		return -1;
	return cards[i].capability;
}

long long cudnn_offline_memory(int i)
{
	return (long long)cards[i].gib << 30;
}

int cudnn_offline_live(void)
{
	return live;
}

/* ---- what the program calls ------------------------------------------------------------------ */

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
	*handle = (cudnnHandle_t)(void *)&live; /* never looked into */
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
	return handle ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
	(void)stream;
	return handle ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

size_t cudnnGetVersion(void)
{
	return nn.cudnnGetVersion();
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
	return nn.cudnnGetErrorString(status);
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *d)
{
	cudnnStatus_t rc = nn.cudnnBackendCreateDescriptor(type, d);
	live += rc == CUDNN_STATUS_SUCCESS;
	return rc == CUDNN_STATUS_SUCCESS && type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR
	           ? nn.cudnnBackendSetAttribute(*d, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
	                                         &described)
	           : rc;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t d)
{
	live--;
	return nn.cudnnBackendDestroyDescriptor(d);
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack)
{
	return handle && plan && pack ? CUDNN_STATUS_EXECUTION_FAILED : CUDNN_STATUS_BAD_PARAM; /* on what? */
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t d)
{
	return nn.cudnnBackendFinalize(d);
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t wanted, int64_t *n, void *values)
{
	return nn.cudnnBackendGetAttribute(d, name, type, wanted, n, values);
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t n, const void *values)
{
	if (name == CUDNN_ATTR_OPERATIONGRAPH_HANDLE)
		return CUDNN_STATUS_SUCCESS;
	if (name == CUDNN_ATTR_ENGINE_OPERATION_GRAPH)
		(void)nn.cudnnBackendSetAttribute(d, CUDNN_ATTR_ENGINE_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
		                                  &described);
	if (name == CUDNN_ATTR_EXECUTION_PLAN_HANDLE)
		return nn.cudnnBackendSetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
		                                   &described);
	return nn.cudnnBackendSetAttribute(d, name, type, n, values);
}
