/* test_replay.c - what was taken before is not taken again, whatever else comes and goes. */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include <apr_strings.h>

#include "replay.h"

#define START 1795489200
#define NOW apr_time_from_sec(START)
#define GOOD_FOR 301 /* seconds after its timestamp */

static wxpay_replay_t *new_table(apr_pool_t *pool)
{
    return apr_pcalloc(pool, sizeof(wxpay_replay_t));
}

static wxpay_rc_e note_at(wxpay_replay_t *table, const char *id, const char *timestamp, int second)
{
    wxpay_error_t err;

    wxpay_error_clear(&err);
    return wxpay_replay_note(table, id, timestamp, NOW + apr_time_from_sec(second), &err);
}

static void once(void **state)
{
    wxpay_replay_t *table = new_table(*state);

    assert_int_equal(note_at(table, "a", "1795489200", 0), WXPAY_OK);
    assert_int_equal(note_at(table, "a", "1795489200", 0), WXPAY_ECONFLICT);
    assert_int_equal(note_at(table, "a", "1795489201", 0), WXPAY_OK);
    assert_int_equal(note_at(table, "b", "1795489200", 0), WXPAY_OK);
    assert_int_equal(note_at(table, "b", "1795489200", GOOD_FOR - 1), WXPAY_ECONFLICT);
    assert_int_equal(note_at(table, "a", "1795489201", GOOD_FOR), WXPAY_ECONFLICT);
}

static const char *name_of(apr_pool_t *pool, int n)
{
    return apr_psprintf(pool, "evt_%d", n);
}

/* Fills what of the table can be filled. How many were taken. */
static int fill(apr_pool_t *pool, wxpay_replay_t *table, int count, const char *timestamp)
{
    int taken = 0;

    for (int n = 0; n < count; n++) {
        taken += note_at(table, name_of(pool, n), timestamp, 0) == WXPAY_OK;
    }
    return taken;
}

static void half_of_the_table_is_easily_filled(void **state)
{
    wxpay_replay_t *table = new_table(*state);

    assert_int_equal(fill(*state, table, WXPAY_REPLAY_PLACES / 2, "1795489200"),
                     WXPAY_REPLAY_PLACES / 2);
    for (int n = 0; n < WXPAY_REPLAY_PLACES / 2; n += 7) {
        assert_int_equal(note_at(table, name_of(*state, n), "1795489200", 0), WXPAY_ECONFLICT);
    }
}

static void a_full_table_forgets_nothing(void **state)
{
    wxpay_replay_t *table = new_table(*state);
    wxpay_rc_e rc = WXPAY_OK;
    int n = 0;

    for (; rc == WXPAY_OK; n++) {
        rc = note_at(table, name_of(*state, n), "1795489200", 0);
    }
    assert_int_equal(rc, WXPAY_EBUSY);
    for (int i = 0; i < n - 1; i += 11) {
        assert_int_equal(note_at(table, name_of(*state, i), "1795489200", 0), WXPAY_ECONFLICT);
    }
    assert_int_equal(note_at(table, name_of(*state, n), "1795489900", 700), WXPAY_OK);
}

/* Those that are in the way of others die first. */
static void what_stands_behind_a_freed_place_is_found(void **state)
{
    wxpay_replay_t *table = new_table(*state);
    int many = WXPAY_REPLAY_PLACES / 2, taken = 0;

    fill(*state, table, many / 2, "1795489100");
    for (int n = 0; n < many; n++) {
        taken += note_at(table, name_of(*state, many + n), "1795489200", 0) == WXPAY_OK;
    }
    assert_true(taken > many * 98 / 100);
    for (int n = 0; n < many; n++) {
        wxpay_rc_e rc = note_at(table, name_of(*state, many + n), "1795489200", 250);

        taken -= rc == WXPAY_ECONFLICT;
    }
    assert_int_equal(taken, 0);
}

#define MESSAGES 10000

/* Two threads that come with the same message at the same moment, message by message. */
typedef struct race_t {
    wxpay_replay_t *table;
    const char **names;
    atomic_int arrived;
    int taken[2][MESSAGES];
} race_t;

typedef struct runner_t {
    race_t *race;
    int number;
} runner_t;

static void *run(void *data)
{
    runner_t *runner = data;
    race_t *race = runner->race;

    for (int n = 0; n < MESSAGES; n++) {
        atomic_fetch_add(&race->arrived, 1);
        for (int spins = 0; atomic_load(&race->arrived) < 2 * (n + 1); spins++) {
            if (spins > 10000) {
                sched_yield();
            }
        }
        race->taken[runner->number][n] =
            note_at(race->table, race->names[n], "1795489200", 0) == WXPAY_OK;
    }
    return NULL;
}

static void of_two_at_once_one_is_taken(void **state)
{
    race_t *race = apr_pcalloc(*state, sizeof(*race));
    runner_t runners[2] = {{race, 0}, {race, 1}};
    pthread_t other;

    race->table = new_table(*state);
    race->names = apr_palloc(*state, MESSAGES * sizeof(*race->names));
    for (int n = 0; n < MESSAGES; n++) {
        race->names[n] = name_of(*state, n);
    }
    pthread_create(&other, NULL, run, &runners[1]);
    run(&runners[0]);
    pthread_join(other, NULL);
    for (int n = 0; n < MESSAGES; n++) {
        assert_int_equal(race->taken[0][n] + race->taken[1][n], 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        support_test(once),
        support_test(half_of_the_table_is_easily_filled),
        support_test(a_full_table_forgets_nothing),
        support_test(what_stands_behind_a_freed_place_is_found),
        support_test(of_two_at_once_one_is_taken),
    };

    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
