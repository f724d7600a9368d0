/* lifecycle.h - what lives as long as a server or a child process, made and ended here.
 *
 * pre_config registers the mutex; post_config (second pass, still root) makes the state directory,
 * reads the state secret and makes shared memory and the mutex; child_init makes the child's
 * objects. Where something of it fails the server starts all the same, says so, and
 * mod_wxpay_child() is NULL: payment paths answer 503. Without any WxPay directive nothing happens
 * at all.
 */
#ifndef MOD_WXPAY_LIFECYCLE_H
#define MOD_WXPAY_LIFECYCLE_H

#include <httpd.h>
#include <http_config.h>
#include "child.h"
#include "config.h"
#include "counters.h"
#include "gate.h"
#include "log_limit.h"
#include "places.h"

/* NULL: unconfigured, or it could not be started (the reason is in error_log), or the process is at
 * its end: answer 503. Between mod_wxpay_work_begin() and mod_wxpay_work_end() only: the process's
 * end takes the child away when all who began have ended. May be nested. */
const mod_wxpay_child_t *mod_wxpay_child(void);

typedef enum mod_wxpay_work_e { MOD_WXPAY_REQUEST, MOD_WXPAY_CHORE } mod_wxpay_work_e;

void mod_wxpay_work_begin(mod_wxpay_work_e work);
void mod_wxpay_work_end(mod_wxpay_work_e work);

/* 1 if there is any WxPay directive in the running configuration. */
int mod_wxpay_active(void);

/* How often this process told of hand-offs where they are not honoured: there also without a child.
 */
mod_wxpay_log_limit_t *mod_wxpay_dropped(void);

/* Key for the page's CSRF tokens of this server's site. Only while mod_wxpay_child() is not NULL.
 */
const wxpay_secret_t *mod_wxpay_csrf_key(const mod_wxpay_server_t *cfg);
/* Likewise for the cookie that says whose browser it is. */
const wxpay_secret_t *mod_wxpay_buyer_key(const mod_wxpay_server_t *cfg);

/* 1 once this process is to end: begin nothing more. */
int mod_wxpay_stopping(void);

/* Ask for a place to wait for the gateway: at most max(1, a quarter) of this process's threads and
 * a quarter of MaxRequestWorkers server-wide wait at once. 1: granted, mod_wxpay_wait_end() must
 * follow. 0: go on without waiting (wait = 0). */
int mod_wxpay_wait_begin(void);
void mod_wxpay_wait_end(void);

/* NULL: nothing is counted, because there are no payments. */
mod_wxpay_counters_t *mod_wxpay_counters(void);
/* Needs no merchant. NULL: unconfigured, or there is no memory (see error_log). */
mod_wxpay_gate_t *mod_wxpay_gate(void);
/* What all processes are busy with. Only while mod_wxpay_counters() is not NULL. */
void mod_wxpay_load_now(mod_wxpay_load_t *load);

/* Hooks. */
int mod_wxpay_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp);
int mod_wxpay_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
void mod_wxpay_child_init(apr_pool_t *pchild, server_rec *s);
void mod_wxpay_child_stopping(apr_pool_t *pchild, int graceful);

#endif
