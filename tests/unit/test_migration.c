/* A database of an older version, with rows in it, becomes one of today. */
#include "store_kit.h"

#include "store_rows.h"
#include "store_schema.h"

static void run(sqlite3 *db, const char *sql)
{
    char *said = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK) {
        fail_msg("%s: %s", said, sql);
    }
}

static sqlite3 *version_1(kit_t *kit)
{
    const char *const *sql = wxpay_schema_step(0);
    sqlite3 *db;

    assert_int_equal(sqlite3_open(kit->path, &db), SQLITE_OK);
    for (; *sql; ++sql) {
        run(db, *sql);
    }
    return db;
}

static void add_order(sqlite3 *db, const char *number, const char *state, apr_time_t created)
{
    char *sql = sqlite3_mprintf(
        "INSERT INTO orders (mch_id, site, out_trade_no, total_fee, fee_type, body, openid, pay_id,"
        " state, rev, created_at, expires_at) VALUES ('m', 's', %Q, 100, 'CNY', 'Tea', 'o', %Q, %Q,"
        " 3, %lld, %lld)",
        number, number, state, created, created + 7200000000);

    run(db, sql);
    sqlite3_free(sql);
}

static void add_attempt(sqlite3 *db, const char *number, const char *state, apr_time_t sent)
{
    char *sql = sqlite3_mprintf(
        "INSERT INTO attempts (mch_id, gateway_no, out_trade_no, n, state, created_at, sent_at, "
        "tries, err_detail) VALUES ('m', %Q, %Q, 1, %Q, %lld, %lld, 2, 'e')",
        number, number, state, sent, sent);

    run(db, sql);
    sqlite3_free(sql);
}

typedef struct found_t {
    const char *number;
    wxpay_order_t *order;
    wxpay_attempt_t *attempt;
} found_t;

static wxpay_rc_e read_both(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    found_t *found = baton;
    wxpay_rc_e rc = wxpay_row_order_get(tx, "m", found->number, pool, &found->order, err);

    return rc == WXPAY_OK
               ? wxpay_row_attempt_get(tx, "m", found->number, pool, &found->attempt, err)
               : rc;
}

static found_t find(kit_t *kit, const char *number)
{
    found_t found = {number, NULL, NULL};
    wxpay_error_t err;

    assert_int_equal(wxpay_store_read(kit->store, read_both, &found, kit->pool, &err), WXPAY_OK);
    return found;
}

static wxpay_rc_e change(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    found_t *found = baton;
    wxpay_rc_e rc = read_both(tx, found, pool, err);

    if (rc == WXPAY_OK) {
        found->attempt->asked_at = 77;
        rc = wxpay_row_attempt_update(tx, found->attempt, found->attempt->state, err);
    }
    if (rc == WXPAY_OK) {
        found->order->sweep_at = 0;
        rc = wxpay_row_order_update(tx, found->order, found->order->state, err);
    }
    return rc;
}

static void rows_of_version_1(void **state)
{
    kit_t *kit = *state;
    apr_time_t now = apr_time_now();
    sqlite3 *db = version_1(kit);
    wxpay_job_t *job = wxpay_job_create();
    wxpay_error_t err;
    found_t found;

    add_order(db, "NEW", "NEW", now);
    add_attempt(db, "NEW", "FAILED", now);
    add_order(db, "OPEN", "PENDING", now - 1000000);
    add_attempt(db, "OPEN", "OPEN", now - 900000);
    add_order(db, "PAID", "PAID", now);
    add_attempt(db, "PAID", "PAID", now);
    add_order(db, "LATELY", "CLOSED", now - 3600000000);
    add_attempt(db, "LATELY", "CLOSED", now - 3600000000);
    add_order(db, "LONG AGO", "CLOSED", now - 90000000000);
    add_attempt(db, "LONG AGO", "CLOSED", now - 90000000000);
    kit_shell_end(db, "INSERT INTO notices (mch_id, ref, verdict, first_at, last_at, body) "
                      "VALUES ('m', 't', 'paid', 0, 0, '<xml/>')");
    assert_int_equal(kit_rows(kit), 1);
    assert_int_equal(kit_said(kit, WXPAY_LOG_NOTICE, "schema version 3 (was 1)"), 1);

    found = find(kit, "NEW");
    assert_int_equal(found.order->sweep_at, now + 7200000000);
    assert_int_equal(found.order->total_fee, 100);
    assert_string_equal(found.order->openid, "o");
    assert_int_equal(found.order->rev, 3);
    assert_false(found.order->erased);
    assert_int_equal(found.attempt->ask_at, 0);
    assert_string_equal(found.attempt->err_detail, "e");
    found = find(kit, "OPEN");
    assert_int_equal(found.order->sweep_at, found.order->expires_at);
    assert_int_equal(found.attempt->ask_at, now - 900000 + 15000000);
    assert_int_equal(found.attempt->asked_at, 0);
    assert_int_equal(found.attempt->tries, 2);
    found = find(kit, "PAID");
    assert_int_equal(found.order->sweep_at, 0);
    assert_int_equal(found.attempt->ask_at, 0);
    found = find(kit, "LATELY");
    assert_int_equal(found.attempt->ask_at, now - 3000000000);
    assert_int_equal(found.attempt->closed_at, now - 3600000000);
    assert_int_equal(find(kit, "LONG AGO").attempt->ask_at, 0);

    found.number = "OPEN";
    assert_int_equal(wxpay_store_commit(kit->store, job, change, &found, KIT_WAIT, &err), WXPAY_OK);
    wxpay_job_release(job);
    found = find(kit, "OPEN");
    assert_int_equal(found.attempt->asked_at, 77);
    assert_int_equal(found.order->sweep_at, 0);
    kit_stop(kit);
    kit_open(kit);
    assert_int_equal(kit_rows(kit), 1);
    assert_int_equal(kit_said(kit, WXPAY_LOG_NOTICE, "schema version"), 1); /* once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
        T(rows_of_version_1),
    };

    return cmocka_run_group_tests_name("migration", tests, NULL, NULL);
}
