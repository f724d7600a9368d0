#include "store_values.h"

#include <apr_strings.h>
#include <string.h>

wxpay_value_t wxpay_value_text(const char *text)
{
    wxpay_value_t v = {WXPAY_VALUE_NULL, 0, NULL, 0};

    if (text) {
        v.type = WXPAY_VALUE_TEXT;
        v.s = text;
        v.len = strlen(text);
    }
    return v;
}

wxpay_value_t wxpay_value_int(apr_int64_t i)
{
    wxpay_value_t v = {WXPAY_VALUE_INT, 0, NULL, 0};

    v.i = i;
    return v;
}

wxpay_rc_e wxpay_row_illegal(const char *what, const char *from, const char *to, wxpay_error_t *err)
{
    return wxpay_error_set(err, WXPAY_EINTERNAL, "change state", "%s may not go from %s to %s",
                           what, from, to);
}

wxpay_rc_e wxpay_row_cas(wxpay_rc_e rc, int affected, wxpay_error_t *err)
{
    if (rc == WXPAY_OK && affected != 1) {
        return wxpay_error_set(err, WXPAY_ECONFLICT, "change state",
                               "the row was changed by somebody else meanwhile");
    }
    return rc;
}

const char *wxpay_take_text(wxpay_reader_t *r)
{
    const wxpay_value_t *v = r->v++;

    return v->type == WXPAY_VALUE_NULL ? NULL : apr_pstrmemdup(r->pool, v->s, v->len);
}

apr_int64_t wxpay_take_int(wxpay_reader_t *r)
{
    return (r->v++)->i;
}
