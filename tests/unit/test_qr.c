/* test_qr.c - SVG and PNG are the QR code's matrix with its quiet zone; the SVG is well-formed for
 * any label. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <cmocka.h>
#include <libxml/parser.h>
#include <png.h>
#include <qrencode.h>

#include "qr.h"

#define CODE_URL "weixin://wxpay/bizpayurl?pr=NwY5Mz9zz"

static int setup(void **state)
{
    return apr_pool_create((apr_pool_t **)state, NULL) != APR_SUCCESS;
}

static int teardown(void **state)
{
    apr_pool_destroy(*state);
    return 0;
}

static xmlNode *child(xmlNode *parent, const char *name)
{
    for (xmlNode *node = parent->children; node; node = node->next) {
        if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0) {
            return node;
        }
    }
    fail_msg("no <%s>", name);
    return NULL;
}

static const char *attr(apr_pool_t *pool, xmlNode *node, const char *name)
{
    xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
    const char *copy = value ? apr_pstrdup(pool, (const char *)value) : NULL;

    xmlFree(value);
    return copy;
}

static xmlDoc *draw(apr_pool_t *pool, const char *text, const char *label, int standalone)
{
    const char *svg = NULL;
    apr_size_t len = 0;
    wxpay_error_t err;
    xmlDoc *doc;

    assert_int_equal(wxpay_qr_svg(pool, text, label, standalone, &svg, &len, &err), WXPAY_OK);
    assert_int_equal(strlen(svg), len);
    doc = xmlReadMemory(svg, (int)len, "qr.svg", "UTF-8", XML_PARSE_NONET);
    assert_non_null(doc);
    return doc;
}

/* Paints the path's rectangles; every one must lie inside the field and on unpainted modules. */
static void paint(const char *d, unsigned char *field, int size)
{
    while (*d) {
        char *end;
        long x = strtol(d + 1, &end, 10);
        long y = strtol(end, &end, 10);
        long run;

        assert_int_equal(*d, 'M');
        assert_int_equal(*end, 'h');
        run = strtol(end + 1, &end, 10);
        assert_int_equal(strncmp(end, "v1h-", 4), 0);
        assert_int_equal(strtol(end + 4, &end, 10), run);
        assert_int_equal(*end, 'z');
        d = end + 1;
        assert_true(x >= 0 && y >= 0 && y < size && run > 0 && x + run <= size);
        for (long i = 0; i < run; i++) {
            assert_int_equal(field[y * size + x + i], 0);
            field[y * size + x + i] = 1;
        }
    }
}

static void test_matrix(void **state)
{
    const char *const texts[] = {CODE_URL, "x", "weixin://wxpay/bizpayurl?pr=二维码"};

    for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
        xmlDoc *doc = draw(*state, texts[t], "label", 1);
        xmlNode *svg = xmlDocGetRootElement(doc);
        QRcode *code = QRcode_encodeData((int)strlen(texts[t]), (const unsigned char *)texts[t], 0,
                                         QR_ECLEVEL_M);
        int size = code->width + 8;
        unsigned char *field = apr_pcalloc(*state, (apr_size_t)(size * size));

        assert_string_equal(attr(*state, svg, "viewBox"),
                            apr_psprintf(*state, "0 0 %d %d", size, size));
        assert_true(atoi(attr(*state, svg, "width")) >= 200);
        assert_int_equal(atoi(attr(*state, svg, "width")) % size, 0);
        assert_string_equal(attr(*state, child(svg, "rect"), "fill"), "#fff");
        assert_string_equal(attr(*state, child(svg, "path"), "fill"), "#000");
        paint(attr(*state, child(svg, "path"), "d"), field, size);
        for (int y = 0; y < size; y++) {
            for (int x = 0; x < size; x++) {
                int inside = x >= 4 && y >= 4 && x < size - 4 && y < size - 4;
                int dark = inside ? code->data[(y - 4) * code->width + x - 4] & 1 : 0;

                assert_int_equal(field[y * size + x], dark);
            }
        }
        QRcode_free(code);
        xmlFreeDoc(doc);
    }
}

/* Every pixel, as an independent reader sees it. */
static void check_png(apr_pool_t *pool, const char *text, const char *png, apr_size_t len)
{
    QRcode *code =
        QRcode_encodeData((int)strlen(text), (const unsigned char *)text, 0, QR_ECLEVEL_M);
    int size = code->width + 8;
    png_image image = {.version = PNG_IMAGE_VERSION};
    unsigned char *pixels;
    int scale;

    assert_true(png_image_begin_read_from_memory(&image, png, len));
    assert_int_equal(image.width, image.height);
    assert_true(image.width >= 240);
    assert_int_equal(image.width % (unsigned)size, 0);
    scale = (int)image.width / size;
    image.format = PNG_FORMAT_GRAY;
    pixels = apr_palloc(pool, PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    for (int y = 0; y < (int)image.height; y++) {
        for (int x = 0; x < (int)image.width; x++) {
            int row = y / scale - 4;
            int column = x / scale - 4;
            int inside = row >= 0 && column >= 0 && row < code->width && column < code->width;
            int dark = inside ? code->data[row * code->width + column] & 1 : 0;

            assert_int_equal(pixels[y * (int)image.width + x], dark ? 0 : 255);
        }
    }
    QRcode_free(code);
}

static void test_png(void **state)
{
    char longest[513];
    const char *const texts[] = {CODE_URL, "x", longest};

    memset(longest, 'a', 512);
    longest[512] = '\0';
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *png = NULL;
        apr_size_t len = 0;
        wxpay_error_t err;

        assert_int_equal(wxpay_qr_png(*state, texts[i], &png, &len, &err), WXPAY_OK);
        assert_memory_equal(png, "\x89PNG\r\n\x1a\n", 8);
        assert_int_equal(png[24], 1); /* bit depth */
        assert_int_equal(png[25], 0); /* greyscale */
        assert_true(len < 8192);
        check_png(*state, texts[i], png, len);
    }
}

static void test_label(void **state)
{
    const char *const labels[][2] = {
        {"微信支付二维码，金额 19.90 元", "微信支付二维码，金额 19.90 元"},
        {"\"><script>alert(1)</script>", "\"><script>alert(1)</script>"},
        {"a & b ' c", "a & b ' c"},
        {"bell\a \xff\xc0\x80 \xed\xa0\x80",
         "bell\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };

    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        for (int standalone = 0; standalone < 2; standalone++) {
            xmlDoc *doc = draw(*state, CODE_URL, labels[i][0], standalone);
            xmlNode *svg = xmlDocGetRootElement(doc);

            assert_string_equal(attr(*state, svg, "aria-label"), labels[i][1]);
            assert_string_equal(attr(*state, svg, "role"), "img");
            assert_int_equal(svg->ns != NULL, standalone);
            xmlFreeDoc(doc);
        }
    }
}

static void test_limits(void **state)
{
    const char *svg = NULL;
    apr_size_t len = 0;
    wxpay_error_t err;
    char text[514];

    memset(text, 'a', sizeof(text));
    text[513] = '\0';
    assert_int_equal(wxpay_qr_svg(*state, text, "x", 0, &svg, &len, &err), WXPAY_EINPUT);
    assert_string_equal(err.field, "code_url");
    assert_int_equal(wxpay_qr_svg(*state, "", "x", 0, &svg, &len, &err), WXPAY_EINPUT);
    assert_int_equal(wxpay_qr_svg(*state, NULL, "x", 0, &svg, &len, &err), WXPAY_EINPUT);
    assert_int_equal(wxpay_qr_png(*state, text, &svg, &len, &err), WXPAY_EINPUT);
    assert_int_equal(wxpay_qr_png(*state, NULL, &svg, &len, &err), WXPAY_EINPUT);
    assert_null(svg);
    text[512] = '\0';
    assert_int_equal(wxpay_qr_svg(*state, text, "x", 0, &svg, &len, &err), WXPAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_matrix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_png, setup, teardown),
        cmocka_unit_test_setup_teardown(test_label, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    xmlCleanupParser();
    apr_terminate();
    return failed;
}
