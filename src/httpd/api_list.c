/* api_list.c - a page of this site's orders. */
#include "api_call.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "clock.h"
#include "fields.h"
#include "io.h"
#include "store_list.h"

#define STEP "read query"
#define DEFAULT_LIMIT 20

typedef wxpay_rc_e take_fn(wxpay_list_t *wanted, const wxpay_field_t *item, wxpay_error_t *err);

static wxpay_rc_e take_state(wxpay_list_t *wanted, const wxpay_field_t *item, wxpay_error_t *err)
{
    wxpay_order_state_e state;

    if (wxpay_order_state_by_name(item->value, &state) != WXPAY_OK) {
        return wxpay_error_field(err, STEP, item->name,
                                 "state must be NEW, PENDING, PAID, CLOSED or EXPIRED");
    }
    wanted->state = item->value;
    return WXPAY_OK;
}

static wxpay_rc_e take_flag(wxpay_list_t *wanted, const wxpay_field_t *item, wxpay_error_t *err)
{
    if (!wxpay_list_is_flag(item->value)) {
        return wxpay_error_field(err, STEP, item->name,
                                 "flag must be quarantined, overpaid, attach_differs or closing");
    }
    wanted->flag = item->value;
    return WXPAY_OK;
}

static wxpay_rc_e take_since(wxpay_list_t *wanted, const wxpay_field_t *item, wxpay_error_t *err)
{
    if (wxpay_clock_parse_rfc3339(item->value, item->value_len, &wanted->since, err) != WXPAY_OK) {
        return wxpay_error_field(err, STEP, item->name,
                                 "since must be a time such as 2026-11-24T03:05:00Z (a \"+\" in it "
                                 "is %%2B in a URL)");
    }
    return WXPAY_OK;
}

static wxpay_rc_e take_limit(wxpay_list_t *wanted, const wxpay_field_t *item, wxpay_error_t *err)
{
    int limit = 0;

    for (apr_size_t i = 0; i < item->value_len && limit <= WXPAY_LIST_MAX; i++) {
        limit =
            apr_isdigit(item->value[i]) ? limit * 10 + (item->value[i] - '0') : WXPAY_LIST_MAX + 1;
    }
    if (limit < 1 || limit > WXPAY_LIST_MAX) {
        return wxpay_error_field(err, STEP, item->name, "limit must be 1 to %d", WXPAY_LIST_MAX);
    }
    wanted->limit = limit;
    return WXPAY_OK;
}

static wxpay_rc_e take_after(wxpay_list_t *wanted, const wxpay_field_t *item, wxpay_error_t *err)
{
    (void)err; /* judged where cursors are made */
    wanted->after = item->value;
    return WXPAY_OK;
}

static const struct {
    const char *name;
    take_fn *take;
} filters[] = {
    {"state", take_state}, {"flag", take_flag},   {"since", take_since},
    {"limit", take_limit}, {"after", take_after},
};

static wxpay_rc_e take(wxpay_list_t *wanted, const wxpay_field_t *item, wxpay_error_t *err)
{
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        if (strcmp(filters[i].name, item->name) == 0) {
            return filters[i].take(wanted, item, err);
        }
    }
    return wxpay_error_field(err, STEP, item->name, "%s is not a parameter of this request",
                             item->name);
}

static wxpay_rc_e read_query(const mod_wxpay_api_call_t *call, wxpay_list_t *wanted,
                             wxpay_error_t *err)
{
    const char *args = call->r->args ? call->r->args : "";
    wxpay_fields_t *query;

    if (wxpay_fields_parse_form(call->r->pool, args, strlen(args), &query, err) != WXPAY_OK) {
        return err->code;
    }
    for (int i = 0; i < query->count; i++) {
        if (take(wanted, &query->items[i], err) != WXPAY_OK) {
            return err->code;
        }
    }
    return WXPAY_OK;
}

static const json_t *page_json(const mod_wxpay_api_call_t *call, const wxpay_list_page_t *page)
{
    json_t *json = wxpay_json_object(call->r->pool);
    json_t *orders = json_array();

    for (int i = 0; i < page->count; i++) {
        const wxpay_list_item_t *item = &page->items[i];
        wxpay_snapshot_t snap = {item->order, item->attempts, item->count};

        json_array_append(orders, mod_wxpay_api_order_json(call, &snap));
    }
    json_object_set_new(json, "orders", orders);
    if (page->next) {
        json_object_set_new(json, "next", json_string(page->next));
    }
    return json;
}

int mod_wxpay_api_list(const mod_wxpay_api_call_t *call)
{
    wxpay_list_t wanted = {
        call->cfg->account->mch_id, call->cfg->account->site, "", "", 0, NULL, DEFAULT_LIMIT};
    wxpay_list_page_t *page;
    wxpay_error_t err;

    wxpay_error_clear(&err);
    if (read_query(call, &wanted, &err) != WXPAY_OK) {
        return mod_wxpay_api_refused(call->r, &err);
    }
    if (wxpay_store_list(call->child->store, &wanted, call->r->pool, &page, &err) != WXPAY_OK) {
        return mod_wxpay_api_failed(call->r, &err);
    }
    return mod_wxpay_send_json(call->r, HTTP_OK, page_json(call, page));
}
