/* fields_text.c - what field values may hold: UTF-8, and nothing that can be re-cut. */
#include "fields.h"

#include <string.h>

#include <apr_lib.h>

/* Every field of unifiedorder, orderquery, closeorder, refund, refundquery and the notifications
 * (protocol dossier, sections 4-11 and appendix A). Numbered ones without their numbers. */
/* clang-format off */
static const char *const v2_names[] = {
    "appid", "attach", "bank_type", "body", "cash_fee", "cash_fee_type", "cash_refund_fee",
    "cash_refund_fee_type", "code_url", "consume_fee", "coupon_count", "coupon_fee", "coupon_id",
    "coupon_refund_count", "coupon_refund_fee", "coupon_refund_id", "coupon_type", "detail",
    "device_info", "err_code", "err_code_des", "fee_type", "fingerprint", "goods_tag",
    "is_subscribe", "limit_pay", "mch_id", "mweb_url", "nonce_str", "notify_url", "offset",
    "openid", "out_refund_no", "out_trade_no", "prepay_id", "product_id", "profit_sharing",
    "promotion_detail", "rate", "rate_value", "recall", "receipt", "refund_account",
    "refund_channel", "refund_count", "refund_desc", "refund_fee", "refund_fee_type", "refund_id",
    "refund_recv_account", "refund_recv_accout", "refund_request_source", "refund_status",
    "refund_success_time", "req_info", "result_code", "result_msg", "return_code", "return_msg",
    "scene_info", "settlement_refund_fee", "settlement_total_fee", "sign", "sign_type",
    "spbill_create_ip", "sub_appid", "sub_is_subscribe", "sub_mch_id", "sub_openid",
    "success_time", "time_end", "time_expire", "time_start", "total_fee", "total_refund_count",
    "trade_state", "trade_state_desc", "trade_type", "transaction_id", "user_creid",
    "user_truename", "user_type", "version"};
/* clang-format on */

static const char *known_name(const char *name, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < sizeof(v2_names) / sizeof(v2_names[0]); i++) {
        if (strlen(v2_names[i]) == len && memcmp(v2_names[i], name, len) == 0) {
            return v2_names[i];
        }
    }
    return NULL;
}

/* "coupon_id_0" and "coupon_refund_id_0_1" are "coupon_id" and "coupon_refund_id". */
static apr_size_t without_numbers(const char *name, apr_size_t len)
{
    apr_size_t end = len;

    while (end > 0 && apr_isdigit(name[end - 1])) {
        while (end > 0 && apr_isdigit(name[end - 1])) {
            end--;
        }
        if (end == 0 || name[end - 1] != '_') {
            break;
        }
        len = --end;
    }
    return len;
}

int wxpay_fields_recuttable(const char *value, apr_size_t len, const char **name)
{
    const char *end = value + len, *start = value, *stop;
    const char *found;

    while ((start = memchr(start, '&', (apr_size_t)(end - start))) != NULL) {
        start++;
        for (stop = start; stop < end && (apr_isalnum(*stop) || *stop == '_'); stop++) {
        }
        if (stop == start || stop == end || *stop != '=') {
            continue;
        }
        found = known_name(start, without_numbers(start, (apr_size_t)(stop - start)));
        if (found) {
            if (name) {
                *name = found;
            }
            return 1;
        }
    }
    return 0;
}

/* Length of the well-formed sequence (Unicode, table 3-7) at the start of s, or 0. */
static apr_size_t sequence(const unsigned char *s, apr_size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    apr_size_t i, len;

    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    switch (s[0]) {
    case 0xe0: /* overlong */
        low = 0xa0;
        break;
    case 0xed: /* surrogates */
        high = 0x9f;
        break;
    case 0xf0: /* overlong */
        low = 0x90;
        break;
    case 0xf4: /* beyond U+10FFFF */
        high = 0x8f;
        break;
    default:
        break;
    }
    if (left < len || s[1] < low || s[1] > high) {
        return 0;
    }
    for (i = 2; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

/* Eight bytes that are all ASCII: most of what passes here. */
static int is_ascii8(const unsigned char *s)
{
    apr_uint64_t word;

    memcpy(&word, s, sizeof(word));
    return (word & APR_UINT64_C(0x8080808080808080)) == 0;
}

int wxpay_fields_utf8(const char *text, apr_size_t len, int max_seq)
{
    const unsigned char *s = (const unsigned char *)text;
    apr_size_t step;

    while (len > 0) {
        if (len >= 8 && is_ascii8(s)) {
            s += 8;
            len -= 8;
            continue;
        }
        step = sequence(s, len);
        if (step == 0 || step > (apr_size_t)max_seq) {
            return 0;
        }
        s += step;
        len -= step;
    }
    return 1;
}
