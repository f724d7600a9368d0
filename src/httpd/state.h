/* state.h - the state directory: <dir> 0711, <dir>/secret 0600, both of whoever starts the server
 * (root), and <dir>/db 0700 of the user that serves. No symbolic link is followed anywhere in it.
 * Source: design 3.6.
 */
#ifndef MOD_WXPAY_STATE_H
#define MOD_WXPAY_STATE_H

#include <httpd.h>
#include "secret.h"

#define MOD_WXPAY_STATE_SECRET_LEN 32

/* Is dir usable, or absent and can be made? NULL, or a sentence that says what is wrong and what to
 * do. Looks only. */
const char *mod_wxpay_state_inspect(apr_pool_t *p, const char *dir);

/* Make what is missing and read the secret into p. NULL, or a sentence as above. */
const char *mod_wxpay_state_prepare(apr_pool_t *p, const char *dir, wxpay_secret_t **secret);

/* May the serving user keep a database file at path? NULL or a sentence. Looks only. */
const char *mod_wxpay_state_inspect_store(apr_pool_t *p, const char *path);

#endif
