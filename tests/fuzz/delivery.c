/* delivery.c - fuzz target: a delivery as it is received: id, timestamp, signature and body, a line
 * each (the body is the rest). With 'S' in front of the id it gets a genuine signature (of the
 * previous key with 'P') beside the one given. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "delivery.h"

#define NOW apr_time_from_sec(1795489200)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct message_t {
    wxpay_delivery_headers_t headers;
    const char *body;
    apr_size_t len;
} message_t;

static const char *next_line(apr_pool_t *pool, const char **at, const char *end)
{
    const char *line = *at;
    const char *stop = memchr(line, '\n', (size_t)(end - line));

    *at = stop ? stop + 1 : end;
    return apr_pstrmemdup(pool, line, (apr_size_t)((stop ? stop : end) - line));
}

static void add_signature(apr_pool_t *pool, message_t *message, const wxpay_secret_t *key)
{
    apr_int64_t when = apr_strtoi64(message->headers.timestamp, NULL, 10);
    const char *made = NULL;
    wxpay_error_t err;

    if (wxpay_delivery_sign(pool, key, NULL, message->headers.id, when, message->body, message->len,
                            &made, &err) != WXPAY_OK) {
        abort();
    }
    message->headers.signature = apr_pstrcat(pool, message->headers.signature, " ", made, NULL);
}

static void check_facts(const wxpay_delivery_t *delivery)
{
    const char *const facts[] = {delivery->out_trade_no, delivery->transaction_id,
                                 delivery->total_fee,    delivery->fee_type,
                                 delivery->openid,       delivery->attach,
                                 delivery->time_end,     delivery->trade_type};

    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        for (const char *c = facts[i]; c && *c; c++) {
            if ((unsigned char)*c < 0x20 || *c == 0x7f) {
                abort();
            }
        }
        if (facts[i] && (!*facts[i] || strlen(facts[i]) > 512)) {
            abort();
        }
    }
    if (delivery->type == WXPAY_EVENT_PAID &&
        (!delivery->out_trade_no || !delivery->transaction_id || !delivery->total_fee)) {
        abort();
    }
}

static void check(apr_pool_t *pool, const message_t *message, int is_signed,
                  const wxpay_secret_t *key, const wxpay_secret_t *previous)
{
    wxpay_delivery_t delivery;
    wxpay_error_t err;
    wxpay_rc_e rc;

    wxpay_error_clear(&err);
    rc = wxpay_delivery_verify(key, previous, &message->headers, message->body, message->len, NOW,
                               &err);
    if (rc != err.code ||
        (rc != WXPAY_OK && rc != WXPAY_EPARSE && rc != WXPAY_ESIGN && rc != WXPAY_EMISMATCH)) {
        abort();
    }
    if (!is_signed && (rc == WXPAY_OK || rc == WXPAY_EMISMATCH)) {
        abort(); /* nobody else has the key */
    }
    wxpay_error_clear(&err);
    rc = wxpay_delivery_read(pool, message->body, message->len, &delivery, &err);
    if (rc != err.code || (rc != WXPAY_OK && rc != WXPAY_EPARSE)) {
        abort();
    }
    if (rc == WXPAY_OK) {
        check_facts(&delivery);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    const wxpay_secret_t *key, *previous;
    message_t message;
    apr_pool_t *pool;
    char mark;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    key = wxpay_secret_create(pool, "0123456789abcdef01234567", 24);
    previous = wxpay_secret_create(pool, "fedcba9876543210fedcba98", 24);
    mark = size && (*at == 'S' || *at == 'P') ? *at++ : '\0';
    message.headers.id = next_line(pool, &at, end);
    message.headers.timestamp = next_line(pool, &at, end);
    message.headers.signature = next_line(pool, &at, end);
    message.body = at;
    message.len = (apr_size_t)(end - at);
    if (mark) {
        add_signature(pool, &message, mark == 'S' ? key : previous);
    }
    check(pool, &message, mark != '\0', key, previous);
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
