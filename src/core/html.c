/* html.c - the escapes of the buyer's page. */
#include "html.h"

#include <string.h>
#include <strings.h>

/* Length of the UTF-8 sequence at s, 0 if there is none that XML allows. */
static apr_size_t char_len(const unsigned char *s)
{
    if (s[0] < 0x80) {
        return (s[0] >= 0x20 && s[0] != 0x7f) || s[0] == '\t' || s[0] == '\n';
    }
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        return (s[1] & 0xc0) == 0x80 ? 2 : 0;
    }
    if ((s[0] & 0xf0) == 0xe0) {
        unsigned low = s[0] == 0xe0 ? 0xa0 : 0x80;
        unsigned high = s[0] == 0xed ? 0x9f : 0xbf;

        if (s[1] < low || s[1] > high || (s[2] & 0xc0) != 0x80) {
            return 0;
        }
        return s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe ? 0 : 3;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        unsigned low = s[0] == 0xf0 ? 0x90 : 0x80;
        unsigned high = s[0] == 0xf4 ? 0x8f : 0xbf;

        return s[1] >= low && s[1] <= high && (s[2] & 0xc0) == 0x80 && (s[3] & 0xc0) == 0x80 ? 4
                                                                                             : 0;
    }
    return 0;
}

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

int wxpay_html_escape(wxpay_buf_t *buf, const char *text)
{
    const char *plain = text;
    const char *at = text;

    if (!text) {
        return !buf->broken;
    }
    while (*at) {
        apr_size_t len = char_len((const unsigned char *)at);
        const char *instead = len ? entity(*at) : "\xef\xbf\xbd";

        if (instead) {
            wxpay_buf_add(buf, plain, (apr_size_t)(at - plain));
            wxpay_buf_puts(buf, instead);
        }
        at += len ? len : 1;
        if (instead) {
            plain = at;
        }
    }
    return wxpay_buf_add(buf, plain, (apr_size_t)(at - plain));
}

static int is_linkable(const char *url)
{
    if (url[0] == '/') {
        return url[1] != '/';
    }
    return strncasecmp(url, "http://", 7) == 0
               ? url[7] != '\0' && url[7] != '/'
               : strncasecmp(url, "https://", 8) == 0 && url[8] != '\0' && url[8] != '/';
}

const char *wxpay_html_link(apr_pool_t *pool, const char *url)
{
    static const char hex[] = "0123456789ABCDEF";
    wxpay_buf_t out;

    if (!url || !is_linkable(url)) {
        return NULL;
    }
    wxpay_buf_init(&out, pool, 8192);
    for (const unsigned char *s = (const unsigned char *)url; *s; s++) {
        char code[3] = {'%', hex[*s >> 4], hex[*s & 15]};

        if (*s < 0x20 || *s == 0x7f || *s == '\\') {
            return NULL;
        }
        if (*s > 0x7f || strchr(" \"<>`{}|^", *s)) {
            wxpay_buf_add(&out, code, sizeof(code));
        }
        else {
            wxpay_buf_add(&out, (const char *)s, 1);
        }
    }
    return out.broken ? NULL : out.data;
}
