/* outbox_int.h - shared by the files of outbox only. */
#ifndef WXPAY_OUTBOX_INT_H
#define WXPAY_OUTBOX_INT_H

#include "outbox.h"
#include "store_events.h"

#define WXPAY_OUTBOX_LEASE (WXPAY_OUTBOX_TIMEOUT + apr_time_from_sec(5))

struct wxpay_outbox_t {
    wxpay_outbox_options_t opt;
    const char *name;   /* of this process, in leases */
    atomic_uint leases; /* taken so far */
    atomic_int stopping;
    atomic_int tries; /* places taken */
    atomic_int *busy; /* those of each target */
};

/* ---- outbox.c ---- */

/* Who is to be told, today, or NULL. */
const wxpay_target_t *wxpay_outbox_target(const wxpay_outbox_t *outbox, const char *mch_id,
                                          const char *site);
/* Its types' names, a blank around each, in pool. */
const char *wxpay_outbox_types(const wxpay_target_t *target, apr_pool_t *pool);
/* Places: how many there are, about; 1 when one was taken; give one back. */
int wxpay_outbox_places(const wxpay_outbox_t *outbox, const wxpay_target_t *target);
int wxpay_outbox_take(wxpay_outbox_t *outbox, const wxpay_target_t *target);
void wxpay_outbox_leave(wxpay_outbox_t *outbox, const wxpay_target_t *target);

/* ---- outbox_sweep.c ---- */

/* A lease of ours. */
typedef struct wxpay_claim_t {
    const char *id;
    const char *owner;
} wxpay_claim_t;

/* Inside a write transaction: lease up to `most` due events of this site; claims has room for as
 * many. Strings in pool. */
wxpay_rc_e wxpay_outbox_claim(wxpay_outbox_t *outbox, wxpay_tx_t *tx, const wxpay_due_t *due,
                              apr_pool_t *pool, wxpay_claim_t *claims, int *count,
                              wxpay_error_t *err);

/* ---- outbox_try.c ---- */

/* An event that is leased to us. */
typedef struct wxpay_try_t {
    apr_pool_t *pool; /* used by one thread at a time: starter, transport, writer */
    wxpay_outbox_t *outbox;
    const char *owner;
    const wxpay_target_t *target;
    wxpay_event_t *event; /* after the reply: as it is to be recorded */
    apr_time_t began;
    wxpay_http_request_t request;
    const char *headers[4];
    char what[200];     /* came of it, for people */
    int lost;           /* the lease was over: somebody else tries it */
    wxpay_claim_t next; /* id NULL: none */
} wxpay_try_t;

/* Read an event that is leased to us under this claim. NULL: it is not, or can't be read now (then
 * the lease ends by itself). */
wxpay_try_t *wxpay_try_load(wxpay_outbox_t *outbox, const wxpay_claim_t *claim);
/* Make it. Its place has been taken. */
void wxpay_try_send(wxpay_try_t *t);
/* Nobody is to wait for the lease's end: the next sweep takes it. */
void wxpay_try_give_back(wxpay_try_t *t);
/* Both, after a commit; the place has been taken. */
void wxpay_try_start(wxpay_outbox_t *outbox, const wxpay_target_t *target,
                     const wxpay_claim_t *claim);

/* ---- outbox_tell.c: the log ---- */

/* What came of a try, for a person, with the likely cause. err: NULL when there is a reply. */
void wxpay_try_explain(wxpay_try_t *t, const wxpay_http_reply_t *reply, const wxpay_error_t *err);
/* The target takes deliveries or not: said when that changes. */
void wxpay_try_tell_target(const wxpay_try_t *t, int good);
/* What was recorded. */
void wxpay_try_tell(const wxpay_try_t *t);

/* ---- outbox_list.c ---- */

/* The log of tries and one more, in pool: {"at","status","ms"}, or "error" when status is 0. */
const char *wxpay_try_log(apr_pool_t *pool, const char *log, apr_time_t at, int status,
                          const char *error, apr_interval_time_t took);
/* The time that the next try names: now, or the second after the one that the last try named. Two
 * tries with the same second would be a replay to whoever verifies them. */
apr_time_t wxpay_try_time(apr_pool_t *pool, const char *log, apr_time_t now);

#endif
