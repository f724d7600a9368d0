/* secret_source.h - where secrets come from: file:path, exec:program args, or written out.
 *
 * Files are read here, as root, at configuration time; children cannot and need not. A secret never
 * appears in a message; world-readable files and literals are warned of (mod_wxpay_config_warn); a
 * literal is redacted from the configuration tree, which -D DUMP_CONFIG and mod_info print. When
 * configuration is only dumped no file is opened and no program run: the secret is then NULL.
 */
#ifndef MOD_WXPAY_SECRET_SOURCE_H
#define MOD_WXPAY_SECRET_SOURCE_H

#include "values.h"

/* const wxpay_secret_t *: exactly 32 printable bytes. */
mod_wxpay_value_fn mod_wxpay_secret_key;
/* mod_wxpay_secrets_t: one or two of 16 to 256 printable bytes. */
mod_wxpay_value_fn mod_wxpay_secret_api_key;
/* mod_wxpay_previous_key_t: as key, and until=RFC3339. */
mod_wxpay_value_fn mod_wxpay_secret_key_previous;
/* mod_wxpay_secrets_t: as api_key. */
mod_wxpay_value_fn mod_wxpay_secret_link_key;

/* mod_wxpay_secrets_t: one or two whsec_ keys, decoded. */
mod_wxpay_value_fn mod_wxpay_secret_deliver_key;

/* "file:/path", "exec:/program" (its arguments may be secrets themselves) or "in the configuration
 * itself"; of two secrets both. In cmd->pool. */
const char *mod_wxpay_secret_origin(cmd_parms *cmd, int argc, char *const argv[]);

/* Replace literal secrets in the configuration tree. */
void mod_wxpay_secret_redact(cmd_parms *cmd, int argc, char *const argv[]);

#endif
