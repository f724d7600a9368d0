/* replay.c - a hash table with linear probing in which entries die of age. */
#include "replay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypt.h"
#include "delivery.h"

#define STEP "remember delivery"
#define KEY "mod_wxpay replay"
#define PROBES 32 /* places that a message may be in, from where its tag points to */

static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "processes share these numbers without a lock");

typedef struct message_t {
    unsigned place;
    unsigned long long entry;
    unsigned long long now; /* seconds */
} message_t;

static wxpay_rc_e read_message(const char *id, const char *timestamp, apr_time_t now,
                               message_t *message, wxpay_error_t *err)
{
    wxpay_crypt_part_t parts[] = {{id, strlen(id)}, {".", 1}, {timestamp, strlen(timestamp)}};
    unsigned char mac[WXPAY_SHA256_LEN];
    wxpay_rc_e rc = wxpay_crypt_hmac_sha256_parts(KEY, strlen(KEY), parts, 3, mac, err);
    apr_uint32_t tag;
    unsigned long long end = strtoull(timestamp, NULL, 10) +
                             (unsigned long long)apr_time_sec(WXPAY_DELIVERY_TOLERANCE) + 1;

    if (rc == WXPAY_OK) {
        memcpy(&tag, mac, sizeof(tag));
        memcpy(&message->place, mac + sizeof(tag), sizeof(message->place));
        message->entry = (unsigned long long)tag << 32 | (end & 0xffffffffU);
        message->now = (unsigned long long)apr_time_sec(now);
    }
    return rc;
}

static atomic_ullong *place_of(wxpay_replay_t *replay, const message_t *message, unsigned n)
{
    return &replay->seen[(message->place + n) % WXPAY_REPLAY_PLACES];
}

static int is_over(unsigned long long entry, const message_t *message)
{
    return (entry & 0xffffffffU) <= message->now;
}

static int is_known(wxpay_replay_t *replay, const message_t *message)
{
    for (unsigned n = 0; n < PROBES; n++) {
        if (atomic_load(place_of(replay, message, n)) == message->entry) {
            return 1;
        }
    }
    return 0;
}

wxpay_rc_e wxpay_replay_note(wxpay_replay_t *replay, const char *id, const char *timestamp,
                             apr_time_t now, wxpay_error_t *err)
{
    message_t message;

    if (read_message(id, timestamp, now, &message, err) != WXPAY_OK) {
        return err->code;
    }
    /* All places are looked at first: one in front of it may have become free since it came. */
    if (is_known(replay, &message)) {
        return wxpay_error_set(err, WXPAY_ECONFLICT, STEP, "it was taken before");
    }
    for (unsigned n = 0; n < PROBES; n++) {
        atomic_ullong *place = place_of(replay, &message, n);
        unsigned long long there = atomic_load(place);

        /* Two that come at once want the same first free place: one of them finds the other. */
        while (is_over(there, &message)) {
            if (atomic_compare_exchange_weak(place, &there, message.entry)) {
                return WXPAY_OK;
            }
        }
        if (there == message.entry) {
            return wxpay_error_set(err, WXPAY_ECONFLICT, STEP, "it was taken before");
        }
    }
    return wxpay_error_set(err, WXPAY_EBUSY, STEP, "more deliveries than can be remembered");
}
