/* store_sql.h - every statement of the state machine, in one place. Private to the store_*.c files
 * of rows; drivers cache prepared statements by these addresses. Portable SQL only (design 3.6). */
#ifndef WXPAY_STORE_SQL_H
#define WXPAY_STORE_SQL_H

extern const char wxpay_sql_order_insert[];
extern const char wxpay_sql_order_get[];
extern const char wxpay_sql_order_by_pay_id[];
extern const char wxpay_sql_order_update[];
extern const char wxpay_sql_list[];
extern const char wxpay_sql_list_state[];
extern const char wxpay_sql_list_flagged[];
extern const char wxpay_sql_attempt_insert[];
extern const char wxpay_sql_attempt_get[];
extern const char wxpay_sql_attempts[];
extern const char wxpay_sql_attempt_update[];
extern const char wxpay_sql_attempt_readdress[];
extern const char wxpay_sql_due_asks[];
extern const char wxpay_sql_due_todos[];
extern const char wxpay_sql_due_orders[];
extern const char wxpay_sql_put_off_ask[];
extern const char wxpay_sql_put_off_todo[];
extern const char wxpay_sql_put_off_order[];
extern const char wxpay_sql_erasable_notices[];
extern const char wxpay_sql_erasable_events[];
extern const char wxpay_sql_erasable_waiting[];
extern const char wxpay_sql_erasable_orders[];
extern const char wxpay_sql_erasable_open_orders[];
extern const char wxpay_sql_erase_notice[];
extern const char wxpay_sql_erase_event[];
extern const char wxpay_sql_erase_waiting[];
extern const char wxpay_sql_erase_order[];
extern const char wxpay_sql_erase_attempts[];
extern const char wxpay_sql_event_insert[];
extern const char wxpay_sql_event_get[];
extern const char wxpay_sql_events[];
extern const char wxpay_sql_event_update[];
extern const char wxpay_sql_event_lease[];
extern const char wxpay_sql_event_rearm[];
extern const char wxpay_sql_events_site[];
extern const char wxpay_sql_events_due[];
extern const char wxpay_sql_events_waiting[];
extern const char wxpay_sql_notice_insert[];
extern const char wxpay_sql_notice_again[];
extern const char wxpay_sql_notice_count[];

#endif
