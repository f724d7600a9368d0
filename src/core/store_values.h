/* store_values.h - C values <-> SQL values; private to the files of rows. */
#ifndef WXPAY_STORE_VALUES_H
#define WXPAY_STORE_VALUES_H

#include <apr_pools.h>
#include "error.h"
#include "store.h"

wxpay_value_t wxpay_value_text(const char *text); /* NULL: SQL NULL; text is referenced */
wxpay_value_t wxpay_value_int(apr_int64_t i);

/* A cursor over one row's values, copying texts into the reader's pool. */
typedef struct wxpay_reader_t {
    const wxpay_value_t *v;
    apr_pool_t *pool;
} wxpay_reader_t;

/* The next value: a copy in the reader's pool (NULL for SQL NULL), or an integer. */
const char *wxpay_take_text(wxpay_reader_t *reader);
apr_int64_t wxpay_take_int(wxpay_reader_t *reader);

/* WXPAY_EINTERNAL: the state table forbids it. */
wxpay_rc_e wxpay_row_illegal(const char *what, const char *from, const char *to,
                             wxpay_error_t *err);
/* The end of a compare-and-set: WXPAY_ECONFLICT unless exactly one row was changed. */
wxpay_rc_e wxpay_row_cas(wxpay_rc_e rc, int affected, wxpay_error_t *err);

#endif
