/* html.h - writing values into HTML and SVG: one escape per context, and no raw mode.
 *
 * Both functions accept any bytes: what is not UTF-8 or not allowed in XML (control characters,
 * U+FFFE, U+FFFF) comes out as U+FFFD. Threads: any. Source: HTML standard, 13.3; XML 1.0, 2.2.
 */
#ifndef WXPAY_HTML_H
#define WXPAY_HTML_H

#include "buf.h"

/* Appends text for element content or a double-quoted attribute. NULL appends nothing. */
int wxpay_html_escape(wxpay_buf_t *buf, const char *text);

/* What may stand in href="" (still to be passed through wxpay_html_escape): http://, https:// or a
 * path of this host, with everything outside the URL alphabet percent-encoded, in pool. NULL for
 * NULL, "", other schemes, "//host", "/\host", control characters and backslashes. */
const char *wxpay_html_link(apr_pool_t *pool, const char *url);

#endif
