/* xml.h - fields <-> the v2 gateway's XML.
 *
 * Reading is strict: one root, children with text or CDATA only. Refused: any DOCTYPE, processing
 * instruction, nested or doubled element, attribute or namespace anywhere, text beside the fields,
 * a comment inside a value, NUL, bytes that are not UTF-8, a declared encoding other than UTF-8, a
 * size over the limit, anything not well-formed. Nothing is ever fetched or expanded.
 * Threads: wxpay_xml_t may be used by any number of threads at once.
 * Source: protocol dossier, sections 1.4, 1.5, 6, 17 (traps 5, 6).
 */
#ifndef WXPAY_XML_H
#define WXPAY_XML_H

#include <apr_pools.h>
#include "buf.h"
#include "error.h"
#include "fields.h"

#define WXPAY_XML_MAX 65536 /* bytes of one document */

/* Re-usable parsers (a libxml2 context costs as much as a parse). Shared by all threads of a
 * process; lives in pool; never torn down library-wide. */
typedef struct wxpay_xml_t wxpay_xml_t;
wxpay_xml_t *wxpay_xml_create(apr_pool_t *pool);

/* Parse text whose root element is `root` ("xml", or "root" inside refund notifications) into a
 * new bag in pool. Errors: WXPAY_EPARSE, detail says what is wrong without quoting values. */
wxpay_rc_e wxpay_xml_read(wxpay_xml_t *xml, apr_pool_t *pool, const char *root, const char *text,
                          apr_size_t len, wxpay_fields_t **fields, wxpay_error_t *err);

/* <xml> document, values that are all digits plain, others in CDATA (']]>' split), one line.
 * Errors: WXPAY_EINPUT (err->field) for a value that would not arrive unchanged (control characters
 * but tab and line feed; a carriage return becomes a line feed on the way), WXPAY_EPARSE when out's
 * maximum is exceeded. */
wxpay_rc_e wxpay_xml_write(const wxpay_fields_t *fields, wxpay_buf_t *out, wxpay_error_t *err);

#endif
