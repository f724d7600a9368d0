/* counters.h - what happened since the server was started, for mod_status: numbers in retained
 * memory (retained.h).
 * Threads: any, any process; each number is right by itself, not all of them together.
 */
#ifndef MOD_WXPAY_COUNTERS_H
#define MOD_WXPAY_COUNTERS_H

#include <stdatomic.h>
#include <httpd.h>
#include "api.h"
#include "store.h"

#define MOD_WXPAY_NOTICES 16 /* verdicts of notifications, and "unrecorded" */

/* How a gateway call ended. */
typedef enum mod_wxpay_outcome_e {
    MOD_WXPAY_CALL_OK,
    MOD_WXPAY_CALL_REFUSED,     /* signed and definite */
    MOD_WXPAY_CALL_UNCLEAR,     /* no believable answer: it may have taken effect */
    MOD_WXPAY_CALL_UNREACHABLE, /* nothing was sent */
    MOD_WXPAY_CALL_BUSY,        /* no place in the queue, or no turn in time */
    MOD_WXPAY_OUTCOMES
} mod_wxpay_outcome_e;

typedef struct mod_wxpay_counters_t {
    apr_time_t since;
    atomic_ullong notices[MOD_WXPAY_NOTICES];
    atomic_ullong calls[WXPAY_OPS][MOD_WXPAY_OUTCOMES];
    atomic_ullong waits_granted;
    atomic_ullong waits_refused;
    /* The newest call that ended in a way an admin should know, in one number, so that its parts
     * belong together: seconds << 16 | operation << 8 | wxpay_rc_e. 0: none. */
    atomic_ullong last_error;
    wxpay_store_counts_t store;
} mod_wxpay_counters_t;

/* Those of this server's life: made before the first fork, found again later. NULL: no memory. */
mod_wxpay_counters_t *mod_wxpay_counters_find(void);

/* A notification was answered so; the name of a verdict or "unrecorded". */
void mod_wxpay_count_notice(mod_wxpay_counters_t *counters, const char *verdict);
/* The name that place n of `notices` counts, or NULL behind the last one. */
const char *mod_wxpay_notice_name(int n);

void mod_wxpay_count_call(mod_wxpay_counters_t *counters, wxpay_op_e op, const wxpay_error_t *err,
                          apr_time_t now);
const char *mod_wxpay_outcome_name(mod_wxpay_outcome_e outcome);

#endif
