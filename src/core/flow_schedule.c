/* flow_schedule.c - when the gateway is asked although nobody waits; decisions over one order and
 * its attempts, no store, no gateway. */
#include "flow_int.h"

#define MINUTE apr_time_from_sec(60)
/* A query that left so shortly before a date of the schedule serves that date. */
#define JUST_NOW WXPAY_ASK_PAUSE
#define LATER (30 * MINUTE)        /* after the schedule's end, when the gateway could not answer */
#define GIVE_UP (72 * 60 * MINUTE) /* after closing */

static const apr_interval_time_t while_unpaid[] = {apr_time_from_sec(15), MINUTE, 3 * MINUTE,
                                                   10 * MINUTE, 30 * MINUTE};
/* For money that came in the very moment of closing. */
static const apr_interval_time_t after_closing[] = {10 * MINUTE, 24 * 60 * MINUTE};

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

static apr_time_t first_unserved(const apr_interval_time_t *list, int count, apr_time_t from,
                                 apr_time_t asked_at)
{
    int i;

    for (i = 0; i < count; ++i) {
        if (from + list[i] > asked_at + JUST_NOW) {
            return from + list[i];
        }
    }
    return 0;
}

apr_time_t wxpay_schedule_next(const wxpay_attempt_t *a)
{
    apr_time_t from = a->sent_at;

    if (a->state == WXPAY_ATTEMPT_SENT && !from) {
        from = a->created_at; /* no call has reached the gateway yet */
    }
    if (!from) {
        return 0;
    }
    if (a->state == WXPAY_ATTEMPT_CLOSED) {
        return first_unserved(after_closing, COUNT(after_closing), a->closed_at, a->asked_at);
    }
    if (!wxpay_plan_live(a)) {
        return 0;
    }
    /* A code that was renewed hours later is paid as likely as the first one. */
    if (a->url_at > from + while_unpaid[COUNT(while_unpaid) - 1]) {
        from = a->url_at;
    }
    return first_unserved(while_unpaid, COUNT(while_unpaid), from, a->asked_at);
}

void wxpay_schedule_began(wxpay_attempt_t *a, apr_time_t now)
{
    if (a->todo == WXPAY_TODO_QUERY) {
        a->asked_at = now;
    }
    a->ask_at = wxpay_schedule_next(a);
}

void wxpay_schedule_ended(wxpay_attempt_t *a, wxpay_attempt_state_e was, wxpay_todo_e did,
                          const wxpay_api_result_t *result, apr_time_t now)
{
    int answered = result->err.code == WXPAY_OK ||
                   (result->err.code == WXPAY_EGATEWAY &&
                    !(result->err.flags & (WXPAY_ERR_AMBIGUOUS | WXPAY_ERR_RETRY)));

    if (a->state == WXPAY_ATTEMPT_CLOSED && was != WXPAY_ATTEMPT_CLOSED) {
        a->closed_at = now;
    }
    a->ask_at = wxpay_schedule_next(a);
    /* An open one is asked about at its order's end in any case; this would have been the last. */
    if (a->state == WXPAY_ATTEMPT_CLOSED && did == WXPAY_TODO_QUERY && !answered && !a->ask_at &&
        a->todo == WXPAY_TODO_NONE && now < a->closed_at + GIVE_UP) {
        a->ask_at = now + LATER;
    }
}

static void query(wxpay_attempt_t *a, apr_time_t now)
{
    if (a->todo == WXPAY_TODO_NONE) {
        a->tries = 0;
    }
    a->todo = WXPAY_TODO_QUERY;
    a->next_at = now;
}

int wxpay_schedule_ask(wxpay_snapshot_t *snap, apr_time_t now)
{
    int changed = 0;
    int i;

    for (i = 0; i < snap->count; ++i) {
        wxpay_attempt_t *a = snap->attempts[i];

        if (!a->ask_at || a->ask_at > now || a->state == WXPAY_ATTEMPT_PAID ||
            wxpay_plan_leased(a, now)) {
            continue;
        }
        if (a->todo == WXPAY_TODO_QUERY && a->next_at > now) {
            a->ask_at = a->next_at; /* it was asked, without success, and will be again */
        }
        else {
            query(a, now);
        }
        changed = 1;
    }
    return changed;
}

int wxpay_schedule_expire(wxpay_snapshot_t *snap, apr_time_t now)
{
    wxpay_order_t *order = snap->order;
    int i;

    if ((order->state != WXPAY_ORDER_NEW && order->state != WXPAY_ORDER_PENDING) ||
        order->quarantined || order->expires_at > now || !order->sweep_at) {
        return 0;
    }
    order->sweep_at = 0;
    for (i = 0; i < snap->count; ++i) {
        wxpay_attempt_t *a = snap->attempts[i];
        apr_time_t early = a->sent_at + WXPAY_CLOSE_AFTER;

        if (wxpay_plan_unsent(a)) {
            wxpay_plan_withdraw(a);
        }
        else if (a->state == WXPAY_ATTEMPT_SENT || a->state == WXPAY_ATTEMPT_OPEN) {
            a->state = WXPAY_ATTEMPT_CLOSING;
            a->close_at = early > a->close_at ? early : a->close_at;
            if (a->todo != WXPAY_TODO_QUERY || !wxpay_plan_leased(a, now)) {
                query(a, now);
            }
        }
    }
    return 1;
}

int wxpay_schedule_may_ask(const wxpay_snapshot_t *snap, apr_time_t now)
{
    int open = 0;
    int i;

    for (i = 0; i < snap->count; ++i) {
        const wxpay_attempt_t *a = snap->attempts[i];

        if (a->asked_at > now - WXPAY_ASK_PAUSE ||
            (a->todo == WXPAY_TODO_QUERY && wxpay_plan_leased(a, now))) {
            return 0;
        }
        open |= wxpay_plan_live(a) && !wxpay_plan_leased(a, now);
    }
    return open && snap->order->state == WXPAY_ORDER_PENDING;
}

void wxpay_schedule_ask_open(wxpay_snapshot_t *snap, apr_time_t now)
{
    int i;

    for (i = 0; i < snap->count; ++i) {
        if (wxpay_plan_live(snap->attempts[i]) && !wxpay_plan_leased(snap->attempts[i], now)) {
            query(snap->attempts[i], now);
        }
    }
}
