/* zip_read.c - see zip_read.h. */
#include "model/formats/zip_read.h"

#include <zip.h>

struct zip *zip_read_open(const char *path, const char *kind, struct err *e)
{
	int code = 0;
	zip_error_t why;
	zip_t *zip = zip_open(path, ZIP_RDONLY, &code);
	if (zip)
		return zip;
	zip_error_init_with_code(&why, code);
	(void)err_set(e, "%s: not readable as %s: %s", path, kind, zip_error_strerror(&why));
	zip_error_fini(&why);
	return NULL;
}
