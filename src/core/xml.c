/* xml.c - reading the v2 gateway's XML: SAX, so that nothing is built before it is judged. */
#include "xml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include <libxml/parser.h>

#define STEP "read XML"
#define MAX_IDLE 64
/* A context keeps every name it ever saw in its dictionary: beyond this it is not used again. */
#define MAX_DICT_BYTES 32768

typedef struct parser_t {
    xmlParserCtxtPtr ctxt;
    const char *root;
    wxpay_fields_t *fields;
    char *arena; /* names and values; both take less room than in the document */
    apr_size_t arena_size;
    apr_size_t used;
    int depth;
    const char *name; /* of the field being read */
    apr_size_t value; /* where its value begins in the arena */
    wxpay_rc_e rc;
    wxpay_error_t *err;
} parser_t;

struct wxpay_xml_t {
    apr_thread_mutex_t *lock;
    parser_t *idle[MAX_IDLE]; /* last in, first out: the warmest */
    int idle_count;
};

static void refuse(parser_t *parser, const char *why)
{
    if (parser->rc == WXPAY_OK) {
        parser->rc = wxpay_error_set(parser->err, WXPAY_EPARSE, STEP, "%s", why);
    }
    xmlStopParser(parser->ctxt);
}

static void keep(parser_t *parser, const char *text, apr_size_t len)
{
    if (len > parser->arena_size - parser->used) {
        refuse(parser, "the document is larger than it said");
        return;
    }
    memcpy(parser->arena + parser->used, text, len);
    parser->used += len;
}

static void on_start(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespaces, const xmlChar **namespace_list, int attributes, int defaulted,
                     const xmlChar **attribute_list)
{
    parser_t *parser = data;

    (void)namespace_list;
    (void)defaulted;
    (void)attribute_list;
    if (parser->rc != WXPAY_OK) {
        return;
    }
    if (prefix || uri || namespaces || attributes) {
        refuse(parser, "an attribute or a namespace");
        return;
    }
    parser->depth++;
    if (parser->depth == 1) {
        if (strcmp((const char *)name, parser->root) != 0) {
            refuse(parser, "another root element than expected");
        }
    }
    else if (parser->depth == 2) {
        parser->name = parser->arena + parser->used;
        keep(parser, (const char *)name, strlen((const char *)name) + 1);
        parser->value = parser->used;
    }
    else {
        refuse(parser, "an element inside a field");
    }
}

static void on_end(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    parser_t *parser = data;

    (void)name;
    (void)prefix;
    (void)uri;
    if (parser->rc != WXPAY_OK) {
        return;
    }
    if (parser->depth == 2) {
        keep(parser, "", 1);
        if (parser->rc == WXPAY_OK) {
            parser->rc = wxpay_fields_add_ref(parser->fields, parser->name,
                                              parser->arena + parser->value, parser->err);
        }
        if (parser->rc != WXPAY_OK) {
            xmlStopParser(parser->ctxt);
        }
    }
    parser->depth--;
}

static void on_text(void *data, const xmlChar *text, int len)
{
    parser_t *parser = data;
    int i;

    if (parser->rc != WXPAY_OK) {
        return;
    }
    if (parser->depth == 2) {
        keep(parser, (const char *)text, (apr_size_t)len);
        return;
    }
    for (i = 0; i < len; i++) {
        if (!apr_isspace(text[i])) {
            refuse(parser, "text beside the fields");
            return;
        }
    }
}

static void on_cdata(void *data, const xmlChar *text, int len)
{
    parser_t *parser = data;

    if (parser->depth != 2) {
        refuse(parser, "text beside the fields");
        return;
    }
    on_text(data, text, len);
}

static void on_comment(void *data, const xmlChar *text)
{
    parser_t *parser = data;

    (void)text;
    if (parser->depth == 2) {
        refuse(parser, "a comment inside a field");
    }
}

static void on_instruction(void *data, const xmlChar *target, const xmlChar *text)
{
    (void)target;
    (void)text;
    refuse(data, "a processing instruction");
}

static void on_doctype(void *data, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
    (void)name;
    (void)id;
    (void)system;
    refuse(data, "a DOCTYPE");
}

static void on_reference(void *data, const xmlChar *name)
{
    (void)name;
    refuse(data, "an entity");
}

/* libxml2 reports what is wrong by the parser's state too; its texts would quote the document. */
static void on_error(void *data, xmlErrorPtr error)
{
    (void)data;
    (void)error;
}

static parser_t *make_parser(void)
{
    xmlSAXHandler sax;
    parser_t *parser = calloc(1, sizeof(*parser));

    if (!parser) {
        return NULL;
    }
    memset(&sax, 0, sizeof(sax));
    sax.initialized = XML_SAX2_MAGIC;
    sax.startElementNs = on_start;
    sax.endElementNs = on_end;
    sax.characters = on_text;
    sax.ignorableWhitespace = on_text;
    sax.cdataBlock = on_cdata;
    sax.comment = on_comment;
    sax.processingInstruction = on_instruction;
    sax.internalSubset = on_doctype;
    sax.externalSubset = on_doctype;
    sax.reference = on_reference;
    sax.serror = on_error;
    parser->ctxt = xmlCreatePushParserCtxt(&sax, parser, NULL, 0, NULL);
    if (!parser->ctxt) {
        free(parser);
        return NULL;
    }
    return parser;
}

static void free_parser(parser_t *parser)
{
    xmlFreeParserCtxt(parser->ctxt);
    free(parser);
}

static parser_t *take(wxpay_xml_t *xml)
{
    parser_t *parser = NULL;

    apr_thread_mutex_lock(xml->lock);
    if (xml->idle_count) {
        parser = xml->idle[--xml->idle_count];
    }
    apr_thread_mutex_unlock(xml->lock);
    return parser ? parser : make_parser();
}

static void give_back(wxpay_xml_t *xml, parser_t *parser)
{
    /* A parser that was stopped in the middle is not worth finding out how it recovers. */
    int reuse = parser->rc == WXPAY_OK && xmlDictGetUsage(parser->ctxt->dict) <= MAX_DICT_BYTES;

    if (reuse) {
        apr_thread_mutex_lock(xml->lock);
        reuse = xml->idle_count < MAX_IDLE;
        if (reuse) {
            xml->idle[xml->idle_count++] = parser;
        }
        apr_thread_mutex_unlock(xml->lock);
    }
    if (!reuse) {
        free_parser(parser);
    }
}

static apr_status_t free_idle(void *data)
{
    wxpay_xml_t *xml = data;

    while (xml->idle_count) {
        free_parser(xml->idle[--xml->idle_count]);
    }
    return APR_SUCCESS;
}

wxpay_xml_t *wxpay_xml_create(apr_pool_t *pool)
{
    wxpay_xml_t *xml = apr_pcalloc(pool, sizeof(*xml));

    xmlInitParser();
    apr_thread_mutex_create(&xml->lock, APR_THREAD_MUTEX_DEFAULT, pool);
    apr_pool_cleanup_register(pool, xml, free_idle, apr_pool_cleanup_null);
    return xml;
}

/* What is wrong with the XML declaration, if there is one. A declared encoding is judged here and
 * not in a callback: libxml2 would convert the text before it asks. */
static const char *unfit_declaration(apr_pool_t *pool, const char *text, apr_size_t len)
{
    const char *end = memchr(text, '>', len), *declaration, *at;

    if (len < 5 || memcmp(text, "<?xml", 5) != 0) {
        return NULL;
    }
    if (!end || end[-1] != '?') {
        return "not well-formed";
    }
    declaration = apr_pstrmemdup(pool, text, (apr_size_t)(end - text));
    at = strstr(declaration, "encoding");
    if (!at) {
        return NULL;
    }
    at += strlen("encoding");
    while (apr_isspace(*at) || *at == '=') {
        at++;
    }
    if ((*at != '"' && *at != '\'') || strncasecmp(at + 1, "utf-8", 5) != 0 || at[6] != *at) {
        return "an encoding other than UTF-8";
    }
    return NULL;
}

static const char *behind(const char *at, const char *end, const char mark[3])
{
    for (; (at = memchr(at, mark[0], (apr_size_t)(end - at))) != NULL; at++) {
        if (end - at >= 3 && memcmp(at, mark, 3) == 0) {
            return at + 3;
        }
    }
    return end;
}

/* Attributes are refused without libxml2, which takes milliseconds to compare thousands of them. */
static int has_attribute(const char *text, apr_size_t len)
{
    const char *end = text + len, *at = text, *stop;

    while ((at = memchr(at, '<', (apr_size_t)(end - at))) != NULL) {
        if (end - at >= 9 && memcmp(at, "<![CDATA[", 9) == 0) {
            at = behind(at + 9, end, "]]>");
        }
        else if (end - at >= 4 && memcmp(at, "<!--", 4) == 0) {
            at = behind(at + 4, end, "-->");
        }
        else {
            stop = memchr(at, '>', (apr_size_t)(end - at));
            stop = stop ? stop : end;
            if (end - at >= 2 && at[1] != '?' && at[1] != '!' &&
                memchr(at, '=', (apr_size_t)(stop - at))) {
                return 1;
            }
            at = stop;
        }
    }
    return 0;
}

static const char *unfit(apr_pool_t *pool, const char *text, apr_size_t len)
{
    if (len == 0) {
        return "empty";
    }
    if (len > WXPAY_XML_MAX) {
        return "larger than 64 KiB";
    }
    if (memchr(text, '\0', len)) {
        return "a NUL";
    }
    if (!wxpay_fields_utf8(text, len, 4)) {
        return "not UTF-8";
    }
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        return "a byte order mark";
    }
    if (has_attribute(text, len)) {
        return "an attribute or a namespace";
    }
    return unfit_declaration(pool, text, len);
}

static void parse(parser_t *parser, const char *text, apr_size_t len)
{
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;

    if (xmlCtxtResetPush(parser->ctxt, NULL, 0, NULL, NULL) != 0 ||
        xmlCtxtUseOptions(parser->ctxt, options) != 0) {
        parser->rc = wxpay_error_set(parser->err, WXPAY_EINTERNAL, STEP, "libxml2 refuses");
        return;
    }
    if (xmlParseChunk(parser->ctxt, text, (int)len, 1) != 0 || !parser->ctxt->wellFormed ||
        !parser->ctxt->nsWellFormed) {
        refuse(parser, "not well-formed");
    }
}

wxpay_rc_e wxpay_xml_read(wxpay_xml_t *xml, apr_pool_t *pool, const char *root, const char *text,
                          apr_size_t len, wxpay_fields_t **fields, wxpay_error_t *err)
{
    const char *why = unfit(pool, text, len);
    parser_t *parser;
    wxpay_rc_e rc;

    if (why) {
        return wxpay_error_set(err, WXPAY_EPARSE, STEP, "%s", why);
    }
    parser = take(xml);
    if (!parser) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "out of memory");
    }
    parser->root = root;
    parser->fields = wxpay_fields_create(pool);
    parser->arena = apr_palloc(pool, len);
    parser->arena_size = len;
    parser->used = 0;
    parser->depth = 0;
    parser->rc = WXPAY_OK;
    parser->err = err;
    parse(parser, text, len);
    rc = parser->rc;
    if (rc == WXPAY_OK) {
        *fields = parser->fields;
    }
    give_back(xml, parser);
    return rc;
}
