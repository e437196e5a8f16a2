/* cudnn_offline.h - what a test asks of cudnn_offline.c, by dlsym. */
#ifndef CUDNN_OFFLINE_H
#define CUDNN_OFFLINE_H

/* The functions that model/cuda/cuda_dnn.cu opens. */
#define CUDNN_OFFLINE_FUNCTIONS(X) \
	X(cudnnBackendCreateDescriptor) \
	X(cudnnBackendDestroyDescriptor) \
	X(cudnnBackendFinalize) \
	X(cudnnBackendGetAttribute) X(cudnnBackendSetAttribute) X(cudnnGetErrorString) X(cudnnGetVersion)

#ifdef __cplusplus
extern "C" {
#endif
int cudnn_offline_open(const char *library); /* the real one; -1: not here */
int cudnn_offline_card(
	int i); /* plans are for card i from now on. Its compute capability times 100; 0: no such card; -1: refused */
long long cudnn_offline_memory(int i); /* of card i, in bytes */
int cudnn_offline_live(void);          /* descriptors that were made and not destroyed */
#ifdef __cplusplus
}
#endif

#endif
