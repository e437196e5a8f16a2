/* card.c - see card.h. Data sheets print rates with sparsity; those are halved. */
#include "harness/plan/card.h"

#include <string.h>

static const struct card rows[] = {
	{ .name = "h100",
	  .text = "NVIDIA H100 SXM",
	  .device = "H100",
	  .tflops = { [DTYPE_FP32] = 66.9, [DTYPE_TF32] = 494.7, [DTYPE_BF16] = 989.4 },
	  .memory_gb = 80,
	  .source = "NVIDIA H100 Tensor Core GPU Architecture, white paper, V1.04, table 2" },
	{ .name = "h200",
	  .text = "NVIDIA H200 SXM",
	  .device = "H200",
	  .tflops = { [DTYPE_FP32] = 66.9, [DTYPE_TF32] = 494.7, [DTYPE_BF16] = 989.4 },
	  .memory_gb = 141,
	  .source = "NVIDIA H200 Tensor Core GPU, data sheet: the rates of an H100 SXM" },
	{ .name = "a100",
	  .text = "NVIDIA A100 SXM",
	  .device = "A100",
	  .tflops = { [DTYPE_FP32] = 19.5, [DTYPE_TF32] = 156, [DTYPE_BF16] = 312 },
	  .memory_gb = 80,
	  .source = "NVIDIA A100 80GB, data sheet" },
	{ .name = "l40s",
	  .text = "NVIDIA L40S",
	  .device = "L40S",
	  .tflops = { [DTYPE_FP32] = 91.6, [DTYPE_TF32] = 183, [DTYPE_BF16] = 362 },
	  .memory_gb = 48,
	  .source = "NVIDIA L40S, data sheet" },
	{ .name = "l4",
	  .text = "NVIDIA L4",
	  .device = "L4",
	  .tflops = { [DTYPE_FP32] = 30.3, [DTYPE_TF32] = 60, [DTYPE_BF16] = 121 },
	  .memory_gb = 24,
	  .source = "NVIDIA L4, data sheet" },
	{ .name = "rtx-4090",
	  .text = "NVIDIA GeForce RTX 4090",
	  .device = "RTX 4090",
	  .tflops = { [DTYPE_FP32] = 82.6, [DTYPE_TF32] = 82.6, [DTYPE_BF16] = 165.2 },
	  .memory_gb = 24,
	  .source = "NVIDIA Ada GPU Architecture, white paper, appendix A" },
};
enum { N_ROWS = sizeof rows / sizeof *rows };

const struct card *card_find(const char *name)
{
	for (int i = 0; i < N_ROWS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* Is `part` a word, or words, of it? "L4" is none of "NVIDIA L40S". */
static bool has_words(const char *text, const char *part)
{
	size_t n = strlen(part);
	for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
		if ((at == text || at[-1] == ' ') && (!at[n] || at[n] == ' ' || at[n] == '-'))
			return true;
	return false;
}

const struct card *card_of_device(const char *device)
{
	for (int i = 0; i < N_ROWS; i++)
		if (has_words(device, rows[i].device))
			return &rows[i];
	return NULL;
}
