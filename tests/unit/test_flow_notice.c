/* A notification meets an order: every verdict that flow decides. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "flow_rig.h"

#define TXN "4200000000202611240000000001"
#define OTHER_TXN "4200000000202611240000000002"

static int setup(void **state)
{
    rig_t *rig = calloc(1, sizeof(*rig));
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    rig_start(rig);
    assert_int_equal(rig_submit(rig, "A1", 100, 1, &snap, &created, &err), WXPAY_OK);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_stop(*state);
    free(*state);
    return 0;
}

static void paid_once(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *n = rig_notice(rig, "A1", TXN, 100);
    wxpay_order_t *order;
    int success;

    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_PAID);
    assert_true(success);
    order = rig_read(rig, "A1")->order;
    assert_int_equal(order->state, WXPAY_ORDER_PAID);
    assert_string_equal(order->transaction_id, TXN);
    assert_string_equal(order->payer_openid, n->openid);
    assert_int_equal(order->paid_at, n->time_end);
    assert_false(order->late);
    assert_int_equal(rig_read(rig, "A1")->attempts[0]->state, WXPAY_ATTEMPT_PAID);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events"), 1);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE type = 'order.paid' AND "
                                    "state = 'unwanted' AND body LIKE '%\"total_fee\":100%'"),
                     1);
}

static void duplicates_change_nothing_and_are_counted(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *n = rig_notice(rig, "A1", TXN, 100);
    int success;
    int i;

    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_PAID);
    for (i = 0; i < 5; ++i) {
        assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_DUPLICATE);
        assert_true(success);
    }
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events"), 1);
    assert_int_equal(rig_count(rig, "SELECT count FROM notices WHERE verdict = 'paid'"), 1);
    /* the next commit takes the count along */
    assert_int_equal(rig_notify(rig, rig_notice(rig, "ZZ", OTHER_TXN, 1), &success),
                     WXPAY_VERDICT_ORPHAN);
    assert_int_equal(rig_count(rig, "SELECT count FROM notices WHERE verdict = 'paid'"), 6);
}

static void second_transaction_is_overpaid(void **state)
{
    rig_t *rig = *state;
    int success;

    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", TXN, 100), &success),
                     WXPAY_VERDICT_PAID);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", OTHER_TXN, 100), &success),
                     WXPAY_VERDICT_OVERPAID);
    assert_true(success);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", OTHER_TXN, 100), &success),
                     WXPAY_VERDICT_OVERPAID);
    assert_true(rig_read(rig, "A1")->order->overpaid);
    assert_string_equal(rig_read(rig, "A1")->order->transaction_id, TXN);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE type = 'order.overpaid'"),
                     1);
}

static void second_attempt_paid_too_is_overpaid(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int success;

    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_JSAPI, "oOpenid", &snap, &err), WXPAY_OK);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1*2", TXN, 100), &success),
                     WXPAY_VERDICT_PAID);
    /* the first one was closed, and is paid all the same */
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", OTHER_TXN, 100), &success),
                     WXPAY_VERDICT_OVERPAID);
    assert_int_equal(rig_read(rig, "A1")->attempts[0]->state, WXPAY_ATTEMPT_PAID);
    assert_string_equal(rig_read(rig, "A1")->order->paid_gateway_no, "A1*2");
}

static void other_attempts_are_closed_at_once(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int success;

    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_JSAPI, "oOpenid", &snap, &err), WXPAY_OK);
    assert_int_equal(rig->closes, 1);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", TXN, 100), &success),
                     WXPAY_VERDICT_PAID);
    rig_settle(rig, "A1");
    assert_int_equal(rig->closes, 2);
    assert_int_equal(rig_read(rig, "A1")->attempts[1]->state, WXPAY_ATTEMPT_CLOSED);
}

static void number_never_sent_is_not_ours(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int success;

    rig->close = RIG_REFUSE;
    rig->err_code = "TRADE_STATE_ERROR";
    rig_open(rig, "A1", WXPAY_TRADE_JSAPI, "oOpenid", &snap, &err);
    rig_open(rig, "A1", WXPAY_TRADE_NATIVE, NULL, &snap, &err); /* takes A1*2 back unsent */
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1*2", TXN, 100), &success),
                     WXPAY_VERDICT_QUARANTINE);
    assert_false(success);
}

static void other_amount_is_set_aside(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int success;

    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", TXN, 1), &success),
                     WXPAY_VERDICT_QUARANTINE);
    assert_false(success);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", TXN, 1), &success),
                     WXPAY_VERDICT_QUARANTINE);
    snap = rig_read(rig, "A1");
    assert_true(snap->order->quarantined);
    assert_int_equal(snap->order->state, WXPAY_ORDER_PENDING);
    assert_null(wxpay_snapshot_payable(snap, apr_time_now()));
    assert_int_equal(rig_count(rig, "SELECT count FROM notices WHERE verdict = 'quarantine' AND "
                                    "reason = 'total_fee'"),
                     2);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE "
                                    "type = 'order.quarantined'"),
                     1);
    /* no new attempts either */
    assert_int_equal(rig_open(rig, "A1", WXPAY_TRADE_JSAPI, "oOpenid", &snap, &err), WXPAY_OK);
    assert_int_equal(snap->count, 1);
}

static void other_currency_is_set_aside(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *n = rig_notice(rig, "A1", TXN, 100);
    int success;

    n->fee_type = "JPY";
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_QUARANTINE);
    assert_false(success);
    assert_int_equal(rig_read(rig, "A1")->order->state, WXPAY_ORDER_PENDING);
}

static void orphans_are_recorded_once(void **state)
{
    rig_t *rig = *state;
    int success;

    assert_int_equal(rig_notify(rig, rig_notice(rig, "X9", TXN, 100), &success),
                     WXPAY_VERDICT_ORPHAN);
    assert_false(success);
    rig->account.deliver_orphans = 1;
    assert_int_equal(rig_notify(rig, rig_notice(rig, "X9", OTHER_TXN, 100), &success),
                     WXPAY_VERDICT_ORPHAN);
    assert_true(success);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "X9", OTHER_TXN, 100), &success),
                     WXPAY_VERDICT_ORPHAN);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices WHERE verdict = 'orphan'"), 2);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE type = 'order.orphan'"), 1);
}

static void not_paid_and_refunds_are_journaled(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *n = rig_notice(rig, "A1", TXN, 100);
    int success;

    n->kind = WXPAY_NOTICE_NOTPAID;
    n->err_code = "SYSTEMERROR";
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_NOTPAID);
    assert_true(success);
    n->kind = WXPAY_NOTICE_REFUND;
    n->refund_id = "50000408942018111907145868882";
    n->refund_status = "SUCCESS";
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_REFUND);
    assert_true(success);
    assert_int_equal(rig_read(rig, "A1")->order->state, WXPAY_ORDER_PENDING);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices"), 2);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events"), 0);
}

static void md5_for_an_hmac_order_is_refused(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_verdict_e verdict;
    wxpay_error_t err;
    int created;
    int success;

    rig->account.sign_type = WXPAY_SIGN_HMAC_SHA256;
    assert_int_equal(rig_submit(rig, "B1", 100, 1, &snap, &created, &err), WXPAY_OK);
    rig->account.sign_type = WXPAY_SIGN_MD5;
    assert_int_equal(wxpay_flow_notice(rig->flow, &rig->account, rig_notice(rig, "B1", TXN, 100),
                                       apr_time_from_sec(3), rig->pool, &verdict, &success, &err),
                     WXPAY_ESIGN);
    assert_false(success);
    assert_int_equal(rig_read(rig, "B1")->order->state, WXPAY_ORDER_PENDING);
}

static void paid_after_closing_is_late(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int success;

    assert_int_equal(rig_close(rig, "A1", &snap, &err), WXPAY_OK);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", TXN, 100), &success),
                     WXPAY_VERDICT_PAID);
    assert_true(rig_read(rig, "A1")->order->late);
    assert_int_equal(
        rig_count(rig, "SELECT count(*) FROM events WHERE body LIKE '%\"late\":true%'"), 1);
}

static void paid_before_the_reply_wins(void **state)
{
    rig_t *rig = *state;
    wxpay_identity_t native = {WXPAY_TRADE_NATIVE, NULL, NULL};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;
    int success;

    rig->order = RIG_SILENT;
    assert_int_equal(rig_submit(rig, "C1", 100, 0, &snap, &created, &err), WXPAY_OK);
    assert_int_equal(
        wxpay_flow_open(rig->flow, &rig->account, "C1", &native, 0, rig->pool, &snap, &err),
        WXPAY_OK);
    assert_int_equal(rig_notify(rig, rig_notice(rig, "C1", TXN, 100), &success),
                     WXPAY_VERDICT_PAID);
    rig_flush(rig);
    usleep(50000);
    assert_int_equal(rig_read(rig, "C1")->order->state, WXPAY_ORDER_PAID);
    assert_int_equal(rig_read(rig, "C1")->attempts[0]->state, WXPAY_ATTEMPT_PAID);
}

static void attach_that_differs_is_only_flagged(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *n = rig_notice(rig, "A1", TXN, 100);
    int success;

    n->attach = "a1 ";
    assert_int_equal(rig_notify(rig, n, &success), WXPAY_VERDICT_PAID);
    assert_true(rig_read(rig, "A1")->order->attach_differs);
}

static void *notify_once(void *arg)
{
    rig_t *rig = arg;
    wxpay_notice_t n;
    wxpay_verdict_e verdict;
    wxpay_error_t err;
    apr_pool_t *pool;
    int success = 0;

    memset(&n, 0, sizeof(n));
    n.sign_type = WXPAY_SIGN_MD5;
    n.appid = rig->account.appid;
    n.mch_id = "1900000109";
    n.gateway_no = "A1";
    n.transaction_id = TXN;
    n.total_fee = 100;
    n.fee_type = "CNY";
    n.raw = "";
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    wxpay_flow_notice(rig->flow, &rig->account, &n, apr_time_from_sec(3), pool, &verdict, &success,
                      &err);
    apr_pool_destroy(pool);
    return success ? rig : NULL;
}

static void two_hundred_at_once_pay_once(void **state)
{
    rig_t *rig = *state;
    pthread_t threads[200];
    void *success;
    int i;

    for (i = 0; i < 200; ++i) {
        assert_int_equal(pthread_create(&threads[i], NULL, notify_once, rig), 0);
    }
    for (i = 0; i < 200; ++i) {
        pthread_join(threads[i], &success);
        assert_non_null(success);
    }
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events"), 1);
    assert_int_equal(rig_read(rig, "A1")->order->state, WXPAY_ORDER_PAID);
}

/* What notice_read and flow together make of a vector. `file`: the order on file, or NULL. 1:
 * SUCCESS. */
static int decide(json_t *vector, json_t *file)
{
    const char *body = json_string_value(json_object_get(vector, "xml"));
    const char *type = json_string_value(json_object_get(vector, "configured_sign_type"));
    wxpay_snapshot_t *snap;
    wxpay_notice_t *n;
    wxpay_verdict_e verdict;
    wxpay_error_t err;
    rig_t fresh;
    int created, paid;
    int success = 0;

    rig_start(&fresh);
    fresh.account.deliver_orphans = !file;
    if (!strcmp(type, "HMAC-SHA256")) {
        fresh.account.sign_type = WXPAY_SIGN_HMAC_SHA256;
    }
    if (file) {
        assert_int_equal(rig_submit(&fresh,
                                    json_string_value(json_object_get(file, "out_trade_no")),
                                    json_integer_value(json_object_get(file, "total_fee")), 1,
                                    &snap, &created, &err),
                         WXPAY_OK);
    }
    if (wxpay_notice_read(fresh.xml, &fresh.account, body, strlen(body), fresh.pool, &n, &err) ==
        WXPAY_OK) {
        wxpay_flow_notice(fresh.flow, &fresh.account, n, apr_time_from_sec(3), fresh.pool, &verdict,
                          &success, &err);
    }
    if (file) {
        paid = rig_count(&fresh, "SELECT count(*) FROM orders WHERE state = 'PAID'") == 1;
        assert_int_equal(paid, success);
    }
    rig_stop(&fresh);
    return success;
}

/* Vectors that only the order on file or the configured type decides: the flow's part of the known
 * answers. */
static void vectors_that_need_the_store(void **state)
{
    json_error_t error;
    json_t *doc = json_load_file("tests/vectors/v2-notifications.json", 0, &error);
    json_t *one;
    size_t i;
    int seen = 0;

    (void)state;
    assert_non_null(doc);
    json_array_foreach (json_object_get(doc, "notifications"), i, one) {
        json_t *file = json_object_get(one, "order");
        const char *type = json_string_value(json_object_get(one, "configured_sign_type"));
        int accept = !strcmp(json_string_value(json_object_get(one, "expect")), "accept");

        if (!json_object_get(one, "xml") || (!file && strcmp(type, "HMAC-SHA256"))) {
            continue;
        }
        seen++;
        if (decide(one, file) != accept) {
            fail_msg("vector \"%s\": should be %s", json_string_value(json_object_get(one, "name")),
                     accept ? "accepted" : "rejected");
        }
    }
    json_decref(doc);
    assert_int_equal(seen, 12);
}

static void the_vector_of_another_appid(void **state)
{
    json_error_t error;
    json_t *doc = json_load_file("tests/vectors/v2-notifications.json", 0, &error);
    json_t *file = json_pack("{s:s, s:i}", "out_trade_no", "ORDER20240101000001", "total_fee", 100);
    json_t *one;
    size_t i;
    int seen = 0;

    (void)state;
    assert_non_null(doc);
    json_array_foreach (json_object_get(doc, "notifications"), i, one) {
        if (!strcmp(json_string_value(json_object_get(one, "name")),
                    "another appid, signed with our key")) {
            assert_false(decide(one, file));
            assert_false(decide(one, NULL));
            seen++;
        }
    }
    assert_int_equal(seen, 1);
    json_decref(file);
    json_decref(doc);
}

static void another_appid_is_refused(rig_t *rig, const wxpay_notice_t *n)
{
    wxpay_verdict_e verdict;
    wxpay_error_t err;
    int success = 1;

    assert_int_equal(wxpay_flow_notice(rig->flow, &rig->account, n, apr_time_from_sec(3), rig->pool,
                                       &verdict, &success, &err),
                     WXPAY_EMISMATCH);
    assert_false(success);
    assert_string_equal(err.field, "appid");
}

/* A1 was opened under the appid of before. */
static void appid_changed_while_orders_are_open(void **state)
{
    rig_t *rig = *state;
    wxpay_notice_t *before = rig_notice(rig, "A1", TXN, 100);
    wxpay_notice_t *unknown = rig_notice(rig, "X9", OTHER_TXN, 100);
    wxpay_notice_t *now;
    int success;

    rig->account.appid = "wxaaaaaaaaaaaaaaaa";
    rig->account.deliver_orphans = 1;
    now = rig_notice(rig, "A1", TXN, 100);
    another_appid_is_refused(rig, now);
    another_appid_is_refused(rig, unknown); /* no attempt vouches for it */
    assert_int_equal(rig_read(rig, "A1")->order->state, WXPAY_ORDER_PENDING);
    assert_int_equal(rig_notify(rig, before, &success), WXPAY_VERDICT_PAID);
    assert_true(success);
    assert_int_equal(rig_notify(rig, before, &success), WXPAY_VERDICT_DUPLICATE);
    another_appid_is_refused(rig, now);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events"), 1);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices"), 1);
}

/* Its own appid in what is asked of the gateway, too. */
static void appid_changed_and_the_notification_lost(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;

    rig->account.appid = "wxaaaaaaaaaaaaaaaa";
    rig->paid_fee = 100;
    rig_says(rig, RIG_OK, "SUCCESS");
    assert_int_equal(rig_query(rig, "A1", &snap, &err), WXPAY_OK);
    assert_int_equal(snap->order->state, WXPAY_ORDER_PAID);
    assert_non_null(strstr(rig->last_query, snap->attempts[0]->appid));
    assert_null(strstr(rig->last_query, rig->account.appid));
}

static void sign_type_changed_while_orders_are_open(void **state)
{
    rig_t *rig = *state;
    int success;

    rig->account.sign_type = WXPAY_SIGN_HMAC_SHA256; /* A1 was opened with MD5 */
    assert_int_equal(rig_notify(rig, rig_notice(rig, "A1", TXN, 100), &success),
                     WXPAY_VERDICT_PAID);
    assert_true(success);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(paid_once),
        T(duplicates_change_nothing_and_are_counted),
        T(second_transaction_is_overpaid),
        T(second_attempt_paid_too_is_overpaid),
        T(other_attempts_are_closed_at_once),
        T(number_never_sent_is_not_ours),
        T(other_amount_is_set_aside),
        T(other_currency_is_set_aside),
        T(orphans_are_recorded_once),
        T(not_paid_and_refunds_are_journaled),
        T(md5_for_an_hmac_order_is_refused),
        T(paid_after_closing_is_late),
        T(paid_before_the_reply_wins),
        T(attach_that_differs_is_only_flagged),
        T(two_hundred_at_once_pay_once),
        T(sign_type_changed_while_orders_are_open),
        T(appid_changed_while_orders_are_open),
        T(appid_changed_and_the_notification_lost),
        cmocka_unit_test(the_vector_of_another_appid),
        cmocka_unit_test(vectors_that_need_the_store),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("flow_notice", tests, NULL, NULL);
}
