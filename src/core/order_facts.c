/* order_facts.c - what a site says about an order, checked against the gateway's limits. */
#include "order.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include <apr_strings.h>

#include "clock.h"
#include "json.h"
#include "money.h"

#define STEP "check order"
#define EXPIRY_MIN apr_time_from_sec(6 * 60)
#define EXPIRY_MAX apr_time_from_sec(7 * 24 * 3600)

typedef wxpay_rc_e check_fn(const wxpay_field_t *field, wxpay_error_t *err);

typedef struct fact_t {
    const char *name;
    int required;
    apr_size_t max; /* bytes */
    int sent;       /* as it is, to the gateway: must not be re-cuttable */
    check_fn *check;
    apr_size_t offset; /* of the const char * in wxpay_order_t */
} fact_t;

/* Shown where the value itself is at fault: what it is wrong about, never the value. */
static wxpay_rc_e refuse(const wxpay_field_t *field, const char *what, wxpay_error_t *err)
{
    return wxpay_error_field(err, STEP, field->name, "%s %s", field->name, what);
}

static wxpay_rc_e check_text(const wxpay_field_t *field, wxpay_error_t *err)
{
    if (!wxpay_fields_utf8(field->value, field->value_len, 4)) {
        return refuse(field, "is not valid UTF-8", err);
    }
    if (!wxpay_fields_utf8(field->value, field->value_len, 3)) {
        return refuse(field,
                      "contains a character outside the Basic Multilingual Plane (such as an "
                      "emoji), which WeChat Pay does not take",
                      err);
    }
    for (apr_size_t i = 0; i < field->value_len; i++) {
        unsigned char c = (unsigned char)field->value[i];
        /* C1 controls are C2 80..9F; U+FFFE and U+FFFF, which XML cannot carry, are EF BF BE/BF */
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)field->value[i + 1] < 0xa0)) {
            return refuse(field, "contains a control character (such as a line break)", err);
        }
        if (c == 0xef && (unsigned char)field->value[i + 1] == 0xbf &&
            (unsigned char)field->value[i + 2] >= 0xbe) {
            return refuse(field, "contains a character that XML cannot carry", err);
        }
    }
    return WXPAY_OK;
}

static wxpay_rc_e check_printable(const wxpay_field_t *field, wxpay_error_t *err)
{
    for (apr_size_t i = 0; i < field->value_len; i++) {
        if (field->value[i] <= 0x20 || field->value[i] > 0x7e) {
            return refuse(field, "may hold printable ASCII without blanks only", err);
        }
    }
    return WXPAY_OK;
}

static wxpay_rc_e check_object(const wxpay_field_t *field, wxpay_error_t *err)
{
    if (check_text(field, err) != WXPAY_OK) {
        return WXPAY_EINPUT;
    }
    if (field->value[strspn(field->value, " ")] != '{' ||
        !wxpay_json_valid(field->value, field->value_len)) {
        return refuse(field, "must be a JSON object", err);
    }
    return WXPAY_OK;
}

static wxpay_rc_e check_no_credit(const wxpay_field_t *field, wxpay_error_t *err)
{
    return strcmp(field->value, "no_credit") == 0
               ? WXPAY_OK
               : refuse(field, "must be no_credit or be left out", err);
}

static wxpay_rc_e check_yes_no(const wxpay_field_t *field, wxpay_error_t *err)
{
    return strcmp(field->value, "Y") == 0 || strcmp(field->value, "N") == 0
               ? WXPAY_OK
               : refuse(field, "must be Y or N", err);
}

static wxpay_rc_e check_ip(const wxpay_field_t *field, wxpay_error_t *err)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, field->value, address) == 1 ||
                   inet_pton(AF_INET6, field->value, address) == 1
               ? WXPAY_OK
               : refuse(field, "must be an IPv4 or IPv6 address (the buyer's)", err);
}

static wxpay_rc_e check_number(const wxpay_field_t *field, wxpay_error_t *err)
{
    return wxpay_order_check_number(field->value, field->value_len, err);
}

static wxpay_rc_e check_amount(const wxpay_field_t *field, wxpay_error_t *err)
{
    apr_int64_t fen;

    if (wxpay_money_parse_fen(field->value, field->value_len, &fen, NULL) != WXPAY_OK || fen < 1) {
        return wxpay_error_field(err, STEP, field->name,
                                 "%s must be a whole number of fen from 1 to %" APR_INT64_T_FMT
                                 ", digits only",
                                 field->name, WXPAY_MONEY_MAX_FEN);
    }
    return WXPAY_OK;
}

static wxpay_rc_e check_trade(const wxpay_field_t *field, wxpay_error_t *err)
{
    switch (wxpay_trade_by_name(field->value)) {
    case WXPAY_TRADE_NATIVE:
    case WXPAY_TRADE_JSAPI:
        return WXPAY_OK;
    case WXPAY_TRADE_MWEB:
    case WXPAY_TRADE_APP:
        return wxpay_error_field(err, STEP, field->name, "%s %s is not available yet", field->name,
                                 field->value);
    case WXPAY_TRADE_NONE:
        break;
    }
    return refuse(field, "must be NATIVE or JSAPI, or be left out: then the page decides", err);
}

static wxpay_rc_e check_expiry(const wxpay_field_t *field, wxpay_error_t *err)
{
    apr_time_t t;

    return wxpay_order_parse_expiry(field->value, &t, NULL) == WXPAY_OK
               ? WXPAY_OK
               : refuse(field,
                        "must be a real time, either yyyyMMddHHmmss in Beijing time or RFC 3339 "
                        "with an offset",
                        err);
}

/* Browsers read a backslash as a slash, and everything before an '@' as a name: with either, the
 * host that is checked is not the host that is visited. */
static wxpay_rc_e check_url(const wxpay_field_t *field, wxpay_error_t *err)
{
    const char *url = field->value;
    const char *rest = url;

    for (; *rest; rest++) {
        if (*rest <= 0x20 || *rest > 0x7e || *rest == '\\') {
            return refuse(field,
                          "may hold printable ASCII without blanks and backslashes only: write "
                          "other characters percent-encoded",
                          err);
        }
    }
    if (url[0] == '/' && url[1] != '/') {
        return WXPAY_OK;
    }
    rest = strncasecmp(url, "https://", 8) == 0  ? url + 8
           : strncasecmp(url, "http://", 7) == 0 ? url + 7
                                                 : NULL;
    if (!rest || strchr("/?#:", *rest)) {
        return refuse(field,
                      "must be http:// or https:// and a host, or a path that starts with "
                      "one slash",
                      err);
    }
    if (memchr(rest, '@', strcspn(rest, "/?#"))) {
        return refuse(field, "must not hold a user name", err);
    }
    return WXPAY_OK;
}

/* Ordered as errors are reported. offset 0: not kept as it is, or not text. */
#define KEPT(member) offsetof(wxpay_order_t, member)
static const fact_t facts[] = {
    {"out_trade_no", 1, 32, 1, check_number, KEPT(out_trade_no)},
    {"total_fee", 1, 20, 1, check_amount, 0},
    {"body", 1, 127, 1, check_text, KEPT(body)},
    {"trade_type", 0, 16, 1, check_trade, 0},
    {"openid", 0, 128, 1, check_printable, KEPT(openid)},
    {"spbill_create_ip", 0, 64, 1, check_ip, KEPT(spbill_create_ip)},
    {"attach", 0, 127, 1, check_text, KEPT(attach)},
    {"detail", 0, 6000, 1, check_object, KEPT(detail)},
    {"product_id", 0, 32, 1, check_text, KEPT(product_id)},
    {"goods_tag", 0, 32, 1, check_text, KEPT(goods_tag)},
    {"limit_pay", 0, 32, 1, check_no_credit, KEPT(limit_pay)},
    {"time_expire", 0, 40, 1, check_expiry, KEPT(time_expire)},
    {"return_url", 0, 512, 0, check_url, KEPT(return_url)},
    {"scene_info", 0, 256, 1, check_object, KEPT(scene_info)},
    {"profit_sharing", 0, 1, 1, check_yes_no, KEPT(profit_sharing)},
    {"receipt", 0, 8, 1, check_yes_no, KEPT(receipt)},
    {"device_info", 0, 32, 1, check_printable, KEPT(device_info)},
    {"version", 0, 32, 1, check_printable, KEPT(version)},
    {"user_type", 0, 32, 1, check_printable, KEPT(user_type)},
    {"user_creid", 0, 32, 1, check_printable, KEPT(user_creid)},
    {"user_truename", 0, 64, 1, check_text, KEPT(user_truename)},
    {"fingerprint", 0, 256, 1, check_printable, KEPT(fingerprint)},
};
#define FACTS ((int)(sizeof(facts) / sizeof(facts[0])))

static const fact_t *fact_by_name(const char *name)
{
    for (int i = 0; i < FACTS; i++) {
        if (strcmp(facts[i].name, name) == 0) {
            return &facts[i];
        }
    }
    return NULL;
}

static wxpay_rc_e check_known(const wxpay_fields_t *fields, wxpay_error_t *err)
{
    for (int i = 0; i < fields->count; i++) {
        if (!fact_by_name(fields->items[i].name)) {
            return wxpay_error_field(err, STEP, fields->items[i].name,
                                     "%s is not a member of an order", fields->items[i].name);
        }
    }
    return WXPAY_OK;
}

static wxpay_rc_e check_fact(const fact_t *fact, const wxpay_field_t *field, wxpay_error_t *err)
{
    const char *other;

    if (field->value_len > fact->max) {
        return wxpay_error_field(
            err, STEP, fact->name,
            "%s is %" APR_SIZE_T_FMT " bytes of UTF-8; %s at most %" APR_SIZE_T_FMT, fact->name,
            field->value_len, fact->sent ? "WeChat takes" : "we take", fact->max);
    }
    if (fact->sent && wxpay_fields_recuttable(field->value, field->value_len, &other)) {
        return wxpay_error_field(err, STEP, fact->name,
                                 "%s contains \"&%s=\": the signature could be read as another "
                                 "request",
                                 fact->name, other);
    }
    return fact->check(field, err);
}

/* An empty optional member is an absent one, as in the v2 signature. */
static wxpay_rc_e take_facts(const wxpay_fields_t *fields, wxpay_order_t *order, apr_pool_t *pool,
                             wxpay_error_t *err)
{
    for (int i = 0; i < FACTS; i++) {
        const wxpay_field_t *field = wxpay_fields_find(fields, facts[i].name);

        if (!field || field->value_len == 0) {
            if (facts[i].required) {
                return wxpay_error_field(err, STEP, facts[i].name, "%s is %s", facts[i].name,
                                         field ? "empty" : "missing");
            }
            continue;
        }
        if (check_fact(&facts[i], field, err) != WXPAY_OK) {
            return WXPAY_EINPUT;
        }
        if (facts[i].offset) {
            const char **member = (const char **)(void *)((char *)order + facts[i].offset);

            *member = apr_pstrmemdup(pool, field->value, field->value_len);
        }
    }
    return WXPAY_OK;
}

static wxpay_rc_e check_jsapi(const wxpay_order_t *order, wxpay_error_t *err)
{
    const char *missing = !order->openid             ? "openid"
                          : !order->spbill_create_ip ? "spbill_create_ip"
                                                     : NULL;

    if (order->trade_type == WXPAY_TRADE_JSAPI && missing) {
        return wxpay_error_field(err, STEP, missing, "%s is missing: trade_type JSAPI needs it",
                                 missing);
    }
    return WXPAY_OK;
}

static wxpay_rc_e take_expiry(wxpay_order_t *order, apr_interval_time_t ttl, wxpay_error_t *err)
{
    order->expires_at = order->created_at + ttl;
    if (!order->time_expire) {
        return WXPAY_OK;
    }
    if (wxpay_order_parse_expiry(order->time_expire, &order->expires_at, err) != WXPAY_OK) {
        return WXPAY_EINPUT;
    }
    if (order->expires_at < order->created_at + EXPIRY_MIN ||
        order->expires_at > order->created_at + EXPIRY_MAX) {
        return wxpay_error_field(err, STEP, "time_expire",
                                 "time_expire must be at least 6 minutes and at most 7 days ahead");
    }
    return WXPAY_OK;
}

wxpay_rc_e wxpay_order_from_fields(const wxpay_fields_t *fields, const wxpay_account_t *account,
                                   apr_time_t now, apr_pool_t *pool, wxpay_order_t **order,
                                   wxpay_error_t *err)
{
    wxpay_order_t *made = apr_pcalloc(pool, sizeof(*made));
    const wxpay_field_t *amount;

    if (check_known(fields, err) != WXPAY_OK || take_facts(fields, made, pool, err) != WXPAY_OK) {
        return WXPAY_EINPUT;
    }
    amount = wxpay_fields_find(fields, "total_fee");
    if (wxpay_money_parse_fen(amount->value, amount->value_len, &made->total_fee, err) !=
        WXPAY_OK) {
        return WXPAY_EINPUT;
    }
    made->mch_id = account->mch_id;
    made->sub_mch_id = account->sub_mch_id;
    made->site = account->site;
    made->fee_type = "CNY";
    made->trade_type = wxpay_trade_by_name(wxpay_fields_get(fields, "trade_type"));
    made->state = WXPAY_ORDER_NEW;
    made->created_at = now;
    if (check_jsapi(made, err) != WXPAY_OK ||
        take_expiry(made, account->order_ttl, err) != WXPAY_OK) {
        return WXPAY_EINPUT;
    }
    *order = made;
    return WXPAY_OK;
}

wxpay_rc_e wxpay_order_parse_expiry(const char *text, apr_time_t *t, wxpay_error_t *err)
{
    apr_size_t len = strlen(text);

    return len == WXPAY_BEIJING_SIZE - 1 ? wxpay_clock_parse_beijing(text, len, t, err)
                                         : wxpay_clock_parse_rfc3339(text, len, t, err);
}

/* "w*" and 26 of [0-9a-z]: how we name an attempt whose own number would be too long. */
static int looks_like_ours(const char *number, apr_size_t len)
{
    return len == 28 && memcmp(number, "w*", 2) == 0 &&
           strspn(number + 2, "0123456789abcdefghijklmnopqrstuvwxyz") >= 26;
}

wxpay_rc_e wxpay_order_check_number(const char *number, apr_size_t len, wxpay_error_t *err)
{
    static const char allowed[] = "0123456789_|*-"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const wxpay_field_t field = {"out_trade_no", number, 12, len};
    apr_size_t digits = 0;

    if (len < 1 || len > 32) {
        return wxpay_error_field(err, STEP, field.name,
                                 "out_trade_no is %" APR_SIZE_T_FMT " bytes; WeChat takes 1 to 32",
                                 len);
    }
    for (apr_size_t i = 0; i < len; i++) {
        if (!memchr(allowed, number[i], sizeof(allowed) - 1)) {
            return refuse(&field, "may hold digits, ASCII letters, '_', '-', '|' and '*' only",
                          err);
        }
    }
    while (digits < len && number[len - 1 - digits] >= '0' && number[len - 1 - digits] <= '9') {
        digits++;
    }
    if (digits > 0 && digits < len && number[len - 1 - digits] == '*') {
        return refuse(&field,
                      "must not end in '*' and digits: such numbers are used for further "
                      "attempts to pay an order",
                      err);
    }
    if (looks_like_ours(number, len)) {
        return refuse(&field,
                      "must not be \"w*\" and 26 small letters or digits: such numbers are "
                      "used for further attempts to pay an order",
                      err);
    }
    return WXPAY_OK;
}
