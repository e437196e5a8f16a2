/* paritylib_offload.c - a back end with the host's memory whose nodes run on a device, so that everything which
 * compares values on the host can ask a device for them: before a node its sources travel to the device, after it its
 * results come back. See paritylib.h. */
#include "tests/parity/paritylib.h"

#include "model/cpu/devices.h"

enum { MAX_BUFFERS = MAX_SRC + MAX_DST + 1 };

static struct {
	struct backend base;
	struct backend *device;
	struct backend_ops ops;
} offload;

static struct backend *device_of(void)
{
	return offload.device;
}

static void *host_alloc(struct backend *b, size_t bytes, struct err *e)
{
	(void)b, (void)e;
	void *p = xaligned(bytes + 1);
	memset(p, 0, bytes);
	return p;
}

static void host_release(struct backend *b, void *p)
{
	(void)b;
	free(p);
}

static void host_copy(struct backend *b, void *dst, const void *src, size_t bytes)
{
	(void)b;
	memcpy(dst, src, bytes);
}

static size_t device_prepare(struct backend *b, struct node *nd)
{
	(void)b;
	return device_of()->ops->nodes.prepare(device_of(), nd);
}

static void device_release(struct backend *b, struct node *nd)
{
	(void)b;
	device_of()->ops->nodes.release(device_of(), nd);
}

static void device_step(struct backend *b, const struct step_scalars *s)
{
	(void)b;
	device_of()->ops->nodes.set_step(device_of(), s);
}

static int device_check(struct backend *b, struct err *e)
{
	(void)b;
	return backend_check(device_of(), e);
}

/* Memory of the host and what stands for it on the device; tensors that share one share the other. */
struct buffer {
	float *host;
	void *device;
	size_t bytes;
};

static void add_tensor(struct buffer *list, int *n, const struct tensor *t)
{
	if (!t)
		return;
	for (int i = 0; i < *n; i++)
		if (list[i].host == t->data)
			return;
	list[(*n)++] = (struct buffer){ .host = t->data, .bytes = tensor_bytes(t) };
}

static void move(const struct buffer *list, int n, struct tensor *t, bool to_device)
{
	for (int i = 0; t && i < n; i++)
		if ((to_device ? list[i].host : (float *)list[i].device) == t->data) {
			t->data = to_device ? (float *)list[i].device : list[i].host;
			return;
		}
}

static void move_all(const struct buffer *list, int n, struct node *nd, bool to_device)
{
	struct tensor *moved[MAX_BUFFERS];
	int n_moved = 0;
	for (int i = 0; i < nd->n_src + nd->n_dst + 1; i++) {
		struct tensor *t = i < nd->n_src ? nd->src[i] : i < nd->n_src + nd->n_dst ? nd->dst[i - nd->n_src] : nd->work;
		bool again = false;
		for (int j = 0; j < n_moved; j++)
			again |= moved[j] == t;
		if (!again) {
			move(list, n, t, to_device);
			moved[n_moved++] = t;
		}
	}
}

static void device_run(struct backend *b, struct node *nd)
{
	const struct backend_ops *ops = device_of()->ops;
	struct buffer list[MAX_BUFFERS];
	struct err e = ERR_INIT;
	int n = 0;
	(void)b;
	for (int i = 0; i < nd->n_src; i++)
		add_tensor(list, &n, nd->src[i]);
	for (int i = 0; i < nd->n_dst; i++)
		add_tensor(list, &n, nd->dst[i]);
	add_tensor(list, &n, nd->work);
	for (int i = 0; i < n; i++) {
		list[i].device = ops->memory.alloc(device_of(), list[i].bytes, &e);
		if (!list[i].device)
			BUG("%s", e.msg);
		ops->memory.upload(device_of(), list[i].device, list[i].host, list[i].bytes);
	}
	move_all(list, n, nd, true);
	ops->nodes.run(device_of(), nd);
	move_all(list, n, nd, false);
	for (int i = 0; i < n; i++) {
		ops->memory.download(device_of(), list[i].host, list[i].device, list[i].bytes);
		ops->memory.release(device_of(), list[i].device);
	}
	if (backend_check(device_of(), &e))
		BUG("%s", e.msg);
}

int fx_open_device(const char *name, struct err *e)
{
	if (backend_open(&offload.device, name, DTYPE_FP32, e))
		return -1;
	offload.ops = (struct backend_ops){
		.kind = "offload",
		.host_memory = true,
		.align = offload.device->ops->align,
		.memory = { .alloc = host_alloc, .release = host_release, .upload = host_copy, .download = host_copy },
		.nodes = { .prepare = device_prepare, .run = device_run, .release = device_release, .set_step = device_step },
		.check = device_check,
	};
	offload.base = (struct backend){ .ops = &offload.ops, .name = "offload", .dtype = DTYPE_FP32 };
	return 0;
}

struct graph *fx_graph(void)
{
	return offload.device ? graph_new_on(&offload.base) : graph_new();
}

void fx_close_device(void)
{
	backend_free(offload.device);
	offload.device = NULL;
}
