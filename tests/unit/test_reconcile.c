/* What goes on although nobody asks: scheduled queries, orders whose time is over, work that a
 * killed process left; and a buyer's word. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "flow_int.h"
#include "flow_rig.h"

#define SEC(n) apr_time_from_sec(n)
#define DAY SEC(86400)
#define TTL SEC(7200)

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

static wxpay_order_t *submit(rig_t *rig, const char *number, int open)
{
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int created;

    wxpay_error_clear(&err);
    rig_submit(rig, number, 100, open, &snap, &created, &err);
    assert_non_null(snap);
    return snap->order;
}

static int under_way(rig_t *rig)
{
    int count = 0;
    int i;

    pthread_mutex_lock(&rig->flow->lock);
    for (i = 0; i < WXPAY_SWEPT; ++i) {
        count += rig->flow->swept[i][0] != '\0';
    }
    pthread_mutex_unlock(&rig->flow->lock);
    return count;
}

static void begin_sweep(rig_t *rig, int budget)
{
    wxpay_error_t err;

    assert_int_equal(wxpay_flow_sweep(rig->flow, budget, &err), WXPAY_OK);
}

static void end_sweep(rig_t *rig)
{
    int i;

    for (i = 0; i < 1000 && under_way(rig); ++i) {
        usleep(5000);
    }
    assert_int_equal(under_way(rig), 0);
}

static void sweep(rig_t *rig)
{
    begin_sweep(rig, 10);
    end_sweep(rig);
}

static void wait_for(atomic_int *calls, int count)
{
    int i;

    for (i = 0; i < 400 && *calls < count; ++i) {
        usleep(5000);
    }
    assert_int_equal(*calls, count);
}

static wxpay_attempt_t *attempt(rig_t *rig, const char *number)
{
    return rig_read(rig, number)->attempts[0];
}

static wxpay_order_state_e order_state(rig_t *rig, const char *number)
{
    return rig_read(rig, number)->order->state;
}

static long events(rig_t *rig, const char *type)
{
    return rig_count(
        rig, apr_psprintf(rig->pool, "SELECT count(*) FROM events WHERE type = '%s'", type));
}

static apr_uint64_t jobs(rig_t *rig)
{
    wxpay_store_stats_t stats;

    wxpay_store_stats(rig->store, &stats);
    return stats.jobs;
}

/* ---- the schedule ---- */

static void each_query_of_the_schedule_finds_the_payment(void **state)
{
    static const int dates[] = {15, 60, 180, 600, 1800};
    rig_t *rig = *state;
    int paid;
    int i;

    for (paid = 0; paid < 5; ++paid) {
        const char *number = apr_psprintf(rig->pool, "A%d", paid);
        int seen = rig->queries;
        int at = 0;

        rig_says(rig, RIG_OK, "NOTPAY");
        submit(rig, number, 1);
        for (i = 0; i <= paid; ++i) {
            rig_forward(SEC(dates[i] - 1 - at));
            at = dates[i] - 1;
            sweep(rig);
            assert_int_equal(rig->queries, seen + i);
            if (i == paid) {
                rig_says(rig, RIG_OK, "SUCCESS");
            }
            rig_forward(SEC(1));
            at = dates[i];
            sweep(rig);
            assert_int_equal(rig->queries, seen + i + 1);
        }
        assert_int_equal(order_state(rig, number), WXPAY_ORDER_PAID);
        assert_false(rig_read(rig, number)->order->late);
        assert_int_equal(events(rig, "order.paid"), paid + 1);
        assert_int_equal(rig_count(rig, "SELECT count FROM notices WHERE verdict = 'reconciled'"),
                         paid + 1); /* the rig pays all of them with the same transaction */
    }
    assert_int_equal(rig->closes, 0);
}

/* Nothing due: one look, and no commit. */
static void paid_ones_are_left_alone(void **state)
{
    rig_t *rig = *state;
    apr_uint64_t before;
    int success;
    int i;

    submit(rig, "A1", 1);
    rig_notify(rig, rig_notice(rig, "A1", "4200000000202611240000000009", 100), &success);
    before = jobs(rig);
    for (i = 0; i < 5; ++i) {
        rig_forward(DAY);
        sweep(rig);
    }
    assert_int_equal(jobs(rig), before);
    assert_int_equal(rig->queries, 0);
}

static void a_manual_refresh_counts(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;

    submit(rig, "A1", 1);
    rig_forward(SEC(12));
    assert_int_equal(rig_query(rig, "A1", &snap, &err), WXPAY_OK);
    rig_forward(SEC(4));
    sweep(rig);
    assert_int_equal(rig->queries, 1);
    rig_forward(SEC(45));
    sweep(rig);
    assert_int_equal(rig->queries, 2);
}

static void under_way_is_not_asked_again(void **state)
{
    rig_t *rig = *state;
    int i;

    submit(rig, "A1", 1);
    rig_says(rig, RIG_SILENT, "SUCCESS");
    rig_forward(SEC(15));
    for (i = 0; i < 5; ++i) {
        begin_sweep(rig, 10);
    }
    wait_for(&rig->queries, 1);
    begin_sweep(rig, 10);
    assert_int_equal(under_way(rig), 1);
    rig_flush(rig);
    end_sweep(rig);
    assert_int_equal(rig->queries, 1);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_PAID);
}

static void an_unanswered_query_is_repeated(void **state)
{
    rig_t *rig = *state;

    submit(rig, "A1", 1);
    rig_says(rig, RIG_LOST, NULL);
    rig_forward(SEC(15));
    sweep(rig);
    sweep(rig); /* not yet */
    assert_int_equal(rig->queries, 1);
    rig_says(rig, RIG_OK, "SUCCESS");
    rig_forward(SEC(2));
    sweep(rig);
    assert_int_equal(rig->queries, 2);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_PAID);
}

/* The process that sent the order died before the answer: ask, and only then repeat. */
static void a_killed_process_with_the_order(void **state)
{
    rig_t *rig = *state;
    wxpay_identity_t native = {WXPAY_TRADE_NATIVE, NULL, NULL};
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    apr_uint64_t before;

    submit(rig, "A1", 0);
    rig->order = RIG_SILENT;
    wxpay_flow_open(rig->flow, &rig->account, "A1", &native, 0, rig->pool, &snap, &err);
    wait_for(&rig->orders, 1);
    rig->order = RIG_OK;
    rig_forward(SEC(16));
    before = jobs(rig);
    sweep(rig); /* its lease holds */
    assert_int_equal(jobs(rig), before);
    assert_int_equal(rig->queries, 0);
    rig_forward(SEC(14));
    rig_says(rig, RIG_REFUSE, NULL);
    rig->err_code = "ORDERNOTEXIST";
    sweep(rig);
    assert_int_equal(rig->queries, 1);
    assert_int_equal(rig->orders, 2);
    assert_int_equal(attempt(rig, "A1")->state, WXPAY_ATTEMPT_OPEN);
    assert_string_equal(attempt(rig, "A1")->code_url, "weixin://wxpay/bizpayurl?pr=2");
}

/* A process with the query of A1 under way: its lease stays. */
static void killed_while_it_asks(rig_t *rig)
{
    wxpay_snapshot_t *snap;
    wxpay_error_t err;

    submit(rig, "A1", 1);
    rig_says(rig, RIG_SILENT, NULL);
    wxpay_flow_query(rig->flow, &rig->account, "A1", 0, rig->pool, &snap, &err);
    wait_for(&rig->queries, 1);
}

static void a_killed_process_with_the_query(void **state)
{
    rig_t *rig = *state;

    killed_while_it_asks(rig);
    rig_says(rig, RIG_OK, "SUCCESS");
    rig_forward(SEC(16));
    sweep(rig);
    assert_int_equal(rig->queries, 1);
    rig_forward(SEC(14));
    sweep(rig);
    assert_int_equal(rig->queries, 2);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_PAID);
}

static void leased_until(rig_t *rig, apr_time_t until)
{
    rig_count(rig, apr_psprintf(rig->pool,
                                "UPDATE attempts SET lease_until = %" APR_TIME_T_FMT " RETURNING 1",
                                until));
}

/* Its clock ran ahead and is right now. */
static void a_killed_process_of_tomorrow(void **state)
{
    rig_t *rig = *state;

    killed_while_it_asks(rig);
    rig_says(rig, RIG_OK, "NOTPAY");
    leased_until(rig, rig_now() + WXPAY_LEASE_MAX - SEC(10));
    sweep(rig);
    assert_int_equal(rig->queries, 1);
    leased_until(rig, rig_now() + WXPAY_LEASE_MAX + SEC(60));
    sweep(rig); /* what was left undone */
    assert_int_equal(rig->queries, 2);
    assert_int_equal(attempt(rig, "A1")->todo, WXPAY_TODO_NONE);
    assert_int_equal(attempt(rig, "A1")->lease_until, 0);
    rig_count(rig, "UPDATE attempts SET lease_owner = 'dead' RETURNING 1");
    rig_forward(SEC(600));
    leased_until(rig, rig_now() + WXPAY_LEASE_MAX - SEC(10));
    sweep(rig);
    assert_int_equal(rig->queries, 2);
    leased_until(rig, rig_now() + DAY);
    sweep(rig); /* and what the schedule wants */
    assert_int_equal(rig->queries, 3);
}

/* ---- budget, and who speaks for whom ---- */

static void the_longest_due_first_within_the_budget(void **state)
{
    rig_t *rig = *state;
    int i;

    for (i = 0; i < 5; ++i) {
        submit(rig, apr_psprintf(rig->pool, "A%d", i), 1);
        rig_forward(SEC(1));
    }
    rig_says(rig, RIG_SILENT, NULL);
    rig_forward(SEC(20));
    begin_sweep(rig, 2);
    wait_for(&rig->queries, 2);
    assert_true(attempt(rig, "A0")->asked_at && attempt(rig, "A1")->asked_at);
    begin_sweep(rig, 2); /* the gateway takes its time: no more at once */
    assert_int_equal(under_way(rig), 2);
    begin_sweep(rig, 3);
    wait_for(&rig->queries, 3);
    rig_says(rig, RIG_OK, NULL);
    rig_flush(rig);
    end_sweep(rig);
    sweep(rig);
    assert_int_equal(rig->queries, 5);
    sweep(rig);
    assert_int_equal(rig->queries, 5);
}

static void nobody_speaks_for_the_site(void **state)
{
    rig_t *rig = *state;
    apr_uint64_t before;
    int i;

    submit(rig, "A1", 1);
    submit(rig, "N1", 0);
    rig->homeless = 1;
    rig_forward(TTL + SEC(1));
    sweep(rig);
    before = jobs(rig);
    for (i = 0; i < 1000 && attempt(rig, "A1")->ask_at < rig_now(); ++i) {
        usleep(2000); /* put off by the writer */
    }
    assert_true(attempt(rig, "A1")->ask_at > rig_now());
    assert_int_equal(rig->warnings, 1);
    sweep(rig);
    rig_forward(SEC(3500));
    sweep(rig);
    assert_in_range(jobs(rig) - before, 0, 1);
    assert_int_equal(rig->queries, 0);
    rig->homeless = 0;
    rig_forward(SEC(110));
    sweep(rig);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_CLOSED);
    assert_int_equal(order_state(rig, "N1"), WXPAY_ORDER_EXPIRED);
    assert_int_equal(rig->warnings, 1);
}

/* The account that speaks for it now has another site's name. */
static void of_whatever_site(void **state)
{
    rig_t *rig = *state;

    submit(rig, "A1", 1);
    rig->account.site = "https://new.example";
    rig_says(rig, RIG_OK, "SUCCESS");
    rig_forward(SEC(15));
    sweep(rig);
    rig->account.site = "https://shop.example";
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_PAID);
}

static void *sweep_ten_times(void *arg)
{
    rig_t *rig = arg;
    int i;

    for (i = 0; i < 10; ++i) {
        begin_sweep(rig, 32);
    }
    return NULL;
}

static void many_callers_at_once(void **state)
{
    rig_t *rig = *state;
    pthread_t threads[4];
    int i;

    for (i = 0; i < 12; ++i) {
        submit(rig, apr_psprintf(rig->pool, "A%d", i), 1);
    }
    rig->delay_ms = 20;
    rig_forward(SEC(20));
    for (i = 0; i < 4; ++i) {
        assert_int_equal(pthread_create(&threads[i], NULL, sweep_ten_times, rig), 0);
    }
    for (i = 0; i < 4; ++i) {
        pthread_join(threads[i], NULL);
    }
    end_sweep(rig);
    sweep(rig);
    assert_int_equal(rig->queries, 12);
}

/* Another process: it knows nothing of our places, only of the leases. */
static void another_process_sweeps_too(void **state)
{
    rig_t *rig = *state;
    wxpay_flow_options_t options;
    wxpay_flow_t *other;
    wxpay_error_t err;

    memset(&options, 0, sizeof(options));
    options.store = rig->store;
    options.api = rig->flow->api;
    options.sites = rig->flow->sites;
    options.now = rig_now;
    assert_int_equal(wxpay_flow_create(rig->pool, &options, &other, &err), WXPAY_OK);
    submit(rig, "A1", 1);
    rig_forward(SEC(15));
    rig_says(rig, RIG_SILENT, "SUCCESS");
    begin_sweep(rig, 10);
    assert_int_equal(wxpay_flow_sweep(other, 10, &err), WXPAY_OK);
    wait_for(&rig->queries, 1);
    assert_int_equal(wxpay_flow_sweep(other, 10, &err), WXPAY_OK);
    rig_flush(rig);
    end_sweep(rig);
    usleep(50000); /* the other's runs end as well */
    assert_int_equal(rig->queries, 1);
    assert_int_equal(events(rig, "order.paid"), 1);
}

/* ---- the end of an order's time ---- */

static void queried_then_closed(void **state)
{
    rig_t *rig = *state;

    submit(rig, "A1", 1);
    rig_forward(SEC(1800));
    sweep(rig);
    rig_forward(TTL - SEC(1800) - SEC(2));
    sweep(rig);
    assert_int_equal(rig->queries, 1);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_PENDING);
    rig_forward(SEC(2));
    sweep(rig);
    assert_int_equal(rig->queries, 2);
    assert_int_equal(rig->closes, 1);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_CLOSED);
    assert_int_equal(attempt(rig, "A1")->state, WXPAY_ATTEMPT_CLOSED);
    assert_int_equal(events(rig, "order.closed"), 1);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE body LIKE "
                                    "'%\"state\":\"CLOSED\"%\"flags\":[]%'"),
                     1);
    sweep(rig);
    assert_int_equal(rig->queries + rig->closes, 3);
}

static void found_paid_at_the_end(void **state)
{
    rig_t *rig = *state;
    apr_uint64_t before;

    submit(rig, "A1", 1);
    rig_says(rig, RIG_OK, "SUCCESS");
    rig_forward(TTL);
    before = jobs(rig);
    sweep(rig); /* a date of the schedule and its time: one run */
    assert_int_equal(jobs(rig), before + 2);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_PAID);
    assert_int_equal(rig->closes, 0);
    assert_int_equal(events(rig, "order.closed"), 0);
}

static void never_sent_it_expires(void **state)
{
    rig_t *rig = *state;

    submit(rig, "A1", 0);
    rig_forward(TTL - SEC(2));
    sweep(rig);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_NEW);
    rig_forward(SEC(2));
    sweep(rig);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_EXPIRED);
    assert_int_equal(events(rig, "order.closed"), 1);
    assert_int_equal(rig_count(rig, "SELECT count(*) FROM events WHERE body LIKE "
                                    "'%\"state\":\"EXPIRED\"%'"),
                     1);
    assert_int_equal(rig->orders + rig->queries + rig->closes, 0);
}

static void refused_ones_are_closed_at_the_end(void **state)
{
    rig_t *rig = *state;

    rig->order = RIG_REFUSE;
    rig->err_code = "NOAUTH";
    submit(rig, "A1", 1);
    assert_int_equal(attempt(rig, "A1")->state, WXPAY_ATTEMPT_FAILED);
    rig_forward(TTL);
    sweep(rig);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_CLOSED);
    assert_int_equal(rig->queries + rig->closes, 0);
    assert_int_equal(events(rig, "order.closed"), 1);
}

/* The buyer's tap and our closeorder meet at the gateway. */
static void paid_in_the_moment_of_closing(void **state)
{
    rig_t *rig = *state;

    submit(rig, "A1", 1);
    rig_forward(TTL);
    rig->delay_ms = 200;
    rig->close = RIG_REFUSE;
    rig->err_code = "ORDERPAID";
    begin_sweep(rig, 10);
    wait_for(&rig->closes, 1);
    rig_says(rig, RIG_OK, "SUCCESS"); /* before that refusal is out */
    end_sweep(rig);
    assert_int_equal(rig->queries, 2);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_PAID);
    assert_false(rig_read(rig, "A1")->order->late);
    assert_int_equal(events(rig, "order.paid"), 1);
    assert_int_equal(events(rig, "order.closed"), 0);
}

static void paid_though_it_was_closed(void **state)
{
    static const int dates[] = {600, 86400};
    rig_t *rig = *state;
    int seen;
    int i;

    for (i = 0; i < 2; ++i) {
        const char *number = i ? "B1" : "A1";

        rig_says(rig, RIG_OK, "NOTPAY");
        submit(rig, number, 1);
        rig_forward(TTL);
        sweep(rig);
        assert_int_equal(order_state(rig, number), WXPAY_ORDER_CLOSED);
        rig_says(rig, RIG_OK, "CLOSED");
        if (i) {
            rig_forward(SEC(dates[0] + 1));
            sweep(rig);
        }
        seen = rig->queries;
        rig_forward(SEC(dates[i] - dates[0] * i - 3));
        sweep(rig);
        assert_int_equal(rig->queries, seen);
        rig_says(rig, RIG_OK, "SUCCESS");
        rig_forward(SEC(4));
        sweep(rig);
        assert_int_equal(rig->queries, seen + 1);
        assert_int_equal(order_state(rig, number), WXPAY_ORDER_PAID);
        assert_true(rig_read(rig, number)->order->late);
        assert_int_equal(events(rig, "order.paid"), i + 1);
    }
}

static void closed_ones_are_forgotten_after_a_day(void **state)
{
    rig_t *rig = *state;
    apr_uint64_t before;
    int i;

    submit(rig, "A1", 1);
    rig_forward(TTL);
    sweep(rig);
    for (i = 0; i < 150; ++i) {
        rig_forward(SEC(600));
        sweep(rig);
    }
    assert_int_equal(rig->queries, 3);
    before = jobs(rig);
    rig_forward(DAY);
    sweep(rig);
    assert_int_equal(jobs(rig), before);
    assert_int_equal(events(rig, "order.closed"), 1);
}

static void closing_refused_as_too_early(void **state)
{
    rig_t *rig = *state;
    apr_uint64_t before;
    int i;

    submit(rig, "A1", 1);
    rig_forward(TTL);
    rig->close = RIG_REFUSE;
    rig->err_code = "TRADE_STATE_ERROR";
    sweep(rig);
    assert_int_equal(rig->closes, 1);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_PENDING);
    before = jobs(rig);
    for (i = 0; i < 3; ++i) {
        rig_forward(SEC(5));
        sweep(rig); /* it is not hammered */
    }
    assert_int_equal(jobs(rig), before);
    assert_int_equal(rig->closes, 1);
    rig->close = RIG_OK;
    rig_forward(SEC(30));
    sweep(rig);
    assert_int_equal(rig->closes, 2);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_CLOSED);
    assert_int_equal(events(rig, "order.closed"), 1);
}

/* What the site asked to close and the gateway refused goes on without anybody's request. */
static void a_wanted_closing_goes_on(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;

    submit(rig, "A1", 1);
    rig->close = RIG_REFUSE;
    rig->err_code = "TRADE_STATE_ERROR";
    rig_close(rig, "A1", &snap, &err);
    rig->close = RIG_OK;
    rig_forward(SEC(300));
    sweep(rig);
    assert_int_equal(rig->closes, 1);
    rig_forward(SEC(11));
    sweep(rig);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_CLOSED);
    assert_int_equal(events(rig, "order.closed"), 1);
}

static void unknown_at_the_gateway(void **state)
{
    rig_t *rig = *state;

    rig->order = RIG_LOST;
    submit(rig, "A1", 1);
    rig_says(rig, RIG_REFUSE, NULL);
    rig->err_code = "ORDERNOTEXIST";
    rig_forward(SEC(15));
    sweep(rig); /* not final while it may still be on its way: sent again, lost again */
    assert_int_equal(rig->orders, 2);
    assert_int_equal(attempt(rig, "A1")->state, WXPAY_ATTEMPT_SENT);
    rig_forward(TTL);
    sweep(rig);
    assert_int_equal(rig->orders, 2);
    assert_int_equal(rig->closes, 0);
    assert_int_equal(attempt(rig, "A1")->state, WXPAY_ATTEMPT_CLOSED);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_CLOSED);
}

static void set_aside_is_left_to_a_person(void **state)
{
    rig_t *rig = *state;
    apr_uint64_t before;
    int seen;
    int i;

    submit(rig, "A1", 1);
    rig_says(rig, RIG_OK, "SUCCESS");
    rig->paid_fee = 99;
    rig_forward(SEC(15));
    sweep(rig);
    assert_true(rig_read(rig, "A1")->order->quarantined);
    rig_forward(TTL);
    sweep(rig);
    seen = rig->queries;
    before = jobs(rig);
    for (i = 0; i < 5; ++i) {
        rig_forward(DAY);
        sweep(rig);
    }
    assert_int_equal(jobs(rig), before);
    assert_int_equal(rig->queries, seen);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_PENDING);
    assert_int_equal(events(rig, "order.closed"), 0);
    assert_int_equal(events(rig, "order.quarantined"), 1);
}

/* A device that waits for the gateway's five minutes, when the order's time ends. */
static void blocked_device_at_the_end(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;
    wxpay_error_t err;

    submit(rig, "A1", 1);
    rig_forward(TTL - SEC(60));
    rig->close = RIG_LOST;
    rig_says(rig, RIG_LOST, NULL);
    rig_open(rig, "A1", WXPAY_TRADE_JSAPI, "oOpenid", &snap, &err);
    assert_int_equal(snap->attempts[1]->state, WXPAY_ATTEMPT_RESERVED);
    rig->close = RIG_OK;
    rig_says(rig, RIG_OK, "NOTPAY");
    rig_forward(SEC(90));
    sweep(rig);
    snap = rig_read(rig, "A1");
    assert_int_equal(snap->order->state, WXPAY_ORDER_CLOSED);
    assert_int_equal(snap->attempts[1]->state, WXPAY_ATTEMPT_CLOSED);
    assert_int_equal(rig->orders, 1);
    assert_int_equal(events(rig, "order.closed"), 1);
}

/* No call ever reached the gateway: there is nothing to close, whatever has the number there. */
static void never_reached_the_gateway(void **state)
{
    rig_t *rig = *state;
    wxpay_snapshot_t *snap;

    rig->order = RIG_UNSENT;
    submit(rig, "A1", 1);
    rig_says(rig, RIG_OK, "NOTPAY");
    rig_forward(SEC(16));
    sweep(rig);
    assert_int_equal(rig->queries, 1); /* and then it is sent again */
    assert_int_equal(rig->orders, 2);
    rig_forward(TTL);
    sweep(rig);
    snap = rig_read(rig, "A1");
    assert_int_equal(snap->order->state, WXPAY_ORDER_CLOSED);
    assert_int_equal(snap->attempts[0]->state, WXPAY_ATTEMPT_CLOSED);
    assert_int_equal(snap->attempts[0]->ask_at, 0);
    assert_int_equal(rig->closes, 0);
    assert_int_equal(events(rig, "order.closed"), 1);
}

/* The gateway is away for hours: asked ever more seldom, and closed when it is back. */
static void gateway_away_at_the_end(void **state)
{
    rig_t *rig = *state;
    int i;

    submit(rig, "A1", 1);
    rig_forward(TTL);
    rig_says(rig, RIG_LOST, NULL);
    for (i = 0; i < 60; ++i) {
        sweep(rig);
        rig_forward(SEC(60));
    }
    assert_in_range(rig->queries, 20, 45);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_PENDING);
    rig_says(rig, RIG_OK, "NOTPAY");
    rig_forward(SEC(600));
    sweep(rig);
    assert_int_equal(order_state(rig, "A1"), WXPAY_ORDER_CLOSED);
}

/* ---- a buyer's word ---- */

static void ask(rig_t *rig, const char *number, wxpay_rc_e expected)
{
    wxpay_error_t err;

    wxpay_error_clear(&err);
    assert_int_equal(wxpay_flow_ask(rig->flow, &rig->account, number, &err), expected);
}

static void a_buyer_says_paid(void **state)
{
    rig_t *rig = *state;
    apr_uint64_t before;
    int i;

    ask(rig, "A1", WXPAY_ENOTFOUND);
    submit(rig, "A1", 0);
    ask(rig, "A1", WXPAY_OK); /* nothing is open */
    submit(rig, "A1", 1);
    ask(rig, "A1", WXPAY_OK);
    wait_for(&rig->queries, 1);
    rig_settle(rig, "A1");
    before = jobs(rig);
    for (i = 0; i < 50; ++i) {
        ask(rig, "A1", WXPAY_OK);
    }
    assert_int_equal(jobs(rig), before);
    assert_int_equal(rig->queries, 1);
    rig_says(rig, RIG_OK, "SUCCESS");
    rig_forward(SEC(5));
    ask(rig, "A1", WXPAY_OK);
    wait_for(&rig->queries, 2);
    assert_int_equal(rig_settle(rig, "A1")->order->state, WXPAY_ORDER_PAID);
    rig_forward(SEC(5));
    ask(rig, "A1", WXPAY_OK);
    rig->account.site = "https://other.example";
    ask(rig, "A1", WXPAY_ENOTFOUND);
    assert_int_equal(rig->queries, 2);
}

static void *one_asks(void *arg)
{
    ask(arg, "A1", WXPAY_OK);
    return NULL;
}

static void fifty_say_so_at_once(void **state)
{
    rig_t *rig = *state;
    pthread_t threads[50];
    int i;

    submit(rig, "A1", 1);
    rig->delay_ms = 50;
    for (i = 0; i < 50; ++i) {
        assert_int_equal(pthread_create(&threads[i], NULL, one_asks, rig), 0);
    }
    for (i = 0; i < 50; ++i) {
        pthread_join(threads[i], NULL);
    }
    wait_for(&rig->queries, 1);
    usleep(100000);
    rig_settle(rig, "A1");
    assert_int_equal(rig->queries, 1);
}

static void the_word_counts_as_asked(void **state)
{
    rig_t *rig = *state;

    submit(rig, "A1", 1);
    rig_forward(SEC(13));
    ask(rig, "A1", WXPAY_OK);
    wait_for(&rig->queries, 1);
    rig_settle(rig, "A1");
    rig_forward(SEC(3));
    sweep(rig);
    assert_int_equal(rig->queries, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(each_query_of_the_schedule_finds_the_payment),
        T(paid_ones_are_left_alone),
        T(a_manual_refresh_counts),
        T(under_way_is_not_asked_again),
        T(an_unanswered_query_is_repeated),
        T(a_killed_process_with_the_order),
        T(a_killed_process_with_the_query),
        T(a_killed_process_of_tomorrow),
        T(the_longest_due_first_within_the_budget),
        T(nobody_speaks_for_the_site),
        T(of_whatever_site),
        T(many_callers_at_once),
        T(another_process_sweeps_too),
        T(queried_then_closed),
        T(found_paid_at_the_end),
        T(never_sent_it_expires),
        T(refused_ones_are_closed_at_the_end),
        T(paid_in_the_moment_of_closing),
        T(paid_though_it_was_closed),
        T(closed_ones_are_forgotten_after_a_day),
        T(closing_refused_as_too_early),
        T(a_wanted_closing_goes_on),
        T(unknown_at_the_gateway),
        T(set_aside_is_left_to_a_person),
        T(blocked_device_at_the_end),
        T(never_reached_the_gateway),
        T(gateway_away_at_the_end),
        T(a_buyer_says_paid),
        T(fifty_say_so_at_once),
        T(the_word_counts_as_asked),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("reconcile", tests, NULL, NULL);
}
