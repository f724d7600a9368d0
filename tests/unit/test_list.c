/* test_list.c - pages of a site's orders, and that no page is found by reading all orders. */
#include "store_kit.h"

#include "store_list.h"
#include "store_rows.h"
#include "store_sql.h"

#define SITE "https://shop.example"
#define BASE APR_TIME_C(1795489200000000)

static const char *const letters[] = {"A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9"};

static wxpay_rc_e insert(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    (void)pool;
    return wxpay_row_order_insert(tx, baton, err);
}

static wxpay_rc_e insert_attempt(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    (void)pool;
    return wxpay_row_attempt_insert(tx, baton, err);
}

static void commit(kit_t *kit, wxpay_work_fn *work, void *baton)
{
    wxpay_job_t *job = wxpay_job_create();
    wxpay_error_t err;

    if (wxpay_store_commit(kit->store, job, work, baton, KIT_WAIT, &err) != WXPAY_OK) {
        fail_msg("%s", err.detail);
    }
    wxpay_job_release(job);
}

/* An order of the site that came in `second` after BASE. */
static wxpay_order_t order_of(kit_t *kit, const char *number, int second)
{
    wxpay_order_t order = {.mch_id = "m", .site = SITE, .fee_type = "CNY", .body = "Tea"};

    order.out_trade_no = number;
    order.total_fee = 100 + second;
    order.pay_id = apr_psprintf(kit->pool, "%s-%d", number, second);
    order.created_at = BASE + apr_time_from_sec(second);
    order.expires_at = order.created_at + apr_time_from_sec(7200);
    return order;
}

static void put(kit_t *kit, wxpay_order_t order)
{
    commit(kit, insert, &order);
}

/* Nine orders: A1 the oldest; A4 and A5 in the same microsecond. */
static void nine(kit_t *kit)
{
    for (int i = 0; i < 9; i++) {
        put(kit, order_of(kit, letters[i], i == 4 ? 3 : i));
    }
}

static wxpay_list_t any(int limit)
{
    wxpay_list_t wanted = {"m", SITE, "", "", 0, NULL, limit};

    return wanted;
}

static wxpay_list_page_t *list(kit_t *kit, const wxpay_list_t *wanted)
{
    wxpay_list_page_t *page = NULL;
    wxpay_error_t err;

    if (wxpay_store_list(kit->store, wanted, kit->pool, &page, &err) != WXPAY_OK) {
        fail_msg("%s", err.detail);
    }
    return page;
}

/* "A9 A8", and " +" when there is more. */
static const char *numbers(kit_t *kit, const wxpay_list_t *wanted)
{
    wxpay_list_page_t *page = list(kit, wanted);
    const char *text = "";

    for (int i = 0; i < page->count; i++) {
        text = apr_pstrcat(kit->pool, text, i ? " " : "", page->items[i].order->out_trade_no, NULL);
    }
    return page->next ? apr_pstrcat(kit->pool, text, " +", NULL) : text;
}

static void test_newest_first(void **state)
{
    wxpay_list_t wanted = any(20);

    assert_string_equal(numbers(*state, &wanted), "");
    nine(*state);
    assert_string_equal(numbers(*state, &wanted), "A9 A8 A7 A6 A5 A4 A3 A2 A1");
    wanted.limit = 9;
    assert_string_equal(numbers(*state, &wanted), "A9 A8 A7 A6 A5 A4 A3 A2 A1");
}

static void test_pages(void **state)
{
    kit_t *kit = *state;

    nine(kit);
    for (int limit = 1; limit <= 10; limit++) {
        wxpay_list_t wanted = any(limit);
        const char *all = "";

        for (int pages = 0; pages < 10; pages++) {
            wxpay_list_page_t *page = list(kit, &wanted);

            for (int i = 0; i < page->count; i++) {
                all = apr_pstrcat(kit->pool, all, page->items[i].order->out_trade_no, " ", NULL);
            }
            if (!page->next) {
                break;
            }
            assert_int_equal(page->count, limit);
            assert_int_equal(strspn(page->next, "0123456789abcdef"), strlen(page->next));
            wanted.after = page->next;
        }
        assert_string_equal(all, "A9 A8 A7 A6 A5 A4 A3 A2 A1 ");
    }
}

static void test_orders_come_in_meanwhile(void **state)
{
    kit_t *kit = *state;
    wxpay_list_t wanted = any(4);

    nine(kit);
    wanted.after = list(kit, &wanted)->next;
    put(kit, order_of(kit, "B1", 100));
    assert_string_equal(numbers(kit, &wanted), "A5 A4 A3 A2 +");
}

static void test_only_this_site(void **state)
{
    kit_t *kit = *state;
    wxpay_order_t theirs = order_of(kit, "B1", 50);
    wxpay_list_t wanted = any(20);

    theirs.site = "https://other.example";
    put(kit, theirs);
    theirs = order_of(kit, "B2", 51);
    theirs.mch_id = "n";
    put(kit, theirs);
    put(kit, order_of(kit, "A1", 1));
    assert_string_equal(numbers(kit, &wanted), "A1");
    wanted.site = "https://other.example";
    assert_string_equal(numbers(kit, &wanted), "B1");
}

static void test_since(void **state)
{
    wxpay_list_t wanted = any(20);

    nine(*state);
    wanted.since = BASE + apr_time_from_sec(6);
    assert_string_equal(numbers(*state, &wanted), "A9 A8 A7");
    wanted.since++;
    assert_string_equal(numbers(*state, &wanted), "A9 A8");
}

static void test_state(void **state)
{
    kit_t *kit = *state;
    wxpay_list_t wanted = any(2);

    for (int i = 0; i < 9; i++) {
        wxpay_order_t order = order_of(kit, letters[i], i);

        order.state = i % 2 ? WXPAY_ORDER_PAID : WXPAY_ORDER_NEW;
        put(kit, order);
    }
    wanted.state = "PAID";
    assert_string_equal(numbers(kit, &wanted), "A8 A6 +");
    wanted.after = list(kit, &wanted)->next;
    assert_string_equal(numbers(kit, &wanted), "A4 A2");
    wanted = any(20);
    wanted.state = "CLOSED";
    assert_string_equal(numbers(kit, &wanted), "");
}

static void test_flags(void **state)
{
    kit_t *kit = *state;
    wxpay_list_t wanted = any(20);
    wxpay_order_t order[5];

    for (int i = 0; i < 5; i++) {
        order[i] = order_of(kit, letters[i], i);
    }
    order[0].quarantined = 1;
    order[1].overpaid = order[1].quarantined = 1;
    order[1].state = WXPAY_ORDER_PAID;
    order[2].attach_differs = 1;
    order[3].close_wanted = 1;
    order[4].close_wanted = 1;
    order[4].state = WXPAY_ORDER_CLOSED; /* it is closed: no longer closing */
    for (int i = 0; i < 5; i++) {
        put(kit, order[i]);
    }
    put(kit, order_of(kit, "A9", 9));
    wanted.flag = "quarantined";
    assert_string_equal(numbers(kit, &wanted), "A2 A1");
    wanted.state = "PAID";
    assert_string_equal(numbers(kit, &wanted), "A2");
    wanted.state = "";
    wanted.flag = "overpaid";
    assert_string_equal(numbers(kit, &wanted), "A2");
    wanted.flag = "attach_differs";
    assert_string_equal(numbers(kit, &wanted), "A3");
    wanted.flag = "closing";
    assert_string_equal(numbers(kit, &wanted), "A4");
    assert_true(wxpay_list_is_flag("closing"));
    assert_false(wxpay_list_is_flag("late") || wxpay_list_is_flag(""));
}

static void test_attempts_come_along(void **state)
{
    kit_t *kit = *state;
    wxpay_attempt_t attempt = {.mch_id = "m", .out_trade_no = "A2", .appid = "wx", .n = 1};
    wxpay_list_t wanted = any(20);
    wxpay_list_page_t *page;

    nine(kit);
    attempt.gateway_no = "A2";
    attempt.client_ip = "127.0.0.1";
    commit(kit, insert_attempt, &attempt);
    attempt.n = 2;
    attempt.gateway_no = "A2*2";
    commit(kit, insert_attempt, &attempt);
    page = list(kit, &wanted);
    assert_int_equal(page->items[7].count, 2);
    assert_string_equal(page->items[7].attempts[1]->gateway_no, "A2*2");
    assert_int_equal(page->items[8].count, 0);
}

static void test_refusals(void **state)
{
    kit_t *kit = *state;
    static const char *const cursors[] = {
        "",
        "x",
        "0",
        "0006610eb7e1c000",
        "0006610eb7e1c0004",
        "0006610eb7e1c000zz",
        "0006610EB7E1C00041",
        "ffffffffffffffff41",
        "-006610eb7e1c00041",
        "0006610eb7e1c000414141414141414141414141414141414141414141414141414141414141414141"};
    wxpay_list_page_t *page;
    wxpay_error_t err;
    wxpay_list_t wanted = any(20);

    for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
        wanted.after = cursors[i];
        if (wxpay_store_list(kit->store, &wanted, kit->pool, &page, &err) != WXPAY_EINPUT) {
            fail_msg("%s is taken", cursors[i]);
        }
        assert_string_equal(err.field, "after");
    }
    wanted.after = "0006610eb7e1c00041"; /* of no order, but it could be one's */
    assert_int_equal(list(kit, &wanted)->count, 0);
    wanted = any(0);
    assert_int_equal(wxpay_store_list(kit->store, &wanted, kit->pool, &page, &err), WXPAY_EINPUT);
    wanted = any(101);
    assert_int_equal(wxpay_store_list(kit->store, &wanted, kit->pool, &page, &err), WXPAY_EINPUT);
}

/* ---- how SQLite finds them ---- */

static const char *plan_of(kit_t *kit, const char *sql)
{
    sqlite3 *db = kit_shell(kit, "SELECT 1");
    const char *plan = "";
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_prepare_v2(db,
                                        apr_pstrcat(kit->pool, "EXPLAIN QUERY PLAN ", sql, NULL),
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        plan = apr_pstrcat(kit->pool, plan, sqlite3_column_text(stmt, 3), "; ", NULL);
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return plan;
}

/* Found by this index, in its order: no order is read that is not shown, none is sorted. */
static void finds_by(kit_t *kit, const char *sql, const char *index)
{
    const char *plan = plan_of(kit, sql);

    if (!strstr(plan, apr_pstrcat(kit->pool, "SEARCH orders USING INDEX ", index, " (", NULL)) ||
        !strstr(plan, "created_at<?") || strstr(plan, "TEMP B-TREE")) {
        fail_msg("%s", plan);
    }
}

static void test_indexes(void **state)
{
    kit_t *kit = *state;

    put(kit, order_of(kit, "A1", 1)); /* makes the tables */
    finds_by(kit, wxpay_sql_list, "orders_by_site");
    finds_by(kit, wxpay_sql_list_state, "orders_by_state");
    finds_by(kit, wxpay_sql_list_flagged, "orders_flagged");
    assert_non_null(
        strstr(plan_of(kit, wxpay_sql_attempts), "SEARCH attempts USING INDEX attempts_by_order"));
    /* Retention looks every minute. */
    assert_non_null(
        strstr(plan_of(kit, wxpay_sql_erasable_waiting), "SCAN e USING INDEX events_pending"));
    assert_non_null(strstr(plan_of(kit, wxpay_sql_erasable_open_orders),
                           "SEARCH orders USING INDEX orders_by_state (site=? AND state=? AND "
                           "created_at<?)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_newest_first, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_pages, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_orders_come_in_meanwhile, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_only_this_site, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_since, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_state, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_flags, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_attempts_come_along, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_indexes, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
