/* error.c - what failed, doing what, and how to go on. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "text.h"

void wxpay_error_clear(wxpay_error_t *err)
{
    if (err) {
        memset(err, 0, sizeof(*err));
    }
}

static void fill(wxpay_error_t *err, wxpay_rc_e code, const char *step, const char *field,
                 const char *fmt, va_list args) __attribute__((format(printf, 5, 0)));

static void fill(wxpay_error_t *err, wxpay_rc_e code, const char *step, const char *field,
                 const char *fmt, va_list args)
{
    if (!err) {
        return;
    }
    wxpay_error_clear(err);
    err->code = code;
    apr_cpystrn(err->step, step, sizeof(err->step));
    apr_cpystrn(err->field, field, sizeof(err->field));
    (void)vsnprintf(err->detail, sizeof(err->detail), fmt, args);
    wxpay_text_tidy(err->step);
    wxpay_text_tidy(err->field);
    wxpay_text_tidy(err->detail);
}

wxpay_rc_e wxpay_error_set(wxpay_error_t *err, wxpay_rc_e code, const char *step, const char *fmt,
                           ...)
{
    va_list args;

    va_start(args, fmt);
    fill(err, code, step, "", fmt, args);
    va_end(args);
    return code;
}

wxpay_rc_e wxpay_error_field(wxpay_error_t *err, const char *step, const char *field,
                             const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fill(err, WXPAY_EINPUT, step, field, fmt, args);
    va_end(args);
    return WXPAY_EINPUT;
}

wxpay_rc_e wxpay_error_named(wxpay_error_t *err, wxpay_rc_e code, const char *step,
                             const char *field, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fill(err, code, step, field, fmt, args);
    va_end(args);
    return code;
}

const char *wxpay_rc_name(wxpay_rc_e code)
{
    switch (code) {
    case WXPAY_OK:
        return "ok";
    case WXPAY_EINPUT:
        return "input";
    case WXPAY_EPARSE:
        return "parse";
    case WXPAY_ESIGN:
        return "sign";
    case WXPAY_EMISMATCH:
        return "mismatch";
    case WXPAY_EGATEWAY:
        return "gateway";
    case WXPAY_ENET:
        return "net";
    case WXPAY_EBUSY:
        return "busy";
    case WXPAY_ENOTFOUND:
        return "notfound";
    case WXPAY_ECONFLICT:
        return "conflict";
    case WXPAY_ESTORE:
        return "store";
    case WXPAY_EINTERNAL:
        return "internal";
    }
    return "unknown";
}
