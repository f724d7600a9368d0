/* retained.h - memory that all processes share and that a graceful restart keeps. It must hold
 * plain numbers only, nothing that points into the module, which may be loaded to another place by
 * then.
 */
#ifndef MOD_WXPAY_RETAINED_H
#define MOD_WXPAY_RETAINED_H

#include <apr.h>

/* `size` bytes known by `name`, all zero when they are new: made before the first fork, found again
 * later. NULL: no memory. Threads: the parent only. */
void *mod_wxpay_retained(const char *name, apr_size_t size);

#endif
