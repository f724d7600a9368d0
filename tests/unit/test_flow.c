/* The way of an order: opening, repeating, switching, closing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <apr_general.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "flow_rig.h"

static int setup(void **state)
{
    rig_t *rig = calloc(1, sizeof(*rig));

    rig_start(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_stop(*state);
    free(*state);
    return 0;
}

static void stored_only(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 0, &snap, &created, &err), WXPAY_OK);
    assert_true(created);
    assert_int_equal(snap->order->state, WXPAY_ORDER_NEW);
    assert_int_equal(rig_submit(rig, "A1", 100, 0, &snap, &created, &err), WXPAY_OK);
    assert_false(created);
    assert_int_equal(rig_submit(rig, "A1", 101, 0, &snap, &created, &err), WXPAY_ECONFLICT);
    assert_string_equal(err.field, "total_fee");
    assert_int_equal(rig->orders, 0);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM orders"), 1);
}

static void another_sites_number(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 0, &snap, &created, &err), WXPAY_OK);
    rig->account.site = "https://other.example";
    assert_int_equal(rig_submit(rig, "A1", 100, 0, &snap, &created, &err), WXPAY_ECONFLICT);
    assert_null(snap);
    assert_int_equal(wxpay_flow_read(rig->flow, &rig->account, "A1", rig->pool, &snap, &err),
                     WXPAY_ENOTFOUND);
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_ENOTFOUND);
    assert_null(snap);
    assert_int_equal(rig_close(rig, "A1", &snap, &err), WXPAY_ENOTFOUND);
    assert_int_equal(rig->orders + rig->closes, 0);
}

static void opened_and_reused(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    const wxpay_attempt_t *a;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    a = wxpay_snapshot_payable(snap, apr_time_now());
    assert_non_null(a);
    assert_string_equal(a->gateway_no, "A1");
    assert_string_equal(a->code_url, "weixin://wxpay/bizpayurl?pr=1");
    assert_int_equal(snap->order->state, WXPAY_ORDER_PENDING);
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_OK);
    assert_int_equal(rig->orders, 1);
    assert_non_null(strstr(rig->last_order, "<spbill_create_ip><![CDATA[192.0.2.1]]>"));
    assert_non_null(strstr(rig->last_order, "<device_info><![CDATA[WEB]]>"));
}

static void stale_code_is_renewed_under_the_same_number(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig->account.order_ttl = apr_time_from_sec(24 * 3600);
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    rig_forward(apr_time_from_sec(2 * 3600));
    assert_null(wxpay_snapshot_payable(snap, apr_time_now() + apr_time_from_sec(7200)));
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_OK);
    assert_int_equal(rig->orders, 2);
    assert_int_equal(snap->count, 1);
    assert_string_equal(snap->attempts[0]->code_url, "weixin://wxpay/bizpayurl?pr=2");
}

/* All of the request but nonce_str and sign. */
static void business_part(const char *body, char *out)
{
    const char *nonce = strstr(body, "<nonce_str>");
    const char *sign = strstr(body, "<sign>");
    size_t i;

    assert_non_null(nonce);
    assert_non_null(sign);
    for (i = 0; body[i]; ++i) {
        int in_nonce = body + i >= nonce && body + i < strstr(nonce, "</nonce_str>");
        int in_sign = body + i >= sign && body + i < strstr(sign, "</sign>");

        if (!in_nonce && !in_sign) {
            *out++ = body[i];
        }
    }
    *out = '\0';
}

static void ambiguous_is_repeated_unchanged(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    char first[4096];
    char second[4096];
    int created;

    rig->order = RIG_LOST;
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_ENET);
    assert_true(err.flags & WXPAY_ERR_AMBIGUOUS);
    assert_true(created);
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_SENT);
    assert_int_equal(snap->order->state, WXPAY_ORDER_PENDING);
    business_part(rig->last_order, first);
    rig->order = RIG_OK;
    rig_forward(apr_time_from_sec(60));
    assert_int_equal(wxpay_flow_nudge(rig->flow, &rig->account, snap, &err), WXPAY_OK);
    snap = rig_settle(rig, "A1");
    assert_int_equal(snap->count, 1);
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_OPEN);
    business_part(rig->last_order, second);
    assert_string_equal(first, second);
}

static void no_place_leaves_it_for_the_next(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig->order = RIG_FULL;
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_EBUSY);
    assert_non_null(snap);
    rig->order = RIG_OK;
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    assert_false(created);
    assert_non_null(wxpay_snapshot_payable(snap, apr_time_now()));
}

static void refusal_fails_and_the_next_uses_a_new_number(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig->order = RIG_REFUSE;
    rig->err_code = "NOAUTH";
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_EGATEWAY);
    assert_string_equal(err.err_code, "NOAUTH");
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_FAILED);
    assert_int_equal(snap->order->state, WXPAY_ORDER_NEW);
    rig->order = RIG_OK;
    /* not at once: a page must not hammer the gateway */
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_EGATEWAY);
    assert_string_equal(err.err_code, "NOAUTH");
    assert_int_equal(rig->orders, 1);
    rig_forward(apr_time_from_sec(2));
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_OK);
    assert_int_equal(snap->count, 2);
    assert_string_equal(wxpay_snapshot_payable(snap, apr_time_now())->gateway_no, "A1*2");
}

static void systemerror_is_repeated(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig->order = RIG_REFUSE;
    rig->err_code = "SYSTEMERROR";
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_EGATEWAY);
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_SENT);
    rig->order = RIG_OK;
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_OK);
    assert_int_equal(snap->count, 1);
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_OPEN);
}

static void refused_for_ever_stops_asking(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;
    int i;

    rig->account.order_ttl = apr_time_from_sec(7 * 24 * 3600);
    rig->order = RIG_REFUSE;
    rig->err_code = "NOAUTH";
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_EGATEWAY);
    for (i = 0; i < 60; ++i) {
        rig_forward(apr_time_from_sec(600));
        assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err),
                         WXPAY_EGATEWAY);
    }
    assert_int_equal(rig->orders, 30);
    assert_int_equal(rig_read(rig, "A1")->count, 30);
}

/* Our own earlier call may have made the order: then the payment is ours. */
static void orderpaid_after_a_lost_reply_is_booked(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig->order = RIG_LOST;
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_ENET);
    rig->order = RIG_REFUSE;
    rig->err_code = "ORDERPAID";
    rig->trade_state = "SUCCESS";
    rig->paid_fee = 100;
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    assert_int_equal(snap->order->state, WXPAY_ORDER_PAID);
    assert_int_equal(rig->queries, 1);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE type = 'order.paid'"), 1);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices WHERE verdict = 'reconciled'"),
                     1);
}

/* A number that was paid before we ever asked for it: another system's order. */
static void somebody_elses_payment_is_set_aside(void **state)
{
    rig_t *rig = *state;
    static const char *const codes[] = {"ORDERPAID", "OUT_TRADE_NO_USED"};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;
    int i;

    rig->order = RIG_REFUSE;
    rig->trade_state = "SUCCESS";
    rig->paid_fee = 100;
    for (i = 0; i < 2; ++i) {
        const char *number = i ? "B1" : "A1";

        rig->err_code = codes[i];
        rig_submit(rig, number, 100, 1, &snap, &created, &err);
        snap = rig_read(rig, number);
        assert_int_equal(snap->order->state, WXPAY_ORDER_NEW);
        assert_true(snap->order->quarantined);
    }
    assert_int_equal(rig->closes, 0);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE type = 'order.paid'"), 0);
}

static void older_payment_found_by_query_is_set_aside(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    rig->trade_state = "SUCCESS";
    rig->paid_fee = 100;
    rig->paid_before = -apr_time_from_sec(3600);
    assert_int_equal(rig_query(rig, "A1", &snap, &err), WXPAY_OK);
    assert_true(snap->order->quarantined);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices WHERE reason = 'time'"), 1);
}

static void taken_number_is_left_alone(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig->order = RIG_REFUSE;
    rig->err_code = "OUT_TRADE_NO_USED";
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_EGATEWAY);
    assert_string_equal(err.err_code, "OUT_TRADE_NO_USED");
    assert_int_equal(rig->queries, 1);
    assert_int_equal(rig->closes, 0); /* it may be the live order of another system */
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_FAILED);
    rig->order = RIG_OK;
    rig_forward(apr_time_from_sec(2));
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_OK);
    assert_string_equal(wxpay_snapshot_payable(snap, apr_time_now())->gateway_no, "A1*2");
}

/* A call that never left this host makes no number ours. */
static void unsent_calls_do_not_count(void **state)
{
    rig_t *rig = *state;
    static const rig_answer_e how[] = {RIG_UNSENT, RIG_FULL};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;
    int i;

    for (i = 0; i < 2; ++i) {
        const char *number = i ? "B1" : "A1";

        rig->order = how[i];
        rig_submit(rig, number, 100, 1, &snap, &created, &err);
        rig_open(rig, number, WXPAY_TRADE_NATIVE, NULL, &snap, &err);
        assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_SENT);
        assert_int_equal(snap->attempts[0]->sent_at, 0);
        rig->order = RIG_REFUSE;
        rig->err_code = "OUT_TRADE_NO_USED";
        assert_int_equal(rig_open(rig, number, WXPAY_TRADE_NATIVE, NULL, &snap, &err),
                         WXPAY_EGATEWAY);
        assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_FAILED);
        assert_int_equal(rig->queries, i + 1);
    }
    assert_int_equal(rig->closes, 0);
}

static void unsent_after_lost_is_ours(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig->order = RIG_LOST;
    rig_submit(rig, "A1", 100, 1, &snap, &created, &err);
    rig->order = RIG_UNSENT;
    rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err);
    assert_true(snap->attempts[0]->sent_at > 0);
    rig->order = RIG_REFUSE;
    rig->err_code = "ORDERPAID";
    rig->trade_state = "SUCCESS";
    rig->paid_fee = 100;
    rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err);
    assert_int_equal(snap->order->state, WXPAY_ORDER_PAID);
}

static void unsent_is_tried_ever_more_seldom(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;
    int i;

    rig->order = RIG_UNSENT;
    rig_submit(rig, "A1", 100, 1, &snap, &created, &err);
    for (i = 0; i < 5; ++i) {
        rig_forward(apr_time_from_sec(60));
        assert_int_equal(wxpay_flow_nudge(rig->flow, &rig->account, snap, &err), WXPAY_OK);
        usleep(50000);
        snap = rig_settle(rig, "A1");
    }
    assert_true(snap->attempts[0]->next_at > rig_now() + apr_time_from_sec(25));
    assert_int_equal(rig->queries, 0);
}

/* Another device or a close comes before anything could be sent. */
static void unsent_is_never_closed_there(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig->order = RIG_UNSENT;
    rig_submit(rig, "A1", 100, 1, &snap, &created, &err);
    rig_submit(rig, "B1", 100, 1, &snap, &created, &err);
    assert_int_equal(rig_close(rig, "B1", &snap, &err), WXPAY_OK);
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_CLOSED);
    assert_int_equal(snap->order->state, WXPAY_ORDER_CLOSED);
    rig->order = RIG_OK;
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_JSAPI, "oOpenid", &snap, &err), WXPAY_OK);
    assert_int_equal(snap->count, 1);
    assert_int_equal(wxpay_snapshot_payable(snap, apr_time_now())->trade_type, WXPAY_TRADE_JSAPI);
    assert_non_null(strstr(rig->last_order, "<out_trade_no><![CDATA[A1]]>"));
    assert_non_null(strstr(rig->last_order, "<openid><![CDATA[oOpenid]]>"));
    assert_non_null(strstr(rig->last_order, "<trade_type><![CDATA[JSAPI]]>"));
    assert_int_equal(rig->closes + rig->queries, 0);
}

/* Another device comes while the first call of the first one is under way. */
static wxpay_snapshot_t *switched_meanwhile(rig_t *rig, const char *number, rig_answer_e how)
{
    wxpay_identity_t native = {WXPAY_TRADE_NATIVE, NULL, NULL};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int before = rig->orders;
    int created;

    assert_int_equal(rig_submit(rig, number, 100, 0, &snap, &created, &err), WXPAY_OK);
    rig->order = how;
    rig->delay_ms = 300;
    assert_int_equal(
        wxpay_flow_open(rig->flow, &rig->account, number, &native, 0, rig->pool, &snap, &err),
        WXPAY_OK);
    while (rig->orders == before) {
        usleep(1000);
    }
    rig->order = RIG_OK;
    rig_open(rig, number, WXPAY_TRADE_JSAPI, "oOpenid", &snap, &err);
    snap = rig_settle(rig, number);
    assert_int_equal(snap->count, 2);
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_CLOSED);
    assert_int_equal(rig->closes, 0);
    return snap;
}

static void foreign_number_is_not_closed_for_another_device(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;

    rig->err_code = "OUT_TRADE_NO_USED";
    snap = switched_meanwhile(rig, "A1", RIG_REFUSE);
    assert_int_equal(rig->queries, 1);
    assert_int_equal(snap->attempts[1]->state, WXPAY_ATTEMPT_OPEN);
    snap = switched_meanwhile(rig, "B1", RIG_UNSENT);
    assert_int_equal(rig->queries, 1);
    assert_int_equal(snap->attempts[1]->state, WXPAY_ATTEMPT_OPEN);
    rig_says(rig, RIG_LOST, NULL);
    snap = switched_meanwhile(rig, "C1", RIG_REFUSE);
    assert_int_equal(snap->attempts[1]->state, WXPAY_ATTEMPT_RESERVED);
    rig_says(rig, RIG_OK, "SUCCESS");
    rig->paid_fee = 100;
    rig_forward(apr_time_from_sec(60));
    assert_int_equal(wxpay_flow_nudge(rig->flow, &rig->account, snap, &err), WXPAY_OK);
    usleep(50000);
    snap = rig_settle(rig, "C1");
    assert_true(snap->order->quarantined);
    assert_int_equal(snap->attempts[1]->state, WXPAY_ATTEMPT_CLOSED);
    assert_int_equal(rig->orders, 5);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE type = 'order.paid'"), 0);
}

/* The gateway has signed that the number is paid: no code before it has said by whom. */
static void no_code_while_the_query_runs(void **state)
{
    rig_t *rig = *state;
    wxpay_identity_t native = {WXPAY_TRADE_NATIVE, NULL, NULL};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 0, &snap, &created, &err), WXPAY_OK);
    rig->order = RIG_REFUSE;
    rig->err_code = "ORDERPAID";
    rig_says(rig, RIG_SILENT, "SUCCESS");
    rig->paid_fee = 100;
    assert_int_equal(
        wxpay_flow_open(rig->flow, &rig->account, "A1", &native, 0, rig->pool, &snap, &err),
        WXPAY_OK);
    while (!rig->queries) {
        usleep(1000);
    }
    rig->order = RIG_OK;
    assert_int_equal(
        wxpay_flow_open(rig->flow, &rig->account, "A1", &native, 0, rig->pool, &snap, &err),
        WXPAY_OK);
    assert_true(wxpay_snapshot_busy(snap, rig_now()));
    assert_int_equal(snap->count, 1);
    rig_flush(rig);
    snap = rig_settle(rig, "A1");
    assert_true(snap->order->quarantined);
    assert_int_equal(snap->count, 1);
    assert_int_equal(rig->orders, 1);
}

static void no_code_after_the_query_failed(void **state)
{
    rig_t *rig = *state;
    static const char *const numbers[] = {"A1", "B1", "C1"};
    static const char *const codes[] = {"ORDERPAID", "OUT_TRADE_NO_USED", "INVALID_REQUEST"};
    static const char *const answers[] = {"NOTPAY", "CLOSED", "ORDERNOTEXIST"};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;
    int i;

    for (i = 0; i < 3; ++i) {
        const char *number = numbers[i];

        rig->order = RIG_REFUSE;
        rig->err_code = codes[i];
        rig_says(rig, RIG_LOST, "NOTPAY");
        rig_submit(rig, number, 100, 1, &snap, &created, &err);
        rig->order = RIG_OK;
        assert_int_equal(rig_open(rig, number, WXPAY_TRADE_JSAPI, "oOpenid", &snap, &err),
                         WXPAY_EGATEWAY);
        assert_string_equal(err.err_code, codes[i]);
        rig_forward(apr_time_from_sec(60)); /* the query is due again, and fails again */
        rig_open(rig, number, WXPAY_TRADE_NATIVE, NULL, &snap, &err);
        assert_int_equal(rig_settle(rig, number)->count, 1);
        assert_int_equal(rig->orders, 2 * i + 1);
        rig->err_code = answers[i];
        rig_says(rig, i == 2 ? RIG_REFUSE : RIG_OK, answers[i]);
        rig_forward(apr_time_from_sec(60));
        assert_int_equal(wxpay_flow_nudge(rig->flow, &rig->account, snap, &err), WXPAY_OK);
        rig_settle(rig, number);
        assert_int_equal(rig_open(rig, number, WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_OK);
        assert_int_equal(wxpay_snapshot_payable(snap, apr_time_now())->n, 2);
        assert_int_equal(rig->orders, 2 * i + 2);
    }
    assert_int_equal(rig->closes, 0);
}

static void contradicting_gateway_is_asked_ever_more_seldom(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig->order = RIG_LOST;
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_ENET);
    rig->order = RIG_REFUSE;
    rig->err_code = "ORDERPAID";
    rig->trade_state = "NOTPAY";
    rig_submit(rig, "A1", 100, 1, &snap, &created, &err);
    usleep(300000);
    assert_in_range(rig->orders + rig->queries + rig->closes, 2, 12);
}

static void switching_closes_first(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_JSAPI, "oOpenid", &snap, &err), WXPAY_OK);
    assert_int_equal(rig->closes, 1);
    assert_int_equal(snap->count, 2);
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_CLOSED);
    assert_string_equal(wxpay_snapshot_payable(snap, apr_time_now())->gateway_no, "A1*2");
    assert_non_null(wxpay_snapshot_payable(snap, apr_time_now())->prepay_id);
}

static void early_closing_refused_blocks_until_it_may(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    rig->close = RIG_REFUSE;
    rig->err_code = "TRADE_STATE_ERROR";
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_JSAPI, "oOpenid", &snap, &err),
                     WXPAY_EGATEWAY);
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_CLOSING);
    assert_int_equal(snap->attempts[1]->state, WXPAY_ATTEMPT_RESERVED);
    assert_null(wxpay_snapshot_payable(snap, apr_time_now()));
    assert_string_equal(wxpay_snapshot_still_payable(snap, apr_time_now())->gateway_no, "A1");
    assert_null(wxpay_snapshot_still_payable(snap, snap->attempts[0]->close_at));
    assert_int_equal(rig->orders, 1);
    assert_true(snap->attempts[0]->next_at >= snap->attempts[0]->sent_at + apr_time_from_sec(310));
    rig->close = RIG_OK;
    rig_forward(apr_time_from_sec(311));
    assert_int_equal(wxpay_flow_nudge(rig->flow, &rig->account, snap, &err), WXPAY_OK);
    snap = rig_settle(rig, "A1");
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_CLOSED);
    assert_int_equal(snap->attempts[1]->state, WXPAY_ATTEMPT_OPEN);
    assert_ptr_equal(wxpay_snapshot_still_payable(snap, apr_time_now()), snap->attempts[1]);
}

/* Odd and even turns of one buyer who goes to and fro between two devices. */
static wxpay_rc_e take_turns(rig_t *rig, int turn, wxpay_snapshot_t **snap, wxpay_error_t *err)
{
    return turn % 2 ? rig_open(rig, "A1", WXPAY_TRADE_JSAPI, "oOpenid", snap, err)
                    : rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, snap, err);
}

static void devices_in_turns_use_one_number(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;
    int i;

    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    rig->close = RIG_REFUSE;
    rig->err_code = "TRADE_STATE_ERROR";
    for (i = 1; i <= 99; ++i) {
        take_turns(rig, i, &snap, &err);
    }
    assert_int_equal(snap->count, 2);
    assert_int_equal(snap->attempts[1]->state, WXPAY_ATTEMPT_RESERVED);
    assert_int_equal(rig->orders + rig->queries + rig->closes, 3);
    rig->close = RIG_OK;
    rig_forward(apr_time_from_sec(311));
    assert_int_equal(wxpay_flow_nudge(rig->flow, &rig->account, snap, &err), WXPAY_OK);
    snap = rig_settle(rig, "A1");
    assert_int_equal(snap->count, 2);
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_CLOSED);
    assert_int_equal(snap->attempts[1]->state, WXPAY_ATTEMPT_OPEN);
    assert_int_equal(snap->attempts[1]->trade_type, WXPAY_TRADE_JSAPI);
    assert_string_equal(snap->attempts[1]->openid, "oOpenid");
    assert_non_null(snap->attempts[1]->prepay_id);
    assert_non_null(strstr(rig->last_order, "<out_trade_no><![CDATA[A1*2]]>"));
    assert_non_null(strstr(rig->last_order, "<openid><![CDATA[oOpenid]]>"));
}

/* Where the gateway closes at once, each turn costs a number. */
static void turns_have_an_end(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;
    int i;

    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    for (i = 1; i <= 100; ++i) {
        take_turns(rig, i, &snap, &err);
    }
    assert_int_equal(snap->count, 30);
    assert_int_equal(rig->orders, 30);
    assert_int_equal(rig->closes, 29);
    assert_ptr_equal(wxpay_snapshot_payable(snap, apr_time_now()), snap->attempts[29]);
    rig->trade_state = "CLOSED";
    assert_int_equal(rig_query(rig, "A1", &snap, &err), WXPAY_OK);
    for (i = 0; wxpay_snapshot_busy(rig_read(rig, "A1"), rig_now()); ++i) {
        assert_true(i < 10); /* a run makes eight calls */
        assert_int_equal(wxpay_flow_nudge(rig->flow, &rig->account, snap, &err), WXPAY_OK);
        usleep(100000);
    }
    assert_int_equal(take_turns(rig, 1, &snap, &err), WXPAY_EGATEWAY);
    assert_int_equal(rig->orders, 30);
}

/* Whoever waits anyway asks no earlier for a second close. */
static void closing_twice_asks_once(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;
    int i;

    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    rig->close = RIG_REFUSE;
    rig->err_code = "TRADE_STATE_ERROR";
    for (i = 0; i < 5; ++i) {
        rig_close(rig, "A1", &snap, &err);
    }
    assert_int_equal(rig->closes, 1);
    assert_int_equal(rig->queries, 1);
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_CLOSING);
}

static void closed_here_and_there(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    assert_int_equal(rig_close(rig, "A1", &snap, &err), WXPAY_OK);
    assert_int_equal(snap->order->state, WXPAY_ORDER_CLOSED);
    assert_int_equal(rig->closes, 1);
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_OK);
    assert_null(wxpay_snapshot_payable(snap, apr_time_now()));
    assert_int_equal(rig->orders, 1);
}

/* Asking again and again must not put the closing off. */
static void queries_do_not_starve_the_closing(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;
    int i;

    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    rig->close = RIG_REFUSE;
    rig->err_code = "TRADE_STATE_ERROR";
    rig_close(rig, "A1", &snap, &err);
    assert_int_equal(rig->closes, 1);
    rig->close = RIG_OK;
    for (i = 0; i < 20; ++i) {
        rig_forward(apr_time_from_sec(20));
        assert_int_equal(rig_query(rig, "A1", &snap, &err), WXPAY_OK);
    }
    assert_int_equal(snap->order->state, WXPAY_ORDER_CLOSED);
    assert_int_equal(rig->closes, 2);
}

static void closing_a_paid_one_finds_the_payment(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    rig->close = RIG_REFUSE;
    rig->err_code = "ORDERPAID";
    rig->trade_state = "SUCCESS";
    rig->paid_fee = 100;
    assert_int_equal(rig_close(rig, "A1", &snap, &err), WXPAY_ECONFLICT);
    assert_int_equal(snap->order->state, WXPAY_ORDER_PAID);
}

static void query_finds_the_payment(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    rig->trade_state = "SUCCESS";
    rig->paid_fee = 99;
    assert_int_equal(rig_query(rig, "A1", &snap, &err), WXPAY_OK);
    assert_true(snap->order->quarantined);
    assert_int_equal(snap->order->state, WXPAY_ORDER_PENDING);
    rig->paid_fee = 100;
    assert_int_equal(rig_query(rig, "A1", &snap, &err), WXPAY_OK);
    assert_int_equal(snap->order->state, WXPAY_ORDER_PAID);
}

static void expired_opens_nothing(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 0, &snap, &created, &err), WXPAY_OK);
    rig_forward(apr_time_from_sec(7201));
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_OK);
    assert_int_equal(snap->order->state, WXPAY_ORDER_EXPIRED);
    assert_int_equal(rig->orders, 0);
}

static void expiry_is_raised_to_six_minutes(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 0, &snap, &created, &err), WXPAY_OK);
    rig_forward(apr_time_from_sec(7200 - 60));
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_OK);
    assert_true(snap->order->expires_at >= snap->attempts[0]->sent_at + apr_time_from_sec(360));
    assert_int_equal(rig_read(rig, "A1")->order->expires_at, snap->order->expires_at);
}

static void dead_holder_is_taken_over(void **state)
{
    rig_t *rig = *state;
    wxpay_identity_t native = {WXPAY_TRADE_NATIVE, NULL, NULL};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 0, &snap, &created, &err), WXPAY_OK);
    rig->order = RIG_SILENT;
    assert_int_equal(
        wxpay_flow_open(rig->flow, &rig->account, "A1", &native, 0, rig->pool, &snap, &err),
        WXPAY_OK);
    assert_true(wxpay_snapshot_busy(snap, apr_time_now()));
    while (!rig->orders) { /* its call has to meet the silent gateway */
        usleep(1000);
    }
    rig->order = RIG_OK;
    rig_forward(apr_time_from_sec(120));
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_OK);
    assert_string_equal(wxpay_snapshot_payable(snap, apr_time_now())->code_url,
                        "weixin://wxpay/bizpayurl?pr=2");
    rig_flush(rig); /* the first one's reply arrives after all: its lease is gone */
    usleep(50000);
    assert_string_equal(rig_read(rig, "A1")->attempts[0]->code_url,
                        "weixin://wxpay/bizpayurl?pr=2");
}

/* It died while the clock ran ahead; the next buyer does not wait until the clock is there again.
 */
static void a_holder_of_tomorrow_is_taken_over(void **state)
{
    rig_t *rig = *state;
    wxpay_identity_t native = {WXPAY_TRADE_NATIVE, NULL, NULL};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    assert_int_equal(rig_submit(rig, "A1", 100, 0, &snap, &created, &err), WXPAY_OK);
    rig->order = RIG_SILENT;
    rig_forward(apr_time_from_sec(3600));
    assert_int_equal(
        wxpay_flow_open(rig->flow, &rig->account, "A1", &native, 0, rig->pool, &snap, &err),
        WXPAY_OK);
    while (!rig->orders) {
        usleep(1000);
    }
    rig->order = RIG_OK;
    rig_forward(apr_time_from_sec(-3600));
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err), WXPAY_OK);
    assert_int_equal(rig->orders, 2);
    assert_non_null(wxpay_snapshot_payable(snap, rig_now()));
}

static void *one_buyer(void *arg)
{
    rig_t *rig = arg;
    wxpay_identity_t native = {WXPAY_TRADE_NATIVE, NULL, NULL};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    apr_pool_t *pool;
    void *payable;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    payable = wxpay_flow_open(rig->flow, &rig->account, "A1", &native, apr_time_from_sec(5), pool,
                              &snap, &err) == WXPAY_OK &&
                      wxpay_snapshot_payable(snap, apr_time_now())
                  ? rig
                  : NULL;
    apr_pool_destroy(pool);
    return payable;
}

static void fifty_buyers_one_call(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    pthread_t threads[50];
    void *payable;
    int created;
    int i;

    assert_int_equal(rig_submit(rig, "A1", 100, 0, &snap, &created, &err), WXPAY_OK);
    rig->delay_ms = 100;
    for (i = 0; i < 50; ++i) {
        assert_int_equal(pthread_create(&threads[i], NULL, one_buyer, rig), 0);
    }
    for (i = 0; i < 50; ++i) {
        pthread_join(threads[i], &payable);
        assert_non_null(payable);
    }
    assert_int_equal(rig->orders, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(stored_only),
        T(another_sites_number),
        T(opened_and_reused),
        T(stale_code_is_renewed_under_the_same_number),
        T(ambiguous_is_repeated_unchanged),
        T(no_place_leaves_it_for_the_next),
        T(refusal_fails_and_the_next_uses_a_new_number),
        T(systemerror_is_repeated),
        T(orderpaid_after_a_lost_reply_is_booked),
        T(refused_for_ever_stops_asking),
        T(somebody_elses_payment_is_set_aside),
        T(older_payment_found_by_query_is_set_aside),
        T(contradicting_gateway_is_asked_ever_more_seldom),
        T(queries_do_not_starve_the_closing),
        T(taken_number_is_left_alone),
        T(unsent_calls_do_not_count),
        T(unsent_after_lost_is_ours),
        T(unsent_is_tried_ever_more_seldom),
        T(unsent_is_never_closed_there),
        T(foreign_number_is_not_closed_for_another_device),
        T(no_code_while_the_query_runs),
        T(no_code_after_the_query_failed),
        T(switching_closes_first),
        T(early_closing_refused_blocks_until_it_may),
        T(devices_in_turns_use_one_number),
        T(turns_have_an_end),
        T(closing_twice_asks_once),
        T(closed_here_and_there),
        T(closing_a_paid_one_finds_the_payment),
        T(query_finds_the_payment),
        T(expired_opens_nothing),
        T(expiry_is_raised_to_six_minutes),
        T(dead_holder_is_taken_over),
        T(a_holder_of_tomorrow_is_taken_over),
        T(fifty_buyers_one_call),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
