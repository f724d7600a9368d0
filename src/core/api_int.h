/* api_int.h - shared by the files of api only. */
#ifndef WXPAY_API_INT_H
#define WXPAY_API_INT_H

#include "api.h"

/* Set result->err with flags, about an operation. detail: a printf-style sentence. */
void wxpay_api_fail(wxpay_api_result_t *result, wxpay_op_e op, wxpay_rc_e code, unsigned flags,
                    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* 1 if the body may be the gateway's XML at all: what else comes is some other server's. */
int wxpay_api_looks_like_xml(const char *body, apr_size_t len);

#endif
