/* qr_int.h - what the SVG and the PNG of a QR code share. Private to qr*.c. */
#ifndef WXPAY_QR_INT_H
#define WXPAY_QR_INT_H

#include <qrencode.h>

#include "error.h"

#define WXPAY_QR_QUIET 4        /* modules; ISO/IEC 18004 asks for four */
#define WXPAY_QR_MIN_PIXELS 240 /* at least this wide, in whole pixels per module: sharp edges */

/* Level M. QRcode_free() it. Errors: WXPAY_EINPUT, WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_qr_encode(const char *text, QRcode **code, wxpay_error_t *err);

/* Pixels per module of a code with this many modules, quiet zone included. */
int wxpay_qr_scale(int modules);

#endif
