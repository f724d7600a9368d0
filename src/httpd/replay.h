/* replay.h - which deliveries were let in: nobody gets in with what somebody else has sent before.
 *
 * A table of fixed size in retained memory, without locks. A message is remembered until it is too
 * old to be let in anyway.
 * Threads: any, any process.
 */
#ifndef MOD_WXPAY_REPLAY_H
#define MOD_WXPAY_REPLAY_H

#include <stdatomic.h>
#include <apr_time.h>
#include "error.h"
#include "log_limit.h"

/* A place each for what comes within the five minutes that a message is good for: 120 deliveries a
 * second with half of the table free. */
#define MOD_WXPAY_REPLAY_PLACES 65536

typedef struct mod_wxpay_replay_t {
    mod_wxpay_log_limit_t refused; /* lines about what was not let in */
    /* Which message, and the second at which it may be forgotten, in one number, so that its parts
     * belong together: tag << 32 | second. */
    atomic_ullong seen[MOD_WXPAY_REPLAY_PLACES];
} mod_wxpay_replay_t;

/* That of this server's life, made before the first fork, found again later. NULL: no memory. */
mod_wxpay_replay_t *mod_wxpay_replay_find(void);

/* Remember a verified message by its id and timestamp: the same try always has the same two, while
 * its signature may be written in several ways.
 * Errors: WXPAY_ECONFLICT (it was here before), WXPAY_EBUSY (no place is free), WXPAY_EINTERNAL. */
wxpay_rc_e mod_wxpay_replay_note(mod_wxpay_replay_t *replay, const char *id, const char *timestamp,
                                 apr_time_t now, wxpay_error_t *err);

#endif
