/* money.h - amounts: integers in fen (1/100 yuan), 64 bits, checked. No floating point anywhere.
 *
 * Source: protocol dossier, section 3 ("amounts: integer in the smallest unit").
 */
#ifndef WXPAY_MONEY_H
#define WXPAY_MONEY_H

#include <apr_pools.h>
#include "error.h"

/* 100 million yuan: beyond any real order, far from overflow */
#define WXPAY_MONEY_MAX_FEN APR_INT64_C(10000000000)

/* Canonical decimal digits as on the wire: no sign, no leading zero (except "0"), no blanks,
 * 0..WXPAY_MONEY_MAX_FEN. Errors: WXPAY_EINPUT. */
wxpay_rc_e wxpay_money_parse_fen(const char *text, apr_size_t len, apr_int64_t *fen,
                                 wxpay_error_t *err);

/* What people write in configuration: "9.90" (exactly two decimals). Errors: WXPAY_EINPUT. */
wxpay_rc_e wxpay_money_parse_yuan(const char *text, apr_int64_t *fen, wxpay_error_t *err);

/* "1,234.50" (thousands separators from 1,000.00 on), without a currency sign. */
const char *wxpay_money_format(apr_pool_t *pool, apr_int64_t fen);

#endif
