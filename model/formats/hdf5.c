/* hdf5.c - see hdf5.h. */
#define _GNU_SOURCE
#include "model/formats/hdf5.h"

#include "model/base/library.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

struct hdf5 hdf5;

/* Debian's has a name of its own, beside those that are built for MPI. */
static const char *const files[] = { "libhdf5_serial.so.103", "libhdf5.so.103", "libhdf5_serial.so.310",
	                                 "libhdf5.so.310",        "libhdf5.so.200", NULL };
static const struct library_function functions[] = {
	{ "H5open", &hdf5.start },
	{ "H5Lunregister", &hdf5.unregister_link },
	{ "H5Eset_auto2", &hdf5.on_error },
	{ "H5Ewalk2", &hdf5.walk_errors },
	{ "H5Idec_ref", &hdf5.release },
	{ "H5Fopen", &hdf5.open_file },
	{ "H5Oopen", &hdf5.open_object },
	{ "H5Iget_type", &hdf5.object_type },
	{ "H5Gget_info", &hdf5.group_info },
	{ "H5Lget_name_by_idx", &hdf5.link_name },
	{ "H5Dget_space", &hdf5.dataset_space },
	{ "H5Dget_type", &hdf5.dataset_type },
	{ "H5Dget_create_plist", &hdf5.dataset_settings },
	{ "H5Dget_storage_size", &hdf5.dataset_stored },
	{ "H5Dget_num_chunks", &hdf5.dataset_chunks },
	{ "H5Dread", &hdf5.dataset_read },
	{ "H5Sget_simple_extent_type", &hdf5.space_kind },
	{ "H5Sget_simple_extent_ndims", &hdf5.space_n_dims },
	{ "H5Sget_simple_extent_dims", &hdf5.space_dims },
	{ "H5Sselect_hyperslab", &hdf5.space_select },
	{ "H5Screate_simple", &hdf5.space_new },
	{ "H5Tget_class", &hdf5.type_class },
	{ "H5Tget_size", &hdf5.type_size },
	{ "H5Tget_order", &hdf5.type_order },
	{ "H5Tget_precision", &hdf5.type_precision },
	{ "H5Tget_offset", &hdf5.type_offset },
	{ "H5Tget_sign", &hdf5.type_sign },
	{ "H5Tget_fields", &hdf5.type_fields },
	{ "H5Tget_ebias", &hdf5.type_bias },
	{ "H5Tis_variable_str", &hdf5.type_is_variable },
	{ "H5Pget_layout", &hdf5.layout },
	{ "H5Pget_chunk", &hdf5.chunk },
	{ "H5Pget_external_count", &hdf5.n_external },
	{ "H5Pget_nfilters", &hdf5.n_filters },
	{ "H5Pget_filter2", &hdf5.filter },
	{ "H5Zfilter_avail", &hdf5.has_filter },
	{ NULL, NULL },
};
static struct library library = { .files = files, .package = "libhdf5-103-1", .functions = functions };
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

int hdf5_look(const char **path, struct err *e)
{
	*path = library.path;
	return library_need(&library, e);
}

int hdf5_enter(struct err *e)
{
	enum { EXTERNAL_LINKS = 64 };
	static bool started;
	if (library_need(&library, e))
		return -1;
	(void)pthread_mutex_lock(&one_at_a_time);
	if (!started && (hdf5.start() < 0 || hdf5.unregister_link(EXTERNAL_LINKS) < 0)) {
		(void)pthread_mutex_unlock(&one_at_a_time);
		return err_set(e, "%s does not start", library.path);
	}
	started = true;
	(void)hdf5.on_error(0, NULL, NULL); /* of this thread: its messages go into our own */
	return 0;
}

void hdf5_leave(void)
{
	(void)pthread_mutex_unlock(&one_at_a_time);
}

void scoped_hdf5(int64_t *id)
{
	if (*id > 0)
		(void)hdf5.release(*id);
}

/* An entry of the library's stack of errors. */
struct hdf5_error {
	int64_t class, major, minor;
	unsigned line;
	const char *function, *file, *text;
};

/* The innermost comes first, and says most. */
static int take_first(unsigned n, const struct hdf5_error *error, void *ctx)
{
	char *out = ctx;
	if (n == 0 && error->text)
		(void)strncat(out, error->text, 199);
	return 0;
}

int hdf5_fail(const char *name, const char *what, struct err *e)
{
	char why[200] = "";
	int (*each)(unsigned, const struct hdf5_error *, void *) = take_first;
	void *p;
	memcpy(&p, &each, sizeof p);
	(void)hdf5.walk_errors(0, 0, p, why);
	for (char *c = why; *c; c++)
		*c = *c < ' ' || *c > '~' ? '?' : *c;
	return err_set(e, "%s: %s: %s", name, what, *why ? why : "the HDF5 library gives no reason");
}
