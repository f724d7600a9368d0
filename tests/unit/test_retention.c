/* What is erased, what stays, and that everything that comes late still finds its order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>
#include "flow_rig.h"
#include "retention.h"
#include "store_rows.h"

#define TXN "4200000000202611240000000001" /* the one that the rig's queries tell */
#define OTHER_TXN "4200000000202611240000000002"
#define SEC(n) apr_time_from_sec(n)
#define DAY SEC(86400)

static int setup(void **state)
{
    rig_t *rig = calloc(1, sizeof(*rig));

    rig_start(rig);
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

/* An order with everything that is ever erased. */
static wxpay_rc_e submit_rich(rig_t *rig, const char *number, const char *body, int *created,
                              wxpay_error_t *err)
{
    wxpay_identity_t buyer = {WXPAY_TRADE_JSAPI, "oBuyer", "198.51.100.7"};
    wxpay_fields_t *f = wxpay_fields_create(rig->pool);
    wxpay_snapshot_t *snap;
    wxpay_order_t *order;

    wxpay_error_clear(err);
    wxpay_fields_add_ref(f, "out_trade_no", number, err);
    wxpay_fields_add_ref(f, "body", body, err);
    wxpay_fields_add_ref(f, "total_fee", "100", err);
    wxpay_fields_add_ref(f, "attach", "a1", err);
    wxpay_fields_add_ref(f, "detail", "{\"goods_detail\":[]}", err);
    wxpay_fields_add_ref(f, "openid", "oBuyer", err);
    wxpay_fields_add_ref(f, "spbill_create_ip", "198.51.100.7", err);
    wxpay_fields_add_ref(f, "scene_info", "{\"id\":\"desk 3\"}", err);
    wxpay_fields_add_ref(f, "user_creid", "320102199001011234", err);
    wxpay_fields_add_ref(f, "user_truename", "Wang", err);
    wxpay_fields_add_ref(f, "fingerprint", "f1", err);
    assert_int_equal(wxpay_order_from_fields(f, &rig->account, rig_now(), rig->pool, &order, err),
                     WXPAY_OK);
    return wxpay_flow_submit(rig->flow, &rig->account, order, &buyer, SEC(5), rig->pool, &snap,
                             created, err);
}

static void submit(rig_t *rig, const char *number)
{
    wxpay_error_t err;
    int created;

    assert_int_equal(submit_rich(rig, number, "Tea", &created, &err), WXPAY_OK);
    assert_true(created);
}

static wxpay_verdict_e pay(rig_t *rig, const char *number, const char *txn)
{
    int success;

    return rig_notify(rig, rig_notice(rig, number, txn, 100), &success);
}

static int erase(rig_t *rig, apr_time_t notices, apr_time_t orders, int limit)
{
    wxpay_error_t err;
    int erased;

    assert_int_equal(wxpay_retention_erase(rig->store, notices, orders, limit, &erased, &err),
                     WXPAY_OK);
    return erased;
}

static void erase_all(rig_t *rig)
{
    while (erase(rig, rig_now() + DAY, rig_now() + DAY, 10)) {
    }
}

static apr_uint64_t jobs(rig_t *rig)
{
    wxpay_store_stats_t stats;

    wxpay_store_stats(rig->store, &stats);
    return stats.jobs;
}

static void who_paid_is_erased_and_the_books_stay(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    const wxpay_order_t *o;
    const wxpay_attempt_t *a;

    submit(rig, "A1");
    assert_int_equal(pay(rig, "A1", TXN), WXPAY_VERDICT_PAID);
    assert_non_null(rig_read(rig, "A1")->order->payer_openid);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices WHERE body IS NOT NULL"), 1);
    assert_int_equal(erase(rig, rig_now() + 1, rig_now() + 1, 10), 3);
    snap = rig_read(rig, "A1");
    o = snap->order;
    a = snap->attempts[0];
    assert_true(o->erased);
    assert_null(o->openid);
    assert_null(o->payer_openid);
    assert_null(o->attach);
    assert_null(o->detail);
    assert_null(o->scene_info);
    assert_null(o->spbill_create_ip);
    assert_null(o->user_creid);
    assert_null(o->user_truename);
    assert_null(o->fingerprint);
    assert_null(a->openid);
    assert_null(a->client_ip);
    assert_null(a->params);
    assert_null(a->prepay_id);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices WHERE body IS NOT NULL"), 0);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE body IS NOT NULL"), 0);
    assert_int_equal(o->state, WXPAY_ORDER_PAID);
    assert_int_equal(o->total_fee, 100);
    assert_string_equal(o->body, "Tea");
    assert_string_equal(o->transaction_id, TXN);
    assert_string_equal(a->transaction_id, TXN);
    assert_true(o->paid_at && o->created_at && a->sent_at);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices WHERE ref = '" TXN "'"), 1);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE type = 'order.paid'"), 1);
}

static void only_what_is_old_and_over(void **state)
{
    rig_t *rig = *state;
    apr_time_t cut;
    apr_uint64_t before;

    submit(rig, "LIVE");
    submit(rig, "OLD");
    assert_int_equal(pay(rig, "OLD", TXN), WXPAY_VERDICT_PAID);
    cut = rig_now();
    usleep(2000);
    submit(rig, "YOUNG");
    assert_int_equal(pay(rig, "YOUNG", OTHER_TXN), WXPAY_VERDICT_PAID);
    assert_int_equal(erase(rig, 0, 0, 10), 0); /* nothing is ever old */
    assert_int_equal(erase(rig, cut, 0, 10), 1);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices WHERE body IS NULL"), 1);
    assert_false(rig_read(rig, "OLD")->order->erased);
    assert_int_equal(erase(rig, cut, cut, 10), 2);
    assert_true(rig_read(rig, "OLD")->order->erased);
    assert_false(rig_read(rig, "YOUNG")->order->erased);
    assert_non_null(rig_read(rig, "LIVE")->order->openid);
    assert_non_null(rig_read(rig, "LIVE")->attempts[0]->params);
    before = jobs(rig);
    assert_int_equal(erase(rig, cut, cut, 10), 0);
    assert_int_equal(jobs(rig), before); /* and nothing is written for that */
}

static void in_small_commits(void **state)
{
    rig_t *rig = *state;
    apr_time_t later;
    wxpay_error_t err;
    int i;

    for (i = 0; i < 7; ++i) {
        submit(rig, apr_psprintf(rig->pool, "A%d", i));
    }
    rig_forward(SEC(7200));
    for (i = 0; i < 7; ++i) {
        wxpay_flow_sweep(rig->flow, 32, &err);
        rig_settle(rig, apr_psprintf(rig->pool, "A%d", i));
    }
    for (i = 0; i < 500 && rig_count(rig, "SELECT count(*) FROM orders WHERE state = 'CLOSED'") < 7;
         ++i) {
        usleep(5000);
    }
    later = rig_now() + 1;
    assert_int_equal(erase(rig, later, later, 3), 6); /* events and orders */
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM orders WHERE erased = 1"), 3);
    assert_true(rig_read(rig, "A0")->order->erased); /* the oldest first */
    assert_int_equal(erase(rig, later, later, 3), 6);
    assert_int_equal(erase(rig, later, later, 3), 2);
    assert_int_equal(erase(rig, later, later, 3), 0);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM attempts WHERE params IS NULL"), 7);
}

static long bodies(rig_t *rig)
{
    return rig_count(rig, "SELECT count(*) FROM events WHERE body IS NOT NULL");
}

#define IN_TWO_DAYS "created_at + 172800000000" /* later than erase_all() looks */

static void what_waits_to_be_sent_keeps_its_body(void **state)
{
    rig_t *rig = *state;

    submit(rig, "A1");
    assert_int_equal(pay(rig, "A1", TXN), WXPAY_VERDICT_PAID);
    rig_count(rig, "UPDATE events SET state = 'pending', next_at = " IN_TWO_DAYS " RETURNING 1");
    erase_all(rig);
    assert_true(rig_read(rig, "A1")->order->erased);
    assert_int_equal(bodies(rig), 1);
    rig_count(rig, "UPDATE events SET next_at = 0, lease_until = " IN_TWO_DAYS " RETURNING 1");
    erase_all(rig);
    assert_int_equal(bodies(rig), 1);
    rig_count(rig, "UPDATE events SET state = 'delivered' RETURNING 1");
    erase_all(rig);
    assert_int_equal(bodies(rig), 0);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE state = 'delivered'"), 1);
}

/* WxPayDeliverTo went while they waited. */
static void what_nobody_is_told_any_more_is_parked(void **state)
{
    rig_t *rig = *state;
    apr_uint64_t before;

    submit(rig, "A1");
    assert_int_equal(pay(rig, "A1", TXN), WXPAY_VERDICT_PAID);
    assert_int_equal(pay(rig, "A1", OTHER_TXN), WXPAY_VERDICT_OVERPAID);
    rig_count(rig, "UPDATE events SET state = 'pending' RETURNING 1");
    rig_count(rig, "UPDATE events SET next_at = " IN_TWO_DAYS " WHERE type = 'order.paid' "
                   "RETURNING 1");
    erase_all(rig);
    assert_int_equal(bodies(rig), 2); /* the other may have waited for this one */
    rig_count(rig, "UPDATE events SET next_at = created_at RETURNING 1");
    assert_int_equal(erase(rig, 0, rig_now() - DAY, 10), 0);
    assert_int_equal(erase(rig, 0, rig_now() + 1, 10), 2);
    assert_int_equal(bodies(rig), 0);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE state = 'parked'"), 2);
    before = jobs(rig);
    assert_int_equal(erase(rig, 0, rig_now() + DAY, 10), 0);
    assert_int_equal(jobs(rig), before);
}

static wxpay_rc_e erase_one(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    (void)pool;
    return wxpay_row_erase(tx, baton, err);
}

static void what_is_taken_up_meanwhile_is_left(void **state)
{
    static const char *const changes[] = {
        "UPDATE events SET id = 'e', state = 'pending', next_at = 1000, lease_until = 0 "
        "RETURNING 1",
        "UPDATE events SET next_at = 0, lease_until = 1000 RETURNING 1",
        "UPDATE events SET state = 'delivered', lease_until = 0 RETURNING 1",
        "UPDATE events SET state = 'pending' RETURNING 1",
    };
    wxpay_erasable_t found = {WXPAY_ERASABLE_WAITING, {"e"}, 1, 1000};
    rig_t *rig = *state;
    wxpay_error_t err;
    int i;

    submit(rig, "A1");
    assert_int_equal(pay(rig, "A1", TXN), WXPAY_VERDICT_PAID);
    for (i = 0; i < 4; ++i) {
        wxpay_job_t *job = wxpay_job_create();

        rig_count(rig, changes[i]);
        assert_int_equal(wxpay_store_commit(rig->store, job, erase_one, &found, SEC(10), &err),
                         WXPAY_OK);
        wxpay_job_release(job);
        assert_int_equal(bodies(rig), i < 3);
    }
}

/* No server speaks for its site any more, so nobody ever learns how it ended. */
static void orders_that_never_end(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    submit(rig, "A1");
    wxpay_error_clear(&err);
    rig_submit(rig, "A2", 100, 0, &snap, &created, &err);
    rig_count(rig, "UPDATE orders SET site = 'https://gone.example' WHERE out_trade_no = 'A2' "
                   "RETURNING 1");
    assert_int_equal(erase(rig, 0, rig_now() + SEC(3600), 10), 0); /* they can still be paid */
    rig_forward(SEC(10800));
    rig_count(rig, "UPDATE attempts SET lease_until = " IN_TWO_DAYS " RETURNING 1");
    assert_int_equal(erase(rig, 0, rig_now(), 10), 1);
    assert_int_equal(
        rig_count(rig, "SELECT count(*) FROM orders WHERE erased = 1 AND state = 'NEW'"), 1);
    rig_count(rig, "UPDATE attempts SET lease_until = 0 RETURNING 1");
    assert_int_equal(erase(rig, 0, rig_now(), 10), 1);
    assert_int_equal(erase(rig, 0, rig_now(), 10), 0);
    snap = rig_read(rig, "A1");
    assert_true(snap->order->erased);
    assert_null(snap->order->openid);
    assert_null(snap->attempts[0]->params);
    assert_int_equal(snap->order->state, WXPAY_ORDER_PENDING);
    rig_says(rig, RIG_OK, "NOTPAY"); /* and where the site comes back, it ends after all */
    assert_int_equal(wxpay_flow_sweep(rig->flow, 5, &err), WXPAY_OK);
    for (int i = 0; i < 500 && rig_read(rig, "A1")->order->state != WXPAY_ORDER_CLOSED; ++i) {
        usleep(5000);
    }
    assert_int_equal(rig_read(rig, "A1")->order->state, WXPAY_ORDER_CLOSED);
}

static void duplicates_are_still_duplicates(void **state)
{
    rig_t *rig = *state;

    submit(rig, "A1");
    assert_int_equal(pay(rig, "A1", TXN), WXPAY_VERDICT_PAID);
    erase_all(rig);
    assert_int_equal(pay(rig, "A1", TXN), WXPAY_VERDICT_DUPLICATE);
    assert_int_equal(pay(rig, "A1", OTHER_TXN), WXPAY_VERDICT_OVERPAID);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE type = 'order.paid'"), 1);
}

static void the_same_order_again(void **state)
{
    rig_t *rig = *state;
    wxpay_error_t err;
    int created;

    submit(rig, "A1");
    assert_int_equal(pay(rig, "A1", TXN), WXPAY_VERDICT_PAID);
    erase_all(rig);
    assert_int_equal(submit_rich(rig, "A1", "Tea", &created, &err), WXPAY_OK);
    assert_false(created);
    assert_int_equal(rig_read(rig, "A1")->count, 1);
    assert_int_equal(submit_rich(rig, "A1", "Coffee", &created, &err), WXPAY_ECONFLICT);
    assert_string_equal(err.field, "body");
    assert_int_equal(rig->orders, 1);
}

static void closed(rig_t *rig, const char *number)
{
    wxpay_snapshot_t *snap;
    wxpay_error_t err;

    submit(rig, number);
    assert_int_equal(rig_close(rig, number, &snap, &err), WXPAY_OK);
    assert_int_equal(snap->order->state, WXPAY_ORDER_CLOSED);
    erase_all(rig);
    assert_true(rig_read(rig, number)->order->erased);
}

static void money_that_comes_after_that(void **state)
{
    rig_t *rig = *state;
    const wxpay_order_t *o;

    closed(rig, "A1");
    assert_int_equal(pay(rig, "A1", OTHER_TXN), WXPAY_VERDICT_PAID);
    o = rig_read(rig, "A1")->order;
    assert_int_equal(o->state, WXPAY_ORDER_PAID);
    assert_true(o->late);
    assert_false(o->attach_differs); /* what was erased cannot differ */
    assert_null(o->payer_openid);    /* and who paid is not written down again */
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE type = 'order.paid' "
                                    "AND body IS NOT NULL AND body NOT LIKE '%oUpF8u%'"),
                     1);
    erase_all(rig);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM notices WHERE body IS NOT NULL"), 0);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE body IS NOT NULL"), 0);
}

static void the_query_after_closing_as_well(void **state)
{
    rig_t *rig = *state;
    wxpay_error_t err;

    closed(rig, "A1");
    rig_says(rig, RIG_OK, "SUCCESS");
    rig_forward(SEC(601));
    assert_int_equal(wxpay_flow_sweep(rig->flow, 5, &err), WXPAY_OK);
    for (int i = 0; i < 500 && rig_read(rig, "A1")->order->state != WXPAY_ORDER_PAID; ++i) {
        usleep(5000);
    }
    assert_int_equal(rig_read(rig, "A1")->order->state, WXPAY_ORDER_PAID);
    assert_true(rig_read(rig, "A1")->order->late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(who_paid_is_erased_and_the_books_stay),
        T(only_what_is_old_and_over),
        T(in_small_commits),
        T(what_waits_to_be_sent_keeps_its_body),
        T(what_nobody_is_told_any_more_is_parked),
        T(what_is_taken_up_meanwhile_is_left),
        T(orders_that_never_end),
        T(duplicates_are_still_duplicates),
        T(the_same_order_again),
        T(money_that_comes_after_that),
        T(the_query_after_closing_as_well),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
