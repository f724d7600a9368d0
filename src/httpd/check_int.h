/* check_int.h - between the files of check_config only. */
#ifndef MOD_WXPAY_CHECK_INT_H
#define MOD_WXPAY_CHECK_INT_H

#include <httpd.h>
#include "config.h"

typedef struct mod_wxpay_check_t {
    apr_pool_t *p;
    server_rec *main_server;
    int errors;
    apr_pool_t *pconf;
    int style; /* APLOG_STARTUP while somebody sits at a terminal, 0 for error_log */
} mod_wxpay_check_t;

/* APLOG_ERR fails the configuration, APLOG_WARNING does not. where: "file:line" that wrote it. */
void mod_wxpay_report(mod_wxpay_check_t *check, int level, const char *id, const server_rec *s,
                      const char *where, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* 1 if both are there and the same. */
int mod_wxpay_same_secret(const wxpay_secret_t *a, const wxpay_secret_t *b);
/* 1 if this server has a directive of the merchant group, its own or inherited. */
int mod_wxpay_has_merchant(const mod_wxpay_server_t *cfg);

/* ---- check_deliver.c: hand-off, deliveries, orphans ---- */

/* What a server says about its own script. Only for servers that have a merchant. */
void mod_wxpay_check_deliver(mod_wxpay_check_t *check, const server_rec *s,
                             const mod_wxpay_server_t *cfg);
/* What the modules of this httpd leave undone. */
void mod_wxpay_check_modules(mod_wxpay_check_t *check, const mod_wxpay_server_t *main_cfg);

#endif
