/* qr.c - libqrencode's matrix as one SVG path.
 *
 * libqrencode guards its only shared table with a mutex when built with pthread, as Debian's is.
 */
#include "qr.h"

#include <string.h>

#include "buf.h"
#include "html.h"
#include "qr_int.h"

#define QUIET WXPAY_QR_QUIET
#define MAX_TEXT 512
#define MAX_SVG 65536

/* Neighbouring dark modules of a row become one rectangle: a third of the bytes. */
static void add_path(wxpay_buf_t *out, const QRcode *code)
{
    for (int y = 0; y < code->width; y++) {
        const unsigned char *row = code->data + y * code->width;

        for (int x = 0; x < code->width; x++) {
            int from = x;

            while (x < code->width && (row[x] & 1)) {
                x++;
            }
            if (x > from) {
                wxpay_buf_printf(out, "M%d %dh%dv1h-%dz", from + QUIET, y + QUIET, x - from,
                                 x - from);
            }
        }
    }
}

static void add_svg(wxpay_buf_t *out, const QRcode *code, const char *label, int standalone)
{
    int size = code->width + 2 * QUIET;
    int pixels = wxpay_qr_scale(size) * size;

    wxpay_buf_puts(out, standalone ? "<svg xmlns=\"http://www.w3.org/2000/svg\"" : "<svg");
    wxpay_buf_printf(out, " class=\"qr\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"", pixels,
                     pixels, size, size);
    wxpay_buf_puts(out, " shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"");
    wxpay_html_escape(out, label);
    wxpay_buf_printf(out, "\"><rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>", size, size);
    wxpay_buf_puts(out, "<path fill=\"#000\" d=\"");
    add_path(out, code);
    wxpay_buf_puts(out, "\"/></svg>");
}

int wxpay_qr_scale(int modules)
{
    return (WXPAY_QR_MIN_PIXELS + modules - 1) / modules;
}

wxpay_rc_e wxpay_qr_encode(const char *text, QRcode **code, wxpay_error_t *err)
{
    apr_size_t size = text ? strlen(text) : 0;

    if (size == 0 || size > MAX_TEXT) {
        return wxpay_error_field(err, "draw QR code", "code_url", "must have 1 to %d bytes",
                                 MAX_TEXT);
    }
    *code = QRcode_encodeData((int)size, (const unsigned char *)text, 0, QR_ECLEVEL_M);
    return *code ? WXPAY_OK
                 : wxpay_error_set(err, WXPAY_EINTERNAL, "draw QR code", "libqrencode refused");
}

wxpay_rc_e wxpay_qr_svg(apr_pool_t *pool, const char *text, const char *label, int standalone,
                        const char **svg, apr_size_t *len, wxpay_error_t *err)
{
    QRcode *code;
    wxpay_buf_t out;
    wxpay_rc_e rc = wxpay_qr_encode(text, &code, err);

    if (rc != WXPAY_OK) {
        return rc;
    }
    wxpay_buf_init(&out, pool, MAX_SVG);
    add_svg(&out, code, label, standalone);
    QRcode_free(code);
    if (out.broken) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, "draw QR code", "more than %d bytes", MAX_SVG);
    }
    *svg = out.data;
    *len = out.len;
    return WXPAY_OK;
}
