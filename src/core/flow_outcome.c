/* flow_outcome.c - what a finished call means for its attempt, and when the gateway is asked again;
 * no store, no gateway. */
#include "flow_int.h"

#include <apr_strings.h>
#include <string.h>

#define QUERY_TRIES 6 /* of a query whose answer nobody can use */
#define PATIENCE 30   /* tries that follow each other fast */

/* Also of a number that no call of ours has reached: if it is known there, a person has to know. */
static int may_be_asked_about(const wxpay_attempt_t *a)
{
    return a->state != WXPAY_ATTEMPT_PAID && (a->sent_at || a->state == WXPAY_ATTEMPT_SENT);
}

void wxpay_plan_query(wxpay_snapshot_t *snap, apr_time_t now)
{
    int i;

    for (i = 0; i < snap->count; ++i) {
        wxpay_attempt_t *a = snap->attempts[i];

        if (may_be_asked_about(a) && !wxpay_plan_leased(a, now)) {
            a->todo = WXPAY_TODO_QUERY;
            a->next_at = now;
        }
    }
}

/* tries goes on counting: a gateway that sends us to and fro between two calls is called ever more
 * seldom. */
static void next(wxpay_attempt_t *a, wxpay_todo_e todo, apr_time_t at)
{
    a->todo = todo;
    a->next_at = at;
}

static void done(wxpay_attempt_t *a, wxpay_attempt_state_e state)
{
    a->state = state;
    a->todo = WXPAY_TODO_NONE;
    a->tries = 0;
}

/* 1, 2, 4 ... 32 seconds: a page polls meanwhile, and each poll may start the call that is due. */
static apr_time_t back_off(const wxpay_attempt_t *a, apr_time_t now)
{
    int shift = a->tries > 5 ? 5 : a->tries > 0 ? a->tries - 1 : 0;

    return now + apr_time_from_sec(1 << shift);
}

/* Of calls that go on although nobody looks: a gateway that is away for hours is asked seldom. */
static apr_time_t long_back_off(const wxpay_attempt_t *a, apr_time_t now)
{
    return a->tries > PATIENCE ? now + apr_time_from_sec(600) : back_off(a, now);
}

int wxpay_plan_confirm(wxpay_attempt_t *a, int first, apr_time_t now)
{
    if (!may_be_asked_about(a)) {
        return 0; /* there is nothing that the gateway could confirm */
    }
    if (a->todo == WXPAY_TODO_QUERY) {
        /* Under way, due, or put off. A query that left before this payment was reported may have
         * been answered before it was made: then it is asked once more. */
        if (!first || (a->next_at <= now && !wxpay_plan_leased(a, now))) {
            return 0;
        }
    }
    else if (!first && now < back_off(a, a->next_at)) {
        return 0;
    }
    a->todo = WXPAY_TODO_QUERY;
    a->next_at = now;
    return 1;
}

void wxpay_plan_ask_later(wxpay_attempt_t *a, apr_time_t now)
{
    next(a, WXPAY_TODO_QUERY, long_back_off(a, now));
}

static int is_code(const wxpay_api_result_t *result, const char *code)
{
    return !strcmp(result->err.err_code, code);
}

static int definite(const wxpay_api_result_t *result)
{
    return result->err.code == WXPAY_EGATEWAY && !(result->err.flags & WXPAY_ERR_AMBIGUOUS);
}

static void remember_error(wxpay_attempt_t *a, const wxpay_api_result_t *result, apr_pool_t *pool)
{
    a->err_code = result->err.err_code[0] ? apr_pstrdup(pool, result->err.err_code) : NULL;
    a->err_detail = apr_pstrdup(pool, result->err.detail);
}

static int never_left(const wxpay_api_result_t *result)
{
    return (result->err.code == WXPAY_ENET || result->err.code == WXPAY_EBUSY) &&
           !(result->err.flags & WXPAY_ERR_AMBIGUOUS);
}

/* No call of ours came before: it is somebody else's order under this number. Never close it; but
 * if it is paid, a person has to know before the buyer pays again. */
static void applied_foreign(wxpay_attempt_t *a, apr_time_t now)
{
    if (a->state == WXPAY_ATTEMPT_SENT) {
        a->state = WXPAY_ATTEMPT_FAILED;
    }
    else { /* it was to be closed meanwhile */
        a->state = WXPAY_ATTEMPT_CLOSED;
        a->sent_at = 0; /* nothing of ours is there */
    }
    next(a, WXPAY_TODO_QUERY, now);
}

/* The first call has ended before it began. tries goes on counting, for the sake of the pauses. */
static void applied_unsent(wxpay_attempt_t *a, apr_time_t now)
{
    a->sent_at = 0;
    if (a->state == WXPAY_ATTEMPT_SENT) {
        next(a, WXPAY_TODO_SEND, back_off(a, now));
    }
    else {
        wxpay_plan_withdraw(a);
    }
}

static void applied_send(const wxpay_order_t *order, wxpay_attempt_t *a, int first,
                         const wxpay_api_result_t *result, apr_pool_t *pool, apr_time_t now)
{
    int taken = definite(result) && wxpay_plan_number_taken(result->err.err_code);

    if (first && never_left(result)) {
        applied_unsent(a, now);
    }
    else if (first && taken) {
        applied_foreign(a, now);
    }
    else if (taken) {
        next(a, WXPAY_TODO_QUERY, now);
    }
    else if (definite(result) && is_code(result, "ORDERCLOSED")) {
        done(a, WXPAY_ATTEMPT_CLOSED);
    }
    else if (a->state == WXPAY_ATTEMPT_CLOSING) {
        /* Another device or a close got in while the call was under way: whatever came of it is to
         * be closed. */
        next(a, WXPAY_TODO_CLOSE, now);
    }
    else if (result->err.code == WXPAY_OK) {
        done(a, WXPAY_ATTEMPT_OPEN);
        a->prepay_id = apr_pstrdup(pool, result->prepay_id);
        a->code_url = apr_pstrdup(pool, result->code_url);
        a->mweb_url = apr_pstrdup(pool, result->mweb_url);
        a->url_at = now;
        a->err_code = NULL;
        a->err_detail = NULL;
        if (order->close_wanted || order->quarantined) {
            a->state = WXPAY_ATTEMPT_CLOSING;
            next(a, WXPAY_TODO_CLOSE, now);
        }
    }
    else if (definite(result) && !(result->err.flags & WXPAY_ERR_RETRY)) {
        if (a->state == WXPAY_ATTEMPT_SENT) {
            done(a, WXPAY_ATTEMPT_FAILED);
            a->next_at = now + apr_time_from_sec(1 << (a->n < 8 ? a->n - 1 : 8));
        }
        else { /* it was open once, so money may have come: ask */
            next(a, WXPAY_TODO_QUERY, now);
        }
    }
    else {
        next(a, WXPAY_TODO_SEND, back_off(a, now));
    }
}

static void applied_unpaid(const wxpay_order_t *order, wxpay_attempt_t *a, apr_time_t now)
{
    switch (a->state) {
    case WXPAY_ATTEMPT_SENT:
        if (!a->sent_at && !wxpay_plan_order_open(order, now)) {
            wxpay_plan_withdraw(a);
        }
        else if (wxpay_plan_number_taken(a->err_code) || !wxpay_plan_order_open(order, now)) {
            a->state = WXPAY_ATTEMPT_CLOSING;
            next(a, WXPAY_TODO_CLOSE, now);
        }
        else {
            next(a, WXPAY_TODO_SEND, a->tries > 2 ? back_off(a, now) : now);
        }
        break;
    case WXPAY_ATTEMPT_CLOSING:
        next(a, WXPAY_TODO_CLOSE, a->close_at > now ? a->close_at : now);
        break;
    default:
        a->todo = WXPAY_TODO_NONE;
        break;
    }
}

static void applied_not_exist(const wxpay_order_t *order, wxpay_attempt_t *a,
                              const wxpay_account_t *account, apr_time_t now)
{
    apr_time_t certain = a->sent_at + wxpay_account_deadline(account) + apr_time_from_sec(60);

    if (a->state == WXPAY_ATTEMPT_SENT && wxpay_plan_number_taken(a->err_code)) {
        done(a, WXPAY_ATTEMPT_FAILED); /* it was refused for its own sake, not for the number's */
    }
    else if (a->state == WXPAY_ATTEMPT_SENT && wxpay_plan_order_open(order, now)) {
        next(a, WXPAY_TODO_SEND, a->tries > 2 ? back_off(a, now) : now);
    }
    else if (a->state == WXPAY_ATTEMPT_SENT || a->state == WXPAY_ATTEMPT_CLOSING) {
        /* Not final while our unifiedorder may still be on its way. */
        if (now >= certain) {
            done(a, WXPAY_ATTEMPT_CLOSED);
        }
        else {
            next(a, WXPAY_TODO_QUERY, certain);
        }
    }
    else {
        a->todo = WXPAY_TODO_NONE;
    }
}

static int applied_query(const wxpay_order_t *order, wxpay_attempt_t *a,
                         const wxpay_api_result_t *result, const wxpay_account_t *account,
                         apr_time_t now)
{
    if (result->err.code == WXPAY_OK) {
        switch (result->trade_state) {
        case WXPAY_TRADE_SUCCESS:
        case WXPAY_TRADE_REFUND:
            return 1;
        case WXPAY_TRADE_CLOSED:
            done(a, WXPAY_ATTEMPT_CLOSED);
            break;
        default:
            applied_unpaid(order, a, now);
            break;
        }
    }
    else if (definite(result) && is_code(result, "ORDERNOTEXIST")) {
        applied_not_exist(order, a, account, now);
    }
    else if (a->state == WXPAY_ATTEMPT_SENT || a->state == WXPAY_ATTEMPT_CLOSING ||
             wxpay_plan_foreign(a) || a->tries < QUERY_TRIES) {
        next(a, WXPAY_TODO_QUERY, long_back_off(a, now));
    }
    else {
        a->todo = WXPAY_TODO_NONE;
    }
    return 0;
}

int wxpay_plan_apply(const wxpay_order_t *order, wxpay_attempt_t *a, wxpay_todo_e did, int first,
                     const wxpay_api_result_t *result, const wxpay_account_t *account,
                     apr_pool_t *pool, apr_time_t now)
{
    a->lease_owner = NULL;
    a->lease_until = 0;
    switch (did) {
    case WXPAY_TODO_SEND:
        if (result->err.code != WXPAY_OK) {
            remember_error(a, result, pool);
        }
        applied_send(order, a, first, result, pool, now);
        return 0;
    case WXPAY_TODO_QUERY:
        return applied_query(order, a, result, account, now);
    case WXPAY_TODO_CLOSE:
        if (result->err.code == WXPAY_OK || (definite(result) && is_code(result, "ORDERCLOSED"))) {
            done(a, WXPAY_ATTEMPT_CLOSED);
        }
        else {
            apr_time_t early = a->sent_at + WXPAY_CLOSE_AFTER;

            a->close_at = early > now ? early : long_back_off(a, now + apr_time_from_sec(30));
            next(a, WXPAY_TODO_QUERY, now); /* paid, too early, or unknown: ask what it is */
        }
        return 0;
    default:
        return 0;
    }
}
