/* qr.h - a QR code as SVG or PNG, by libqrencode (level M, quiet zone of 4 modules).
 * Threads: any (libqrencode is built with pthread on Debian; see qr.c). */
#ifndef WXPAY_QR_H
#define WXPAY_QR_H

#include <apr_pools.h>
#include "error.h"

/* A complete <svg> element, black on white in every colour scheme, one path, role="img" and
 * aria-label = label (escaped). standalone: with xmlns, for a file of its own. text: 1-512 bytes.
 * Errors: WXPAY_EINPUT, WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_qr_svg(apr_pool_t *pool, const char *text, const char *label, int standalone,
                        const char **svg, apr_size_t *len, wxpay_error_t *err);

/* The same code as a PNG for mails and old clients: 1-bit greyscale, black on white, at least 240
 * pixels wide, a whole number of pixels per module. Errors: WXPAY_EINPUT, WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_qr_png(apr_pool_t *pool, const char *text, const char **png, apr_size_t *len,
                        wxpay_error_t *err);

#endif
