/* What is not believed before the gateway confirms it, sub-merchants, and the end of waiting. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <apr_general.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "flow_rig.h"

#define TXN "4200000000202611240000000001" /* the one that the rig's queries tell */
#define OTHER_TXN "4200000000202611240000000002"

static int setup(void **state)
{
    rig_t *rig = calloc(1, sizeof(*rig));
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig_start(rig);
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    rig->account.previous_until = apr_time_now() + apr_time_from_sec(3600);
    rig->paid_fee = 100;
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_stop(*state);
    free(*state);
    return 0;
}

/* A payment that only the previous key signed. */
static wxpay_notice_t *old_notice(rig_t *rig, const char *number, const char *txn, apr_int64_t fen)
{
    wxpay_notice_t *n = rig_notice(rig, number, txn, fen);

    n->previous_key = 1;
    return n;
}

static void unbelieved(rig_t *rig, const wxpay_notice_t *n)
{
    int success = 1;

    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_UNCONFIRMED);
    assert_false(success);
}

static long events(rig_t *rig)
{
    return rig_count(rig, "SELECT count(*) FROM events");
}

static void wait_queries(rig_t *rig, int count)
{
    int i;

    for (i = 0; i < 200 && rig->queries < count; ++i) {
        usleep(10000);
    }
    assert_int_equal(rig->queries, count);
}

static wxpay_order_state_e settled(rig_t *rig, const char *number)
{
    return rig_settle(rig, number)->order->state;
}

static void the_query_decides(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *n = old_notice(rig, "A1", TXN, 100);
    int success;

    rig_says(rig, RIG_SILENT, "SUCCESS");
    unbelieved(rig, n);
    wait_queries(rig, 1);
    assert_int_equal(rig_read(rig, "A1")->order->state, WXPAY_ORDER_PENDING);
    assert_int_equal(events(rig), 0);
    rig_flush(rig);
    assert_int_equal(settled(rig, "A1"), WXPAY_ORDER_PAID);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices WHERE verdict = 'reconciled'"),
                     1);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices WHERE verdict = 'unconfirmed' "
                                    "AND reason = 'previous key' AND out_trade_no = 'A1'"),
                     1);
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_DUPLICATE);
    assert_true(success);
    assert_int_equal(events(rig), 1);
    assert_int_equal(rig->queries, 1);
}

static void forged_with_the_previous_key(void **state)
{
    rig_t *rig = *state;
    int i;

    rig_says(rig, RIG_OK, "NOTPAY");
    for (i = 0; i < 3; ++i) {
        unbelieved(rig, old_notice(rig, "A1", OTHER_TXN, 100));
        assert_int_equal(settled(rig, "A1"), WXPAY_ORDER_PENDING);
    }
    assert_int_equal(rig->queries, 1); /* and not once for every copy */
    rig_forward(apr_time_from_sec(60));
    unbelieved(rig, old_notice(rig, "A1", OTHER_TXN, 100));
    assert_int_equal(settled(rig, "A1"), WXPAY_ORDER_PENDING);
    assert_int_equal(rig->queries, 2);
    assert_non_null(wxpay_snapshot_payable(rig_read(rig, "A1"), apr_time_now()));
    assert_int_equal(events(rig), 0);
}

/* Neither an amount, nor a second payment, nor a sub-merchant is believed from that key. */
static void the_previous_key_sets_nothing_aside(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *n = old_notice(rig, "A1", TXN, 1);
    int success;

    unbelieved(rig, n);
    n->sub_mch_id = "1900000999";
    unbelieved(rig, n);
    assert_int_equal(settled(rig, "A1"), WXPAY_ORDER_PENDING);
    assert_false(rig_read(rig, "A1")->order->quarantined);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", TXN, 100), &success),
                     WXPAY_VERDICT_PAID);
    unbelieved(rig, old_notice(rig, "A1", OTHER_TXN, 100));
    unbelieved(rig, old_notice(rig, "A1", TXN, 99));
    assert_int_equal(settled(rig, "A1"), WXPAY_ORDER_PAID);
    assert_false(rig_read(rig, "A1")->order->overpaid);
    assert_int_equal(events(rig), 1);
}

static void the_query_may_set_it_aside(void **state)
{
    rig_t *rig = *state;

    rig_says(rig, RIG_OK, "SUCCESS");
    rig->paid_fee = 99;
    unbelieved(rig, old_notice(rig, "A1", TXN, 100));
    assert_int_equal(settled(rig, "A1"), WXPAY_ORDER_PENDING);
    assert_true(rig_read(rig, "A1")->order->quarantined);
}

static void after_its_time_the_key_is_refused(void **state)
{
    rig_t *rig = *state;
    wxpay_verdict_e verdict;
    wxpay_error_t err;
    int success;

    rig_forward(apr_time_from_sec(3600));
    assert_int_equal(wxpay_flow_notice(rig->flow, &rig->account, old_notice(rig, "A1", TXN, 100),
                                       apr_time_from_sec(3), rig->pool, &verdict, &success, &err),
                     WXPAY_ESIGN);
    assert_int_equal(verdict, WXPAY_VERDICT_REFUSED);
    assert_false(success);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices"), 0);
    assert_int_equal(rig->queries, 0);
}

static void confirming_from_an_amount_on(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;
    int success;

    rig->account.confirm_min_fen = 100;
    rig_says(rig, RIG_OK, "SUCCESS");
    unbelieved(rig, rig_notice(rig, "A1", TXN, 100));
    assert_int_equal(settled(rig, "A1"), WXPAY_ORDER_PAID);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices WHERE reason = 'amount'"), 1);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", TXN, 100), &success),
                     WXPAY_VERDICT_DUPLICATE);
    /* one number is paid once: nothing could confirm this */
    unbelieved(rig, rig_notice(rig, "A1", OTHER_TXN, 100));
    assert_int_equal(rig_submit(rig, "B1", 99, 1, &snap, &created, &err), WXPAY_OK);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "B1", OTHER_TXN, 99), &success),
                     WXPAY_VERDICT_PAID);
    assert_int_equal(rig->queries, 1);
}

/* An answer that left the gateway before the payment was made must not be the last word. */
static void a_report_during_a_query_asks_again(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;

    rig->account.confirm_min_fen = 0;
    rig_says(rig, RIG_SILENT, NULL);
    assert_int_equal(wxpay_flow_query(rig->flow, &rig->account, "A1", 0, rig->pool, &snap, &err),
                     WXPAY_OK);
    wait_queries(rig, 1);
    unbelieved(rig, rig_notice(rig, "A1", TXN, 100));
    unbelieved(rig, rig_notice(rig, "A1", TXN, 100));
    rig_flush(rig); /* NOTPAY */
    wait_queries(rig, 2);
    rig_says(rig, RIG_SILENT, "SUCCESS");
    rig_flush(rig);
    assert_int_equal(settled(rig, "A1"), WXPAY_ORDER_PAID);
    assert_int_equal(rig->queries, 2);
}

/* Paid before unifiedorder's answer came: its end must not wipe out the question. */
static void a_report_during_the_order_asks_afterwards(void **state)
{
    rig_t *rig = *state;
    wxpay_identity_t native = {WXPAY_TRADE_NATIVE, NULL, NULL};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig->account.confirm_min_fen = 0;
    rig->order = RIG_SILENT;
    rig_says(rig, RIG_OK, "SUCCESS");
    assert_int_equal(rig_submit(rig, "C1", 100, 0, &snap, &created, &err), WXPAY_OK);
    assert_int_equal(
        wxpay_flow_open(rig->flow, &rig->account, "C1", &native, 0, rig->pool, &snap, &err),
        WXPAY_OK);
    usleep(50000);
    unbelieved(rig, rig_notice(rig, "C1", TXN, 100));
    assert_int_equal(rig->queries, 0);
    rig_flush(rig);
    assert_int_equal(settled(rig, "C1"), WXPAY_ORDER_PAID);
    assert_int_equal(rig->queries, 1);
}

static void a_lost_query_is_asked_again(void **state)
{
    rig_t *rig = *state;
    wxpay_error_t err;

    rig->account.confirm_min_fen = 0;
    rig_says(rig, RIG_LOST, NULL);
    unbelieved(rig, rig_notice(rig, "A1", TXN, 100));
    wait_queries(rig, 1);
    rig_settle(rig, "A1");
    assert_int_equal(rig_read(rig, "A1")->attempts[0]->todo, WXPAY_TODO_QUERY);
    rig_says(rig, RIG_OK, "SUCCESS");
    rig_forward(apr_time_from_sec(2));
    wxpay_flow_nudge(rig->flow, &rig->account, rig_read(rig, "A1"), &err);
    assert_int_equal(settled(rig, "A1"), WXPAY_ORDER_PAID);
}

static void a_dead_process_with_the_query(void **state)
{
    rig_t *rig = *state;

    rig->account.confirm_min_fen = 0;
    rig_says(rig, RIG_SILENT, NULL);
    unbelieved(rig, rig_notice(rig, "A1", TXN, 100));
    wait_queries(rig, 1); /* and never an answer */
    rig_forward(apr_time_from_sec(15));
    unbelieved(rig, rig_notice(rig, "A1", TXN, 100));
    rig_forward(apr_time_from_sec(30));
    rig_says(rig, RIG_OK, "SUCCESS");
    unbelieved(rig, rig_notice(rig, "A1", TXN, 100));
    assert_int_equal(settled(rig, "A1"), WXPAY_ORDER_PAID);
    assert_int_equal(rig->queries, 2);
}

static void *report_once(void *arg)
{
    rig_t *rig = arg;
    wxpay_notice_t n;
    wxpay_verdict_e verdict;
    wxpay_error_t err;
    apr_pool_t *pool;
    int success;

    memset(&n, 0, sizeof(n));
    n.sign_type = WXPAY_SIGN_MD5;
    n.appid = rig->account.appid;
    n.mch_id = "1900000109";
    n.gateway_no = "A1";
    n.transaction_id = TXN;
    n.total_fee = 100;
    n.fee_type = "CNY";
    n.raw = "";
    n.previous_key = 1;
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    wxpay_flow_notice(rig->flow, &rig->account, &n, apr_time_from_sec(3), pool, &verdict, &success,
                      &err);
    apr_pool_destroy(pool);
    return verdict == WXPAY_VERDICT_UNCONFIRMED || verdict == WXPAY_VERDICT_DUPLICATE ? rig : NULL;
}

static void a_hundred_copies_one_query(void **state)
{
    rig_t *rig = *state;
    pthread_t threads[100];
    void *as_it_should;
    int i;

    rig_says(rig, RIG_OK, "SUCCESS");
    rig->delay_ms = 100;
    for (i = 0; i < 100; ++i) {
        assert_int_equal(pthread_create(&threads[i], NULL, report_once, rig), 0);
    }
    for (i = 0; i < 100; ++i) {
        pthread_join(threads[i], &as_it_should);
        assert_non_null(as_it_should);
    }
    assert_int_equal(settled(rig, "A1"), WXPAY_ORDER_PAID);
    assert_int_equal(rig->queries, 1);
    assert_int_equal(events(rig), 1);
}

/* ---- orders that were not made here ---- */

static void previous_key_and_an_unknown_order(void **state)
{
    rig_t *rig = *state;

    unbelieved(rig, old_notice(rig, "X9", TXN, 100));
    unbelieved(rig, old_notice(rig, "X9", TXN, 100));
    assert_int_equal(rig_count(rig, "SELECT count FROM notices WHERE verdict = 'unconfirmed'"), 2);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices"), 1);
    usleep(50000);
    assert_int_equal(rig->queries, 0); /* it would be answered FAIL in any case */
}

static void unknown_orders_are_confirmed_where_they_are_delivered(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *n = old_notice(rig, "X9", TXN, 100);
    int success;
    int i;

    rig->account.deliver_orphans = 1;
    rig_says(rig, RIG_OK, "NOTPAY");
    unbelieved(rig, n);
    wait_queries(rig, 1);
    usleep(50000);
    assert_int_equal(events(rig), 0);
    rig_says(rig, RIG_SILENT, "SUCCESS");
    for (i = 0; i < 3; ++i) {
        unbelieved(rig, n); /* one question at a time */
    }
    wait_queries(rig, 2);
    rig_flush(rig);
    for (i = 0; i < 200 && !events(rig); ++i) {
        usleep(10000);
    }
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_ORPHAN);
    assert_true(success);
    assert_int_equal(events(rig), 1);
    assert_int_equal(rig->queries, 2);
}

static void refused_orphans_are_delivered_when_they_come_again(void **state)
{
    rig_t *rig = *state;
    int success;

    assert_int_equal(rig_notify(rig, rig_notice(rig, "X9", TXN, 100), &success),
                     WXPAY_VERDICT_ORPHAN);
    assert_false(success);
    rig->account.deliver_orphans = 1; /* as the log line advised */
    assert_int_equal(rig_notify(rig, rig_notice(rig, "X9", TXN, 100), &success),
                     WXPAY_VERDICT_ORPHAN);
    assert_true(success);
    assert_int_equal(events(rig), 1);
}

/* ---- sub-merchants ---- */

static void another_sub_merchants_payment_is_set_aside(void **state)
{
    static const char *const subs[] = {NULL, "1900000111", "1900000110"};
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_notice_t *n;
    wxpay_error_t err;
    int created;
    int success;
    int i;

    rig->account.sub_mch_id = "1900000110";
    rig->account.sub_appid = "wxsub";
    assert_int_equal(rig_submit(rig, "S1", 100, 1, &snap, &created, &err), WXPAY_OK);
    for (i = 0; i < 3; ++i) {
        n = rig_notice(rig, "S1", TXN, 100);
        n->sub_mch_id = subs[i];
        n->sub_appid = i == 2 ? "wxother" : NULL;
        assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_QUARANTINE);
        assert_false(success);
    }
    assert_true(rig_read(rig, "S1")->order->quarantined);
    assert_int_equal(rig_count(rig, "SELECT count FROM notices WHERE reason = 'sub_mch_id'"), 2);
    assert_int_equal(rig_count(rig, "SELECT count FROM notices WHERE reason = 'sub_appid'"), 1);
    n->sub_appid = NULL; /* the gateway may leave it out */
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_PAID);
    n->sub_mch_id = "1900000111"; /* the same transaction cannot be a duplicate of it */
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_QUARANTINE);
}

static void a_sub_merchant_for_an_order_without(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *n = rig_notice(rig, "A1", TXN, 100);
    int success;

    n->sub_mch_id = "1900000110";
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_QUARANTINE);
    assert_false(success);
    assert_int_equal(rig_read(rig, "A1")->order->state, WXPAY_ORDER_PENDING);
}

/* The event does not say whose money it is: it must not reach another sub-merchant's site. */
static void another_sub_merchants_orphan_is_never_delivered(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *n = rig_notice(rig, "X9", TXN, 100);
    int success;

    rig->account.deliver_orphans = 1;
    n->sub_mch_id = "1900000110";
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_ORPHAN);
    assert_false(success);
    rig->account.confirm_min_fen = 0;
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_ORPHAN);
    assert_false(success);
    assert_int_equal(events(rig), 0);
    rig->account.confirm_min_fen = -1;
    rig->account.sub_mch_id = "1900000110";
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_ORPHAN);
    assert_true(success);
    assert_int_equal(events(rig), 1);
}

static void requests_name_the_sub_merchant(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig->account.sub_mch_id = "1900000110";
    rig->account.sub_appid = "wxsub";
    assert_int_equal(rig_submit(rig, "S1", 100, 1, &snap, &created, &err), WXPAY_OK);
    assert_non_null(strstr(rig->last_order, "<sub_mch_id>1900000110<"));
    assert_non_null(strstr(rig->last_order, "<sub_appid><![CDATA[wxsub]]>"));
    rig_says(rig, RIG_OK, "SUCCESS"); /* and the rig's answer leaves sub_appid out */
    assert_int_equal(rig_query(rig, "S1", &snap, &err), WXPAY_OK);
    assert_int_equal(snap->order->state, WXPAY_ORDER_PAID);
    assert_non_null(strstr(rig->last_query, "<sub_mch_id>1900000110<"));
    assert_non_null(strstr(rig->last_query, "<sub_appid><![CDATA[wxsub]]>"));
}

/* ---- the end of waiting ---- */

static void *wait_for_the_gateway(void *arg)
{
    rig_t *rig = arg;
    wxpay_identity_t native = {WXPAY_TRADE_NATIVE, NULL, NULL};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    apr_pool_t *pool;
    int busy;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    busy = wxpay_flow_open(rig->flow, &rig->account, "W1", &native, apr_time_from_sec(30), pool,
                           &snap, &err) == WXPAY_OK &&
           wxpay_snapshot_busy(snap, apr_time_now());
    apr_pool_destroy(pool);
    return busy ? rig : NULL;
}

static void nobody_waits_when_it_stops(void **state)
{
    rig_t *rig = *state;
    pthread_t threads[4];
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    apr_time_t begun;
    void *busy;
    int created;
    int i;

    rig->order = RIG_SILENT;
    assert_int_equal(rig_submit(rig, "W1", 100, 0, &snap, &created, &err), WXPAY_OK);
    for (i = 0; i < 4; ++i) { /* one waits for its own call, the others for that one */
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_the_gateway, rig), 0);
    }
    usleep(200000);
    begun = apr_time_now();
    wxpay_flow_stop(rig->flow);
    for (i = 0; i < 4; ++i) {
        pthread_join(threads[i], &busy);
        assert_non_null(busy);
    }
    assert_true(apr_time_now() - begun < apr_time_from_sec(1));
    assert_int_equal(rig_read(rig, "W1")->attempts[0]->state, WXPAY_ATTEMPT_SENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(the_query_decides),
        T(forged_with_the_previous_key),
        T(the_previous_key_sets_nothing_aside),
        T(the_query_may_set_it_aside),
        T(after_its_time_the_key_is_refused),
        T(confirming_from_an_amount_on),
        T(a_report_during_a_query_asks_again),
        T(a_report_during_the_order_asks_afterwards),
        T(a_lost_query_is_asked_again),
        T(a_dead_process_with_the_query),
        T(a_hundred_copies_one_query),
        T(previous_key_and_an_unknown_order),
        T(unknown_orders_are_confirmed_where_they_are_delivered),
        T(refused_orphans_are_delivered_when_they_come_again),
        T(another_sub_merchants_payment_is_set_aside),
        T(a_sub_merchant_for_an_order_without),
        T(another_sub_merchants_orphan_is_never_delivered),
        T(requests_name_the_sub_merchant),
        T(nobody_waits_when_it_stops),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("flow_confirm", tests, NULL, NULL);
}
