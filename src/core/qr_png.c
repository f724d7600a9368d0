/* qr_png.c - libqrencode's matrix as a PNG. */
#include "qr.h"

#include <png.h>
#include <string.h>

#include "buf.h"
#include "qr_int.h"

#define STEP "draw QR code"
#define MAX_PNG 65536
#define ZLIB_LEVEL 1 /* a tenth of the time of level 6 for a few hundred bytes more */

/* libpng leaves through setjmp: what must survive that stands in here, not in registers. */
typedef struct drawing_t {
    const QRcode *code;
    int modules; /* quiet zone included */
    int scale;
    png_byte *row;
    wxpay_buf_t out;
    png_structp png;
    png_infop info;
} drawing_t;

static void on_data(png_structp png, png_bytep bytes, png_size_t len)
{
    drawing_t *drawing = png_get_io_ptr(png);

    if (!wxpay_buf_add(&drawing->out, (const char *)bytes, len)) {
        png_error(png, "too large");
    }
}

static void on_flush(png_structp png)
{
    (void)png;
}

static void on_error(png_structp png, png_const_charp text)
{
    (void)text;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static int is_dark(const QRcode *code, int x, int y)
{
    return x >= 0 && y >= 0 && x < code->width && y < code->width &&
           code->data[y * code->width + x] & 1;
}

/* One line of pixels through the modules of row y: a bit each, 1 is white. */
static void fill_row(drawing_t *drawing, int y)
{
    int pixel = 0;

    memset(drawing->row, 0xff, (size_t)(drawing->modules * drawing->scale + 7) / 8);
    for (int x = 0; x < drawing->modules; x++) {
        int dark = is_dark(drawing->code, x - WXPAY_QR_QUIET, y - WXPAY_QR_QUIET);

        for (int i = 0; i < drawing->scale; i++, pixel++) {
            if (dark) {
                drawing->row[pixel / 8] &= (png_byte) ~(0x80 >> pixel % 8);
            }
        }
    }
}

/* 0 when libpng gave up. */
static int write_png(drawing_t *drawing)
{
    png_uint_32 pixels = (png_uint_32)(drawing->modules * drawing->scale);

    if (setjmp(png_jmpbuf(drawing->png))) {
        return 0;
    }
    png_set_write_fn(drawing->png, drawing, on_data, on_flush);
    png_set_compression_level(drawing->png, ZLIB_LEVEL);
    png_set_filter(drawing->png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    png_set_IHDR(drawing->png, drawing->info, pixels, pixels, 1, PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    png_write_info(drawing->png, drawing->info);
    for (int y = 0; y < drawing->modules; y++) {
        fill_row(drawing, y);
        for (int i = 0; i < drawing->scale; i++) {
            png_write_row(drawing->png, drawing->row);
        }
    }
    png_write_end(drawing->png, drawing->info);
    return 1;
}

static int draw(drawing_t *drawing)
{
    int done;

    drawing->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    if (!drawing->png) {
        return 0;
    }
    drawing->info = png_create_info_struct(drawing->png);
    done = drawing->info && write_png(drawing);
    png_destroy_write_struct(&drawing->png, &drawing->info);
    return done;
}

wxpay_rc_e wxpay_qr_png(apr_pool_t *pool, const char *text, const char **png, apr_size_t *len,
                        wxpay_error_t *err)
{
    drawing_t drawing;
    QRcode *code;
    wxpay_rc_e rc = wxpay_qr_encode(text, &code, err);
    int done;

    if (rc != WXPAY_OK) {
        return rc;
    }
    memset(&drawing, 0, sizeof(drawing));
    drawing.code = code;
    drawing.modules = code->width + 2 * WXPAY_QR_QUIET;
    drawing.scale = wxpay_qr_scale(drawing.modules);
    drawing.row = apr_palloc(pool, (apr_size_t)(drawing.modules * drawing.scale + 7) / 8);
    wxpay_buf_init(&drawing.out, pool, MAX_PNG);
    done = draw(&drawing);
    QRcode_free(code);
    if (!done) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "libpng refused");
    }
    *png = drawing.out.data;
    *len = drawing.out.len;
    return WXPAY_OK;
}
