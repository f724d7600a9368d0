/* buf.c - a growing byte buffer with a maximum from birth. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_CAP 256

void wxpay_buf_init(wxpay_buf_t *buf, apr_pool_t *pool, apr_size_t max)
{
    buf->pool = pool;
    buf->max = max;
    buf->len = 0;
    buf->broken = 0;
    buf->cap = max < FIRST_CAP ? max + 1 : FIRST_CAP;
    buf->data = apr_palloc(pool, buf->cap);
    buf->data[0] = '\0';
}

/* Room for `more` bytes and the NUL behind them. */
static int reserve(wxpay_buf_t *buf, apr_size_t more)
{
    apr_size_t cap = buf->cap;
    char *data;

    if (buf->broken || more > buf->max - buf->len) {
        buf->broken = 1;
        buf->len = 0;
        buf->data[0] = '\0';
        return 0;
    }
    if (buf->len + more < cap) {
        return 1;
    }
    while (cap <= buf->len + more) {
        cap = cap <= buf->max / 2 ? cap * 2 : buf->max + 1;
    }
    data = apr_palloc(buf->pool, cap);
    memcpy(data, buf->data, buf->len + 1);
    buf->data = data;
    buf->cap = cap;
    return 1;
}

int wxpay_buf_add(wxpay_buf_t *buf, const char *bytes, apr_size_t len)
{
    if (!reserve(buf, len)) {
        return 0;
    }
    if (len) {
        memcpy(buf->data + buf->len, bytes, len);
    }
    buf->len += len;
    buf->data[buf->len] = '\0';
    return 1;
}

int wxpay_buf_puts(wxpay_buf_t *buf, const char *text)
{
    return wxpay_buf_add(buf, text, strlen(text));
}

int wxpay_buf_printf(wxpay_buf_t *buf, const char *fmt, ...)
{
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    /* What cannot be formatted breaks the buffer like what does not fit. */
    if (!reserve(buf, len < 0 ? APR_SIZE_MAX : (apr_size_t)len)) {
        return 0;
    }
    va_start(args, fmt);
    (void)vsnprintf(buf->data + buf->len, (apr_size_t)len + 1, fmt, args);
    va_end(args);
    buf->len += (apr_size_t)len;
    return 1;
}
