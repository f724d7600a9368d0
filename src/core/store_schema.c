/* store_schema.c - the tables. All times are microseconds since 1970 UTC, amounts fen, flags 0 or
 * 1; states and types stand by name, so that a person with a SQL shell can read them. */
#include "store_schema.h"

#include <stddef.h>

static const char *const from_nothing[] = {
    "CREATE TABLE wxpay_meta ("
    " name TEXT NOT NULL PRIMARY KEY,"
    " value TEXT NOT NULL)",

    /* One row per order of a site; columns are the members of wxpay_order_t, in its order. */
    "CREATE TABLE orders ("
    " mch_id TEXT NOT NULL,"
    " sub_mch_id TEXT,"
    " site TEXT NOT NULL,"
    " out_trade_no TEXT NOT NULL,"
    " total_fee BIGINT NOT NULL,"
    " fee_type TEXT,"
    " body TEXT,"
    " attach TEXT,"
    " detail TEXT,"
    " product_id TEXT,"
    " goods_tag TEXT,"
    " limit_pay TEXT,"
    " scene_info TEXT,"
    " profit_sharing TEXT,"
    " receipt TEXT,"
    " openid TEXT,"
    " spbill_create_ip TEXT,"
    " return_url TEXT,"
    " time_expire TEXT,"
    " trade_type TEXT,"
    " pay_id TEXT NOT NULL,"
    " state TEXT NOT NULL,"
    " rev BIGINT NOT NULL DEFAULT 0,"
    " created_at BIGINT NOT NULL,"
    " expires_at BIGINT NOT NULL,"
    " close_wanted INTEGER NOT NULL DEFAULT 0,"
    " late INTEGER NOT NULL DEFAULT 0,"
    " quarantined INTEGER NOT NULL DEFAULT 0,"
    " overpaid INTEGER NOT NULL DEFAULT 0,"
    " attach_differs INTEGER NOT NULL DEFAULT 0,"
    " transaction_id TEXT,"
    " payer_openid TEXT,"
    " paid_gateway_no TEXT,"
    " paid_at BIGINT NOT NULL DEFAULT 0,"
    " refunded_fee BIGINT NOT NULL DEFAULT 0,"
    " PRIMARY KEY (mch_id, out_trade_no),"
    " UNIQUE (pay_id))",
    "CREATE INDEX orders_by_site ON orders (site, created_at, out_trade_no)",
    "CREATE INDEX orders_by_state ON orders (site, state, created_at, out_trade_no)",
    "CREATE INDEX orders_flagged ON orders (site, created_at, out_trade_no)"
    " WHERE " WXPAY_SQL_FLAGGED,
    "CREATE INDEX orders_by_expiry ON orders (state, expires_at)",

    /* One row per number at the gateway; columns are the members of wxpay_attempt_t. */
    "CREATE TABLE attempts ("
    " mch_id TEXT NOT NULL,"
    " gateway_no TEXT NOT NULL,"
    " out_trade_no TEXT NOT NULL,"
    " n INTEGER NOT NULL,"
    " trade_type TEXT,"
    " appid TEXT,"
    " openid TEXT,"
    " client_ip TEXT,"
    " sign_type TEXT,"
    " state TEXT NOT NULL,"
    " params TEXT,"
    " prepay_id TEXT,"
    " code_url TEXT,"
    " mweb_url TEXT,"
    " url_at BIGINT NOT NULL DEFAULT 0,"
    " created_at BIGINT NOT NULL,"
    " sent_at BIGINT NOT NULL DEFAULT 0,"
    " close_at BIGINT NOT NULL DEFAULT 0,"
    " todo TEXT,"
    " next_at BIGINT NOT NULL DEFAULT 0,"
    " tries INTEGER NOT NULL DEFAULT 0,"
    " lease_owner TEXT,"
    " lease_until BIGINT NOT NULL DEFAULT 0,"
    " transaction_id TEXT,"
    " err_code TEXT,"
    " err_detail TEXT,"
    " PRIMARY KEY (mch_id, gateway_no))",
    "CREATE INDEX attempts_by_order ON attempts (mch_id, out_trade_no)",
    "CREATE INDEX attempts_by_todo ON attempts (todo, next_at)",

    /* What the site's application has to be told: the outbox. */
    "CREATE TABLE events ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " mch_id TEXT NOT NULL,"
    " out_trade_no TEXT NOT NULL,"
    " site TEXT NOT NULL,"
    " type TEXT NOT NULL,"
    " created_at BIGINT NOT NULL,"
    " body TEXT,"
    " state TEXT NOT NULL," /* unwanted, pending, delivered, parked */
    " next_at BIGINT NOT NULL DEFAULT 0,"
    " tries INTEGER NOT NULL DEFAULT 0,"
    " attempts_log TEXT," /* JSON: every try */
    " lease_owner TEXT,"
    " lease_until BIGINT NOT NULL DEFAULT 0,"
    " delivered_at BIGINT NOT NULL DEFAULT 0)",
    "CREATE INDEX events_by_due ON events (state, next_at)",
    "CREATE INDEX events_by_order ON events (mch_id, out_trade_no)",

    /* The journal of authentic notifications: one row per thing, verdict and reason. */
    "CREATE TABLE notices ("
    " mch_id TEXT NOT NULL,"
    " ref TEXT NOT NULL," /* transaction_id, refund_id or the gateway number */
    " verdict TEXT NOT NULL,"
    " reason TEXT NOT NULL DEFAULT '',"
    " out_trade_no TEXT,"
    " gateway_no TEXT,"
    " site TEXT,"
    " first_at BIGINT NOT NULL,"
    " last_at BIGINT NOT NULL,"
    " count BIGINT NOT NULL DEFAULT 1,"
    " body TEXT,"
    " PRIMARY KEY (mch_id, ref, verdict, reason))",

    "CREATE TABLE refunds ("
    " mch_id TEXT NOT NULL,"
    " out_refund_no TEXT NOT NULL,"
    " out_trade_no TEXT NOT NULL,"
    " site TEXT NOT NULL,"
    " refund_id TEXT,"
    " transaction_id TEXT,"
    " refund_fee BIGINT NOT NULL,"
    " total_fee BIGINT NOT NULL,"
    " state TEXT NOT NULL," /* REQUESTED, PROCESSING, SUCCESS, CLOSED, ABNORMAL */
    " reason TEXT,"
    " created_at BIGINT NOT NULL,"
    " updated_at BIGINT NOT NULL DEFAULT 0,"
    " success_at BIGINT NOT NULL DEFAULT 0,"
    " err_code TEXT,"
    " lease_owner TEXT,"
    " lease_until BIGINT NOT NULL DEFAULT 0,"
    " next_at BIGINT NOT NULL DEFAULT 0,"
    " tries INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (mch_id, out_refund_no))",
    "CREATE INDEX refunds_by_order ON refunds (mch_id, out_trade_no)",
    "CREATE INDEX refunds_by_due ON refunds (state, next_at)",

    "INSERT INTO wxpay_meta (name, value) VALUES ('schema_version', '1')", NULL};

/* Reconciling, and the erasing of what nobody needs any more. */
static const char *const from_1[] = {
    "ALTER TABLE orders ADD COLUMN sweep_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE orders ADD COLUMN erased INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE attempts ADD COLUMN closed_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE attempts ADD COLUMN ask_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE attempts ADD COLUMN asked_at BIGINT NOT NULL DEFAULT 0",
    "UPDATE orders SET sweep_at = expires_at WHERE state = 'NEW' OR state = 'PENDING'",
    "UPDATE attempts SET ask_at = sent_at + 15000000"
    " WHERE state = 'SENT' OR state = 'OPEN' OR state = 'CLOSING'",
    /* Nobody wrote down when those were closed. The gateway is asked once about each that was made
     * within a day of the newest order; older ones are left to the merchant's bill. */
    "UPDATE attempts SET closed_at = sent_at, ask_at = sent_at + 600000000 WHERE state = 'CLOSED'"
    " AND sent_at > (SELECT max(created_at) FROM orders) - 86400000000",
    "DROP INDEX orders_by_expiry",
    "CREATE INDEX orders_running_out ON orders (sweep_at) WHERE " WXPAY_SQL_RUNS_OUT,
    "CREATE INDEX orders_erasable ON orders (created_at) WHERE " WXPAY_SQL_ERASABLE_ORDER,
    "CREATE INDEX attempts_asked_about ON attempts (ask_at) WHERE " WXPAY_SQL_ASKED_ABOUT,
    "CREATE INDEX events_erasable ON events (created_at) WHERE " WXPAY_SQL_ERASABLE_EVENT,
    "CREATE INDEX notices_erasable ON notices (first_at) WHERE " WXPAY_SQL_ERASABLE_NOTICE,
    /* Per site, so that one that takes nothing for days stands in nobody's way. */
    "DROP INDEX events_by_due",
    "CREATE INDEX events_pending ON events (mch_id, site, next_at) WHERE state = 'pending'",
    "UPDATE wxpay_meta SET value = '2' WHERE name = 'schema_version'", NULL};

/* The rest of what unifiedorder takes. */
static const char *const from_2[] = {
    "ALTER TABLE orders ADD COLUMN device_info TEXT",
    "ALTER TABLE orders ADD COLUMN version TEXT",
    "ALTER TABLE orders ADD COLUMN user_type TEXT",
    "ALTER TABLE orders ADD COLUMN user_creid TEXT",
    "ALTER TABLE orders ADD COLUMN user_truename TEXT",
    "ALTER TABLE orders ADD COLUMN fingerprint TEXT",
    "UPDATE wxpay_meta SET value = '3' WHERE name = 'schema_version'",
    NULL};

static const char *const *const steps[WXPAY_SCHEMA_VERSION] = {from_nothing, from_1, from_2};

const char *const *wxpay_schema_step(int from)
{
    return from >= 0 && from < WXPAY_SCHEMA_VERSION ? steps[from] : NULL;
}
