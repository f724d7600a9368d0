/* replay.h - which messages were taken: nobody gets in with what somebody else has sent before.
 *
 * A table of fixed size, without locks, that any number of processes may share. A message is
 * remembered until it is too old to be taken anyway.
 * Threads: any, any process.
 */
#ifndef WXPAY_REPLAY_H
#define WXPAY_REPLAY_H

#include <stdatomic.h>
#include <apr_time.h>
#include "error.h"

/* What comes within the five minutes that a delivery is good for: 110 a second with half of the
 * table free. */
#define WXPAY_REPLAY_PLACES 65536

/* All zero at birth. Which message, and the second (since 1970) at which it may be forgotten, in
 * one number, so that its parts belong together: tag << 32 | second. */
typedef struct wxpay_replay_t {
    atomic_ullong seen[WXPAY_REPLAY_PLACES];
} wxpay_replay_t;

/* Remember a verified delivery by its id and timestamp: the same try always has the same two, while
 * its signature may be written in several ways.
 * Errors: WXPAY_ECONFLICT (it was taken before), WXPAY_EBUSY (no place is free), WXPAY_EINTERNAL.
 */
wxpay_rc_e wxpay_replay_note(wxpay_replay_t *replay, const char *id, const char *timestamp,
                             apr_time_t now, wxpay_error_t *err);

#endif
