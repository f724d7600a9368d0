/* money.c - amounts: integers in fen. */
#include "money.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define STEP "amount"

wxpay_rc_e wxpay_money_parse_fen(const char *text, apr_size_t len, apr_int64_t *fen,
                                 wxpay_error_t *err)
{
    apr_int64_t value = 0;
    apr_size_t i;

    if (len == 0) {
        return wxpay_error_set(err, WXPAY_EINPUT, STEP, "an amount is empty");
    }
    for (i = 0; i < len; i++) {
        if (!apr_isdigit(text[i])) {
            return wxpay_error_set(err, WXPAY_EINPUT, STEP,
                                   "an amount must be a whole number of fen, digits only");
        }
        value = value * 10 + (text[i] - '0');
        /* Checked at every digit, so that it cannot overflow. */
        if (value > WXPAY_MONEY_MAX_FEN) {
            return wxpay_error_set(err, WXPAY_EINPUT, STEP, "an amount is too large");
        }
    }
    if (len > 1 && text[0] == '0') {
        return wxpay_error_set(err, WXPAY_EINPUT, STEP, "an amount must not begin with 0");
    }
    *fen = value;
    return WXPAY_OK;
}

wxpay_rc_e wxpay_money_parse_yuan(const char *text, apr_int64_t *fen, wxpay_error_t *err)
{
    const char *point = strchr(text, '.');
    apr_int64_t yuan;
    wxpay_rc_e rc;

    if (!point || !apr_isdigit(point[1]) || !apr_isdigit(point[2]) || point[3]) {
        return wxpay_error_set(err, WXPAY_EINPUT, STEP,
                               "write an amount in yuan with two decimals, as in 9.90");
    }
    rc = wxpay_money_parse_fen(text, (apr_size_t)(point - text), &yuan, err);
    if (rc != WXPAY_OK) {
        return wxpay_error_set(err, WXPAY_EINPUT, STEP,
                               "\"%.40s\" is not an amount in yuan: write digits and two decimals,"
                               " as in 9.90",
                               text);
    }
    yuan = yuan * 100 + (point[1] - '0') * 10 + (point[2] - '0');
    if (yuan > WXPAY_MONEY_MAX_FEN) {
        return wxpay_error_set(err, WXPAY_EINPUT, STEP, "an amount is too large");
    }
    *fen = yuan;
    return WXPAY_OK;
}

const char *wxpay_money_format(apr_pool_t *pool, apr_int64_t fen)
{
    apr_uint64_t rest = fen < 0 ? (apr_uint64_t)0 - (apr_uint64_t)fen : (apr_uint64_t)fen;
    char digits[48];
    char *at = digits + sizeof(digits);
    int place = -2;

    *--at = '\0';
    do {
        if (place == 0) {
            *--at = '.';
        }
        else if (place > 0 && place % 3 == 0) {
            *--at = ',';
        }
        *--at = (char)('0' + rest % 10);
        rest /= 10;
        place++;
    } while (rest || place <= 0);
    if (fen < 0) {
        *--at = '-';
    }
    return apr_pstrdup(pool, at);
}
