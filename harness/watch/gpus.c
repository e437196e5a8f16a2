/* gpus.c - see gpus.h. The few declarations of NVML that are called, as its reference has them. */
#include "harness/watch/gpus.h"

#include "harness/text/columns.h"
#include "harness/text/escape.h"
#include "model/base/library.h"
#include "model/base/mem.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

struct use {
	unsigned gpu, memory;
};
struct memory {
	unsigned long long total, free, used;
};
enum { NAME_BYTES = 96, NAME_COLUMNS = 40, SENSOR_GPU = 0 };

static int (*init)(void);
static int (*device_count)(unsigned *count);
static int (*device_at)(unsigned index, void **device);
static int (*device_name)(void *device, char *name, unsigned n);
static int (*device_use)(void *device, struct use *use);
static int (*device_memory)(void *device, struct memory *memory);
static int (*device_celsius)(void *device, int sensor, unsigned *celsius);
static int (*device_milliwatts)(void *device, unsigned *milliwatts);

static const char *const files[] = { "libnvidia-ml.so.1", NULL };
static const struct library_function functions[] = { { "nvmlInit_v2", &init },
	                                                 { "nvmlDeviceGetCount_v2", &device_count },
	                                                 { "nvmlDeviceGetHandleByIndex_v2", &device_at },
	                                                 { "nvmlDeviceGetName", &device_name },
	                                                 { "nvmlDeviceGetUtilizationRates", &device_use },
	                                                 { "nvmlDeviceGetMemoryInfo", &device_memory },
	                                                 { "nvmlDeviceGetTemperature", &device_celsius },
	                                                 { "nvmlDeviceGetPowerUsage", &device_milliwatts },
	                                                 { NULL, NULL } };

/* Once: a driver that is not there now is not asked for again. */
static bool begin(void)
{
	static struct library nvml = { .files = files, .package = "NVIDIA's driver", .functions = functions };
	static bool tried, works;
	if (!tried) {
		tried = true;
		works = !library_need(&nvml, NULL) && init() == 0;
	}
	return works;
}

int gpus_read(struct gpu out[GPUS_MAX])
{
	unsigned n;
	int found = 0;
	if (!begin() || device_count(&n))
		return 0;
	for (unsigned i = 0; i < n && found < GPUS_MAX; i++) {
		void *device;
		struct use use;
		struct memory memory;
		unsigned celsius, milliwatts;
		struct gpu *g = &out[found];
		if (device_at(i, &device))
			continue;
		found++;
		char name[NAME_BYTES] = "";
		SCOPED(str) struct str shown = { 0 };
		if (device_name(device, name, NAME_BYTES - 1))
			name[0] = '\0';
		escape_plain(&shown, name);
		(void)snprintf(g->name, sizeof g->name, "%.*s", (int)columns_fitting(str_text(&shown), NAME_COLUMNS),
		               str_text(&shown));
		g->use = device_use(device, &use) ? -1 : (int)use.gpu;
		bool no_memory = device_memory(device, &memory) != 0;
		g->used = no_memory ? NAN : (double)memory.used;
		g->memory = no_memory ? NAN : (double)memory.total;
		g->celsius = device_celsius(device, SENSOR_GPU, &celsius) ? -1 : (int)celsius;
		g->watts = device_milliwatts(device, &milliwatts) ? NAN : 1e-3 * milliwatts;
	}
	return found;
}
