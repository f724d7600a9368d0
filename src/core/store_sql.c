#include "store_sql.h"

#include "store_schema.h"

/* store_orders.c and store_attempts.c bind and read columns in exactly this order. */
#define ORDER_COLUMNS                                                                              \
    "mch_id, sub_mch_id, site, out_trade_no, total_fee, fee_type, body, attach, detail, "          \
    "product_id, goods_tag, limit_pay, scene_info, profit_sharing, receipt, device_info, "         \
    "version, user_type, user_creid, user_truename, fingerprint, openid, "                         \
    "spbill_create_ip, return_url, time_expire, trade_type, pay_id, state, rev, created_at, "      \
    "expires_at, close_wanted, late, quarantined, overpaid, attach_differs, transaction_id, "      \
    "payer_openid, paid_gateway_no, paid_at, refunded_fee, sweep_at, erased"

#define ATTEMPT_COLUMNS                                                                            \
    "mch_id, gateway_no, out_trade_no, n, trade_type, appid, openid, client_ip, sign_type, "       \
    "state, params, prepay_id, code_url, mweb_url, url_at, created_at, sent_at, close_at, todo, "  \
    "next_at, "                                                                                    \
    "tries, "                                                                                      \
    "lease_owner, lease_until, transaction_id, err_code, err_detail, closed_at, ask_at, asked_at"

/* store_events.c reads them in this order. */
#define EVENT_COLUMNS                                                                              \
    "id, mch_id, out_trade_no, site, type, created_at, body, state, next_at, tries, "              \
    "attempts_log, lease_owner, lease_until, delivered_at"

/* Nobody holds a lease: of `now` and `now` + WXPAY_LEASE_MAX. */
#define NOT_LEASED "(lease_until <= ? OR lease_until > ?)"

const char wxpay_sql_order_insert[] =
    "INSERT INTO orders (" ORDER_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
    "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
const char wxpay_sql_order_get[] =
    "SELECT " ORDER_COLUMNS " FROM orders WHERE mch_id = ? AND out_trade_no = ?";
const char wxpay_sql_order_by_pay_id[] = "SELECT " ORDER_COLUMNS " FROM orders WHERE pay_id = ?";
const char wxpay_sql_order_update[] =
    "UPDATE orders SET state = ?, rev = ?, expires_at = ?, close_wanted = ?, late = ?, "
    "quarantined = ?, overpaid = ?, attach_differs = ?, transaction_id = ?, payer_openid = ?, "
    "paid_gateway_no = ?, paid_at = ?, refunded_fee = ?, sweep_at = ? "
    "WHERE mch_id = ? AND out_trade_no = ? AND state = ? AND rev = ?";
/* The range of created_at is what the index finds; the term after it only cuts off the orders of
 * the cursor's very microsecond that were listed already. */
#define LIST                                                                                       \
    "SELECT " ORDER_COLUMNS " FROM orders WHERE site = ? AND mch_id = ? AND created_at >= ? "      \
    "AND created_at <= ? AND (created_at < ? OR out_trade_no < ?) "
#define LIST_END "ORDER BY created_at DESC, out_trade_no DESC LIMIT ?"

const char wxpay_sql_list[] = LIST LIST_END;
const char wxpay_sql_list_state[] = LIST "AND state = ? " LIST_END;
const char wxpay_sql_list_flagged[] =
    LIST "AND " WXPAY_SQL_FLAGGED " "
         "AND CASE ? WHEN 'quarantined' THEN quarantined = 1 WHEN 'overpaid' THEN overpaid = 1 "
         "WHEN 'attach_differs' THEN attach_differs = 1 ELSE " WXPAY_SQL_CLOSING " END "
         "AND (? = '' OR state = ?) " LIST_END;
const char wxpay_sql_attempt_insert[] =
    "INSERT INTO attempts (" ATTEMPT_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
    "?,?,?,?,?,?,?,?)";
const char wxpay_sql_attempt_get[] =
    "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE mch_id = ? AND gateway_no = ?";
const char wxpay_sql_attempts[] =
    "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE mch_id = ? AND out_trade_no = ? ORDER BY n";
const char wxpay_sql_attempt_update[] =
    "UPDATE attempts SET state = ?, params = ?, prepay_id = ?, code_url = ?, mweb_url = ?, "
    "url_at = ?, sent_at = ?, close_at = ?, todo = ?, next_at = ?, tries = ?, lease_owner = ?, "
    "lease_until = ?, "
    "transaction_id = ?, err_code = ?, err_detail = ?, closed_at = ?, ask_at = ?, asked_at = ? "
    "WHERE mch_id = ? AND gateway_no = ? AND state = ?";
const char wxpay_sql_attempt_readdress[] =
    "UPDATE attempts SET trade_type = ?, appid = ?, openid = ?, client_ip = ?, sign_type = ?, "
    "created_at = ? WHERE mch_id = ? AND gateway_no = ? AND state = ? AND sent_at = 0";
/* The inner names keep the conditions of the indexes unambiguous. */
#define DUE(date)                                                                                  \
    "SELECT mch_id, out_trade_no, site, " date " FROM attempts JOIN (SELECT mch_id AS m, "         \
    "out_trade_no AS o, site FROM orders) AS of_order ON m = mch_id AND o = out_trade_no WHERE "

const char wxpay_sql_due_asks[] = DUE("ask_at") WXPAY_SQL_ASKED_ABOUT
    " AND ask_at <= ? AND " NOT_LEASED " ORDER BY ask_at LIMIT ?";
const char wxpay_sql_due_todos[] =
    DUE("next_at") "todo = ? AND next_at <= ? AND " NOT_LEASED " ORDER BY next_at LIMIT ?";
const char wxpay_sql_due_orders[] =
    "SELECT mch_id, out_trade_no, site, sweep_at FROM orders WHERE " WXPAY_SQL_RUNS_OUT
    " AND sweep_at <= ? ORDER BY sweep_at LIMIT ?";
const char wxpay_sql_put_off_ask[] = "UPDATE attempts SET ask_at = ? WHERE mch_id = ? "
                                     "AND out_trade_no = ? AND ask_at > 0 AND ask_at <= ?";
const char wxpay_sql_put_off_todo[] =
    "UPDATE attempts SET next_at = ? WHERE mch_id = ? "
    "AND out_trade_no = ? AND (todo = 'query' OR todo = 'close') AND next_at <= ?";
const char wxpay_sql_put_off_order[] = "UPDATE orders SET sweep_at = ? WHERE mch_id = ? "
                                       "AND out_trade_no = ? AND sweep_at > 0 AND sweep_at <= ?";
const char wxpay_sql_erasable_notices[] =
    "SELECT mch_id, ref, verdict, reason FROM notices WHERE " WXPAY_SQL_ERASABLE_NOTICE
    " AND first_at < ? ORDER BY first_at LIMIT ?";
const char wxpay_sql_erasable_events[] = "SELECT id FROM events WHERE " WXPAY_SQL_ERASABLE_EVENT
                                         " AND created_at < ? ORDER BY created_at LIMIT ?";
/* An event that is wanted may have to wait for others of its order that are being tried. */
const char wxpay_sql_erasable_waiting[] =
    "SELECT id FROM events e WHERE state = 'pending' AND created_at < ? AND next_at < ? "
    "AND lease_until < ? AND NOT EXISTS (SELECT 1 FROM events o WHERE o.mch_id = e.mch_id "
    "AND o.out_trade_no = e.out_trade_no AND o.state = 'pending' AND o.next_at >= ?) "
    "ORDER BY created_at LIMIT ?";
const char wxpay_sql_erasable_orders[] =
    "SELECT mch_id, out_trade_no FROM orders WHERE " WXPAY_SQL_ERASABLE_ORDER
    " AND created_at < ? ORDER BY created_at LIMIT ?";
/* Site by site, as the index that finds them by state begins with it. */
const char wxpay_sql_erasable_open_orders[] =
    "WITH RECURSIVE sites (name) AS (SELECT min(site) FROM orders UNION ALL SELECT (SELECT "
    "min(site) FROM orders WHERE site > name) FROM sites WHERE name IS NOT NULL) "
    "SELECT mch_id, out_trade_no FROM sites CROSS JOIN orders WHERE site = name "
    "AND (state = 'NEW' OR state = 'PENDING') AND created_at < ? AND expires_at < ? AND erased = 0 "
    "AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.mch_id = orders.mch_id "
    "AND a.out_trade_no = orders.out_trade_no AND a.lease_until >= ?) "
    "ORDER BY created_at LIMIT ?";
const char wxpay_sql_erase_notice[] =
    "UPDATE notices SET body = NULL WHERE mch_id = ? AND ref = ? AND verdict = ? AND reason = ?";
const char wxpay_sql_erase_event[] =
    "UPDATE events SET body = NULL WHERE id = ? AND state <> 'pending'";
const char wxpay_sql_erase_waiting[] =
    "UPDATE events SET body = NULL, state = 'parked' "
    "WHERE id = ? AND state = 'pending' AND next_at < ? AND lease_until < ?";
const char wxpay_sql_erase_order[] =
    "UPDATE orders SET openid = NULL, payer_openid = NULL, attach = NULL, detail = NULL, "
    "scene_info = NULL, spbill_create_ip = NULL, user_creid = NULL, user_truename = NULL, "
    "fingerprint = NULL, erased = 1 WHERE mch_id = ? AND out_trade_no = ?";
const char wxpay_sql_erase_attempts[] =
    "UPDATE attempts SET openid = NULL, client_ip = NULL, params = NULL, prepay_id = NULL, "
    "code_url = NULL, mweb_url = NULL WHERE mch_id = ? AND out_trade_no = ?";
const char wxpay_sql_event_insert[] =
    "INSERT INTO events (id, mch_id, out_trade_no, site, type, created_at, body, state, next_at, "
    "lease_owner, lease_until) VALUES (?,?,?,?,?,?,?,?,?,?,?)";
const char wxpay_sql_event_get[] = "SELECT " EVENT_COLUMNS " FROM events WHERE id = ?";
const char wxpay_sql_events[] = "SELECT " EVENT_COLUMNS " FROM events WHERE mch_id = ? "
                                "AND out_trade_no = ? ORDER BY created_at, id";
const char wxpay_sql_event_update[] =
    "UPDATE events SET state = ?, next_at = ?, tries = ?, attempts_log = ?, lease_owner = ?, "
    "lease_until = ?, delivered_at = ? WHERE id = ? AND state = 'pending' AND lease_owner = ?";
const char wxpay_sql_event_lease[] = "UPDATE events SET lease_owner = ?, lease_until = ? "
                                     "WHERE id = ? AND state = 'pending' AND " NOT_LEASED;
const char wxpay_sql_event_rearm[] =
    "UPDATE events SET state = 'pending', next_at = ?, tries = 0, lease_owner = NULL, "
    "lease_until = 0, delivered_at = 0 WHERE id = ? AND " NOT_LEASED;
const char wxpay_sql_events_site[] =
    "SELECT mch_id, site FROM events WHERE state = 'pending' AND (mch_id, site) > (?, ?) "
    "ORDER BY mch_id, site LIMIT 1";
const char wxpay_sql_events_due[] =
    "SELECT id FROM events e WHERE state = 'pending' AND mch_id = ? AND site = ? AND next_at <= ? "
    "AND " NOT_LEASED " AND ? LIKE '% ' || type || ' %' AND (type = 'order.paid' OR NOT EXISTS "
    "(SELECT 1 FROM events o WHERE o.mch_id = e.mch_id AND o.out_trade_no = e.out_trade_no "
    "AND o.state = 'pending' AND ? LIKE '% ' || o.type || ' %' AND (o.created_at < e.created_at "
    "OR (o.created_at = e.created_at AND o.id < e.id)))) ORDER BY next_at LIMIT ?";
const char wxpay_sql_events_waiting[] =
    "SELECT 1 FROM events WHERE mch_id = ? AND out_trade_no = ? AND state = 'pending' "
    "AND ? LIKE '% ' || type || ' %' LIMIT 1";
const char wxpay_sql_notice_insert[] =
    "INSERT INTO notices (mch_id, ref, verdict, reason, out_trade_no, gateway_no, site, first_at, "
    "last_at, count, body) VALUES (?,?,?,?,?,?,?,?,?,1,?)";
const char wxpay_sql_notice_again[] = "UPDATE notices SET count = count + 1, last_at = ? "
                                      "WHERE mch_id = ? AND ref = ? AND verdict = ? AND reason = ?";
const char wxpay_sql_notice_count[] =
    "UPDATE notices SET count = count + ?, last_at = ? "
    "WHERE mch_id = ? AND ref = ? AND verdict IN ('paid', 'reconciled') AND reason = ''";
