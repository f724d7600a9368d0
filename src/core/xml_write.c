/* xml_write.c - writing the v2 gateway's XML. */
#include "xml.h"

#include <string.h>

#include <apr_lib.h>

#define STEP "write XML"

static int is_name(const wxpay_field_t *field)
{
    apr_size_t i;

    for (i = 0; i < field->name_len; i++) {
        if (!apr_isalnum(field->name[i]) && field->name[i] != '_') {
            return 0;
        }
    }
    return i > 0 && !apr_isdigit(field->name[0]);
}

/* XML's own characters, without the carriage return that a parser turns into a line feed. */
static int arrives_unchanged(const wxpay_field_t *field)
{
    const unsigned char *byte = (const unsigned char *)field->value;

    for (; *byte; byte++) {
        if (*byte < 0x20 && *byte != '\t' && *byte != '\n') {
            return 0;
        }
        if (byte[0] == 0xef && byte[1] == 0xbf && (byte[2] == 0xbe || byte[2] == 0xbf)) {
            return 0;
        }
    }
    return 1;
}

static int all_digits(const wxpay_field_t *field)
{
    return field->value_len && strspn(field->value, "0123456789") == field->value_len;
}

static void write_cdata(wxpay_buf_t *out, const char *value)
{
    const char *stop;

    wxpay_buf_puts(out, "<![CDATA[");
    while ((stop = strstr(value, "]]>")) != NULL) {
        wxpay_buf_add(out, value, (apr_size_t)(stop - value));
        wxpay_buf_puts(out, "]]]]><![CDATA[>");
        value = stop + 3;
    }
    wxpay_buf_puts(out, value);
    wxpay_buf_puts(out, "]]>");
}

wxpay_rc_e wxpay_xml_write(const wxpay_fields_t *fields, wxpay_buf_t *out, wxpay_error_t *err)
{
    const wxpay_field_t *field;
    int i;

    wxpay_buf_puts(out, "<xml>");
    for (i = 0; i < fields->count; i++) {
        field = &fields->items[i];
        if (!is_name(field) || !arrives_unchanged(field)) {
            return wxpay_error_field(err, STEP, field->name,
                                     "holds a control character, which XML cannot carry");
        }
        wxpay_buf_printf(out, "<%s>", field->name);
        if (all_digits(field)) {
            wxpay_buf_puts(out, field->value);
        }
        else {
            write_cdata(out, field->value);
        }
        wxpay_buf_printf(out, "</%s>", field->name);
    }
    wxpay_buf_puts(out, "</xml>");
    if (out->broken) {
        return wxpay_error_set(err, WXPAY_EPARSE, STEP, "the message is too large");
    }
    return WXPAY_OK;
}
