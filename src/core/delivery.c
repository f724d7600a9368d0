/* delivery.c - Standard Webhooks. */
#include "delivery.h"

#include <stddef.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "crypt.h"
#include "json.h"
#include "money.h"

#define STEP "delivery"
#define KEY_PREFIX "whsec_"
#define VERSION "v1,"
#define VERSION_LEN (sizeof(VERSION) - 1)
#define MAC_SIZE WXPAY_BASE64_SIZE(WXPAY_SHA256_LEN) /* with its NUL */
#define MAX_ID 64
#define MAX_DIGITS 12
#define MAX_SIGNATURES 1024 /* bytes of the whole header */

wxpay_rc_e wxpay_delivery_key(apr_pool_t *pool, const char *text, apr_size_t len,
                              const wxpay_secret_t **key, wxpay_error_t *err)
{
    apr_size_t skip = strlen(KEY_PREFIX);
    unsigned char *bytes = NULL;
    apr_size_t count = 0;
    int good = len > skip && memcmp(text, KEY_PREFIX, skip) == 0 &&
               wxpay_crypt_base64_decode(pool, text + skip, len - skip, &bytes, &count, NULL) ==
                   WXPAY_OK &&
               count >= 24 && count <= 64;

    if (good) {
        *key = wxpay_secret_create(pool, bytes, count);
    }
    if (bytes) {
        wxpay_secret_wipe(bytes, count);
    }
    return good ? WXPAY_OK
                : wxpay_error_set(err, WXPAY_EINPUT, STEP,
                                  "not whsec_ and the base64 of 24 to 64 bytes");
}

static wxpay_rc_e make_mac(const wxpay_secret_t *key, const char *id, const char *timestamp,
                           const char *body, apr_size_t len, char out[MAC_SIZE], wxpay_error_t *err)
{
    wxpay_crypt_part_t parts[] = {
        {id, strlen(id)}, {".", 1}, {timestamp, strlen(timestamp)}, {".", 1}, {body, len}};
    unsigned char mac[WXPAY_SHA256_LEN];
    wxpay_rc_e rc = wxpay_crypt_hmac_sha256_parts(wxpay_secret_bytes(key), wxpay_secret_len(key),
                                                  parts, 5, mac, err);

    if (rc == WXPAY_OK) {
        wxpay_crypt_base64(mac, sizeof(mac), out);
    }
    return rc;
}

wxpay_rc_e wxpay_delivery_sign(apr_pool_t *pool, const wxpay_secret_t *key,
                               const wxpay_secret_t *previous, const char *id,
                               apr_int64_t timestamp, const char *body, apr_size_t len,
                               const char **signature, wxpay_error_t *err)
{
    const char *when = apr_psprintf(pool, "%" APR_INT64_T_FMT, timestamp);
    const wxpay_secret_t *const keys[] = {key, previous};
    const char *text = "";
    char mac[MAC_SIZE];

    for (int i = 0; i < 2 && keys[i]; i++) {
        if (make_mac(keys[i], id, when, body, len, mac, err) != WXPAY_OK) {
            return err->code;
        }
        text = apr_pstrcat(pool, text, *text ? " " : "", VERSION, mac, NULL);
    }
    *signature = text;
    return WXPAY_OK;
}

static wxpay_rc_e malformed(wxpay_error_t *err, const char *header, const char *what)
{
    return wxpay_error_named(err, WXPAY_EPARSE, STEP, header, "%s %s", header, what);
}

/* No dot: with one, a part of the time or of the body could be passed off as a part of the id. */
static wxpay_rc_e check_id(const char *id, wxpay_error_t *err)
{
    apr_size_t len = id ? strlen(id) : 0;

    if (len == 0) {
        return malformed(err, "webhook-id", "is missing");
    }
    for (apr_size_t i = 0; i < len; i++) {
        if (!apr_isalnum(id[i]) && id[i] != '-' && id[i] != '_') {
            return malformed(err, "webhook-id", "holds more than letters, digits, '-' and '_'");
        }
    }
    return len > MAX_ID ? malformed(err, "webhook-id", "is too long") : WXPAY_OK;
}

static wxpay_rc_e read_timestamp(const char *text, apr_time_t *time, wxpay_error_t *err)
{
    apr_size_t len = text ? strlen(text) : 0;
    apr_int64_t seconds = 0;

    if (len == 0) {
        return malformed(err, "webhook-timestamp", "is missing");
    }
    if (len > MAX_DIGITS || text[0] == '0' || strspn(text, "0123456789") != len) {
        return malformed(err, "webhook-timestamp", "is not a time in seconds since 1970");
    }
    for (apr_size_t i = 0; i < len; i++) {
        seconds = seconds * 10 + (text[i] - '0');
    }
    *time = apr_time_from_sec(seconds);
    return WXPAY_OK;
}

static wxpay_rc_e check_signatures(const char *header, wxpay_error_t *err)
{
    if (!header || !*header) {
        return malformed(err, "webhook-signature", "is missing");
    }
    return strlen(header) > MAX_SIGNATURES ? malformed(err, "webhook-signature", "is too long")
                                           : WXPAY_OK;
}

/* Every signature is compared, also after one that fits. Those of other versions are not ours to
 * judge: Standard Webhooks wants them passed over. */
static int holds_mac(const char *header, const char *mac)
{
    int found = 0;

    for (const char *at = header; *at;) {
        apr_size_t len = strcspn(at, " ");

        if (len == VERSION_LEN + MAC_SIZE - 1 && memcmp(at, VERSION, VERSION_LEN) == 0) {
            found |= wxpay_secret_memeq(at + VERSION_LEN, mac, MAC_SIZE - 1);
        }
        at += len + strspn(at + len, " ");
    }
    return found;
}

static wxpay_rc_e check_time(apr_time_t time, apr_time_t now, wxpay_error_t *err)
{
    if (time < now - WXPAY_DELIVERY_TOLERANCE) {
        return wxpay_error_set(err, WXPAY_EMISMATCH, STEP,
                               "it was signed %" APR_TIME_T_FMT " s before our clock's time",
                               apr_time_sec(now - time));
    }
    if (time > now + WXPAY_DELIVERY_TOLERANCE) {
        return wxpay_error_set(err, WXPAY_EMISMATCH, STEP,
                               "it was signed %" APR_TIME_T_FMT " s after our clock's time",
                               apr_time_sec(time - now));
    }
    return WXPAY_OK;
}

wxpay_rc_e wxpay_delivery_verify(const wxpay_secret_t *key, const wxpay_secret_t *previous,
                                 const wxpay_delivery_headers_t *headers, const char *body,
                                 apr_size_t len, apr_time_t now, wxpay_error_t *err)
{
    const wxpay_secret_t *const keys[] = {key, previous};
    char mac[MAC_SIZE];
    apr_time_t time = 0;
    int same = 0;

    if (check_id(headers->id, err) != WXPAY_OK ||
        read_timestamp(headers->timestamp, &time, err) != WXPAY_OK ||
        check_signatures(headers->signature, err) != WXPAY_OK) {
        return err->code;
    }
    for (int i = 0; i < 2 && keys[i]; i++) {
        if (make_mac(keys[i], headers->id, headers->timestamp, body, len, mac, err) != WXPAY_OK) {
            return err->code;
        }
        same |= holds_mac(headers->signature, mac);
    }
    return same ? check_time(time, now, err)
                : wxpay_error_set(err, WXPAY_ESIGN, STEP, "the signature does not match");
}

typedef struct member_t {
    const char *name;
    apr_size_t max; /* bytes */
    apr_size_t offset;
} member_t;

#define KEPT(member) offsetof(wxpay_delivery_t, member)
static const member_t members[] = {
    {"out_trade_no", 32, KEPT(out_trade_no)},
    {"transaction_id", 32, KEPT(transaction_id)},
    {"fee_type", 16, KEPT(fee_type)},
    {"openid", 128, KEPT(openid)},
    {"attach", 512, KEPT(attach)},
    {"time_end", 32, KEPT(time_end)},
    {"trade_type", 16, KEPT(trade_type)},
};

/* C1 controls are C2 80..9F. */
static int has_control(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0)) {
            return 1;
        }
    }
    return 0;
}

static wxpay_rc_e refuse(wxpay_error_t *err, const char *name, const char *what)
{
    return wxpay_error_named(err, WXPAY_EPARSE, STEP, name, "%s %s", name, what);
}

static wxpay_rc_e take_text(apr_pool_t *pool, const json_t *data, const member_t *member,
                            wxpay_delivery_t *delivery, wxpay_error_t *err)
{
    const json_t *value = json_object_get(data, member->name);
    const char **fact = (const char **)(void *)((char *)delivery + member->offset);
    const char *text = json_string_value(value);

    if (!value || json_is_null(value)) {
        return WXPAY_OK;
    }
    if (!text) {
        return refuse(err, member->name, "is not a text");
    }
    if (json_string_length(value) > member->max) {
        return refuse(err, member->name, "is too long");
    }
    if (has_control(text)) {
        /* Orders that are made elsewhere may have line breaks there; the body still tells them. */
        return member->offset == KEPT(attach)
                   ? WXPAY_OK
                   : refuse(err, member->name, "holds a control character");
    }
    *fact = *text ? apr_pstrdup(pool, text) : NULL;
    return WXPAY_OK;
}

static wxpay_rc_e take_fee(apr_pool_t *pool, const json_t *data, wxpay_delivery_t *delivery,
                           wxpay_error_t *err)
{
    const json_t *value = json_object_get(data, "total_fee");
    apr_int64_t fen = json_integer_value(value);

    if (!value || json_is_null(value)) {
        return WXPAY_OK;
    }
    if (!json_is_integer(value) || fen < 0 || fen > WXPAY_MONEY_MAX_FEN) {
        return refuse(err, "total_fee", "is not an amount in fen");
    }
    delivery->total_fee = apr_psprintf(pool, "%" APR_INT64_T_FMT, fen);
    return WXPAY_OK;
}

/* Who reads that something is paid must also read what, by which payment and how much. */
static wxpay_rc_e check_paid(const wxpay_delivery_t *delivery, wxpay_error_t *err)
{
    const char *missing = !delivery->out_trade_no     ? "out_trade_no"
                          : !delivery->transaction_id ? "transaction_id"
                          : !delivery->total_fee      ? "total_fee"
                                                      : NULL;

    return delivery->type == WXPAY_EVENT_PAID && missing ? refuse(err, missing, "is missing")
                                                         : WXPAY_OK;
}

wxpay_rc_e wxpay_delivery_read(apr_pool_t *pool, const char *body, apr_size_t len,
                               wxpay_delivery_t *delivery, wxpay_error_t *err)
{
    const json_t *json, *data;
    const char *type;

    memset(delivery, 0, sizeof(*delivery));
    if (len > WXPAY_DELIVERY_MAX) {
        return wxpay_error_set(err, WXPAY_EPARSE, STEP, "the body is over %d bytes",
                               WXPAY_DELIVERY_MAX);
    }
    if (wxpay_json_read(pool, body, len, &json, err) != WXPAY_OK) {
        return err->code;
    }
    type = json_string_value(json_object_get(json, "type"));
    data = json_object_get(json, "data");
    if (!type || !wxpay_event_by_name(type, &delivery->type)) {
        return refuse(err, "type", "is none that we know");
    }
    if (!json_is_object(data)) {
        return refuse(err, "data", "is not an object");
    }
    for (apr_size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (take_text(pool, data, &members[i], delivery, err) != WXPAY_OK) {
            return err->code;
        }
    }
    return take_fee(pool, data, delivery, err) != WXPAY_OK ? err->code : check_paid(delivery, err);
}
