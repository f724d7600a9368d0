#include "store_sql.h"

#include "store_schema.h"

/* store_orders.c and store_attempts.c bind and read columns in exactly this order. */
#define ORDER_COLUMNS                                                                              \
    "mch_id, sub_mch_id, site, out_trade_no, total_fee, fee_type, body, attach, detail, "          \
    "product_id, goods_tag, limit_pay, scene_info, profit_sharing, receipt, openid, "              \
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

const char wxpay_sql_order_insert[] =
    "INSERT INTO orders (" ORDER_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
    "?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
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
                                     "WHERE id = ? AND state = 'pending' AND lease_until <= ?";
const char wxpay_sql_event_rearm[] =
    "UPDATE events SET state = 'pending', next_at = ?, tries = 0, lease_owner = NULL, "
    "lease_until = 0, delivered_at = 0 WHERE id = ? AND lease_until <= ?";
const char wxpay_sql_events_site[] =
    "SELECT mch_id, site FROM events WHERE state = 'pending' AND (mch_id, site) > (?, ?) "
    "ORDER BY mch_id, site LIMIT 1";
const char wxpay_sql_events_due[] =
    "SELECT id FROM events e WHERE state = 'pending' AND mch_id = ? AND site = ? AND next_at <= ? "
    "AND lease_until <= ? AND ? LIKE '% ' || type || ' %' AND (type = 'order.paid' OR NOT EXISTS "
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
