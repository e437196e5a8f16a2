/* nvml_emu.c - two cards as NVML describes them: one at work, and one whose driver knows its name alone. */
#include <string.h>

int nvmlInit_v2(void);
int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
int nvmlDeviceGetName(void *device, char *name, unsigned n);
int nvmlDeviceGetUtilizationRates(void *device, unsigned use[2]);
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long memory[3]);
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius);
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts);

enum { NOT_SUPPORTED = 3 };
static int cards[2];

int nvmlInit_v2(void)
{
	return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
	*count = 2;
	return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
	*device = &cards[index];
	return 0;
}

int nvmlDeviceGetName(void *device, char *name, unsigned n)
{
	(void)strncpy(name, device == &cards[0] ? "Card One" : "Card \033[31mTwo", n);
	return 0;
}

int nvmlDeviceGetUtilizationRates(void *device, unsigned use[2])
{
	use[0] = 87;
	use[1] = 12;
	return device == &cards[0] ? 0 : NOT_SUPPORTED;
}

int nvmlDeviceGetMemoryInfo(void *device, unsigned long long memory[3])
{
	memory[0] = 24ULL << 30;
	memory[1] = 18ULL << 30;
	memory[2] = 6ULL << 30;
	return device == &cards[0] ? 0 : NOT_SUPPORTED;
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius)
{
	*celsius = 61;
	return device == &cards[0] && sensor == 0 ? 0 : NOT_SUPPORTED;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts)
{
	*milliwatts = 250400;
	return device == &cards[0] ? 0 : NOT_SUPPORTED;
}
