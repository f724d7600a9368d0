/* directives.h - the table of directives: the one list from which setting, creating, merging and
 * "where was it written" all follow.
 */
#ifndef MOD_WXPAY_DIRECTIVES_H
#define MOD_WXPAY_DIRECTIVES_H

#include <httpd.h>
#include <http_config.h>
#include "values.h"

#define MOD_WXPAY_ROW_DIR 0x01u      /* member of mod_wxpay_dir_t, else of mod_wxpay_server_t */
#define MOD_WXPAY_ROW_GLOBAL 0x02u   /* main server only */
#define MOD_WXPAY_ROW_SECRET 0x04u   /* literals are redacted */
#define MOD_WXPAY_ROW_MERCHANT 0x08u /* merged as one group: who sets one inherits none */
#define MOD_WXPAY_ROW_SITE 0x10u     /* not inherited by a server that is a merchant of its own */

/* What a directive fills in; cmd_data of its command_rec. */
typedef struct mod_wxpay_row_t {
    apr_size_t offset;
    apr_size_t size;
    mod_wxpay_value_fn *parse;
    int min_args;
    int max_args; /* -1: any number */
    unsigned flags;
} mod_wxpay_row_t;

extern const command_rec mod_wxpay_directives[]; /* ends with a NULL name */

/* Row n, or NULL behind the last one. */
const mod_wxpay_row_t *mod_wxpay_row(int n);
/* Place of a directive in the table. Its name must be in it. */
int mod_wxpay_directive_index(const char *name);

#endif
