/* What friends are called, and what a user may write for them. */
#include "cli/daemon/names.h"
#include "tests/cli/daemon/fake_node.h"
#include "tests/support/test.h"

struct world {
    struct yr_node *node;
    struct yr_names names;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->node = fake_new();
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    yr_names_clear(&w->names);
    free(w->node);
    free(w);
    return 0;
}

static const char *name_of(struct world *w, size_t i)
{
    yr_names_read(&w->names, w->node);
    return w->names.rows[i].name;
}

/* What `text` means: the identity's number, -1 nobody, -2 several. */
static int means(struct world *w, const char *text, bool friend_only)
{
    const struct yr_name *matches[4];
    uint8_t id[YR_ID_LEN];
    size_t count;

    yr_names_read(&w->names, w->node);
    switch (yr_names_resolve(&w->names, text, friend_only ? YR_NAMES_FRIENDS : YR_NAMES_ANY, id,
                             matches, 4, &count)) {
    case YR_NAMES_FOUND: return id[0];
    case YR_NAMES_MANY: return -2;
    case YR_NAMES_NONE: break;
    }
    return -1;
}

static void a_petname_comes_before_a_nick(void **state)
{
    struct world *w = *state;
    fake_friend(w->node, 2, "", "bob");
    fake_friend(w->node, 3, "bob", "robert");
    assert_string_equal(name_of(w, 0), "bob~2");
    assert_string_equal(name_of(w, 1), "bob");
    assert_int_equal(means(w, "bob", true), 3);
    assert_int_equal(means(w, "bob~2", true), 2);
}

static void names_that_look_alike_are_told_apart(void **state)
{
    struct world *w = *state;
    fake_friend(w->node, 2, "", "bob");
    fake_friend(w->node, 3, "", "B0b");
    fake_friend(w->node, 4, "",
                "b\xd0\xbe"
                "b"); // a Cyrillic o
    assert_string_equal(name_of(w, 0), "bob");
    assert_string_equal(name_of(w, 1), "B0b~2");
    assert_non_null(strstr(name_of(w, 2), "~3"));
}

static void nobody_can_take_the_suffix_or_the_words_for_myself(void **state)
{
    struct world *w = *state;
    fake_friend(w->node, 2, "", "bob~2");
    fake_friend(w->node, 3, "", "self");
    fake_friend(w->node, 4, "", "@me");
    fake_friend(w->node, 5, "", "-rf");
    assert_string_equal(name_of(w, 0), "bob-2");
    assert_string_equal(name_of(w, 1), "self~2");
    assert_string_equal(name_of(w, 2), "me~2");
    assert_string_equal(name_of(w, 3), "rf");
    assert_int_equal(means(w, "self", false), 1);
    assert_int_equal(means(w, "@me", false), 1);
    assert_int_equal(means(w, "self", true), -1);
}

static void a_name_without_a_visible_character_is_the_short_id(void **state)
{
    struct world *w = *state;
    fake_friend(w->node, 2, "", "\xe2\x80\x8b\xe2\x80\xae");
    assert_int_equal(strlen(name_of(w, 0)), 8);
    assert_memory_equal(w->names.rows[0].name, w->names.rows[0].id_text, 8);
}

static void hostile_nicks_are_made_safe(void **state)
{
    struct world *w = *state;
    fake_friend(w->node, 2, "", "bob\x1b[31m\n\xe2\x80\xae");
    assert_string_equal(name_of(w, 0), "bob[31m");
}

static void a_prefix_of_six_characters_means_its_friend(void **state)
{
    struct world *w = *state;
    char prefix[8];

    fake_friend(w->node, 2, "", "bob");
    fake_friend(w->node, 3, "", "carol");
    yr_names_read(&w->names, w->node);
    snprintf(prefix, sizeof prefix, "%.6s", w->names.rows[1].id_text);
    assert_int_equal(means(w, prefix, true), 3);
    for (char *c = prefix; *c != '\0'; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    assert_int_equal(means(w, prefix, true), 3);
    assert_int_equal(means(w, w->names.rows[0].id_text, true), 2);
    prefix[5] = '\0';
    assert_int_equal(means(w, prefix, true), -1);
    assert_int_equal(means(w, w->names.self_text, false), 1);
    assert_int_equal(means(w, w->names.self_text, true), -1);
}

static void a_nick_that_looks_like_an_id_is_ambiguous_but_a_whole_id_is_not(void **state)
{
    struct world *w = *state;
    char id[53];

    fake_friend(w->node, 2, "", "bob");
    yr_id_text(id, w->node->friends[0].id, YR_ID_LEN);
    char *prefix = strndup(id, 8);
    fake_friend(w->node, 3, "", prefix);
    assert_int_equal(means(w, prefix, true), -2);
    assert_int_equal(means(w, id, true), 2);
    strcpy(w->node->friends[1].nick, id);
    yr_names_stale(&w->names);
    assert_int_equal(means(w, id, true), 2);
    free(prefix);
}

static void an_at_sign_and_a_tilde_may_be_written(void **state)
{
    struct world *w = *state;
    fake_friend(w->node, 2, "", "dave");
    assert_int_equal(means(w, "@dave", false), 2);
    assert_int_equal(means(w, "~dave", false), 2);
    assert_int_equal(means(w, "dave", false), 2);
    assert_int_equal(means(w, "Dave", false), -1);
    assert_int_equal(means(w, "", false), -1);
    assert_int_equal(means(w, "@", false), -1);
}

static void friends_are_read_once_until_something_changes(void **state)
{
    struct world *w = *state;
    fake_friend(w->node, 2, "", "bob");
    name_of(w, 0);
    w->node->friend_reads = 0;
    means(w, "bob", true);
    means(w, "carol", true);
    assert_int_equal(w->node->friend_reads, 0);
    fake_friend(w->node, 3, "", "carol");
    yr_names_stale(&w->names);
    assert_int_equal(means(w, "carol", true), 3);
}

static void two_hundred_and_fifty_six_of_one_name_all_differ(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 256; i++)
        fake_friend(w->node, i, "", "bob")->id[1] = 1;
    name_of(w, 0);
    for (size_t i = 0; i < 256; i++)
        for (size_t j = i + 1; j < 256; j++)
            assert_string_not_equal(w->names.rows[i].name, w->names.rows[j].name);
}

static const char *room_name(struct world *w, size_t i)
{
    yr_names_read(&w->names, w->node);
    return w->names.rooms[i].name;
}

static void a_plus_and_a_hash_mean_rooms(void **state)
{
    struct world *w = *state;
    fake_friend(w->node, 2, "", "bob");
    fake_room(w->node, 3, "garden");
    fake_room(w->node, 4, "bob");
    assert_int_equal(means(w, "garden", false), 3);
    assert_int_equal(means(w, "+garden", false), 3);
    assert_int_equal(means(w, "#garden", false), 3);
    assert_int_equal(means(w, "@garden", false), -1);
    assert_int_equal(means(w, "garden", true), -1);
    assert_int_equal(means(w, "+garden", true), -1);
    assert_int_equal(means(w, "bob", false), -2);
    assert_int_equal(means(w, "@bob", false), 2);
    assert_int_equal(means(w, "+bob", false), 4);
    assert_int_equal(means(w, "bob", true), 2);
    assert_int_equal(means(w, "+", false), -1);
    assert_int_equal(means(w, "#", false), -1);
    assert_int_equal(means(w, "++garden", false), -1);
}

static void an_id_means_a_room_too(void **state)
{
    struct world *w = *state;
    char prefix[8];

    fake_friend(w->node, 2, "", "bob");
    fake_room(w->node, 3, "garden");
    assert_string_equal(room_name(w, 0), "garden");
    snprintf(prefix, sizeof prefix, "%.6s", w->names.rooms[0].id_text);
    assert_int_equal(means(w, prefix, false), 3);
    assert_int_equal(means(w, w->names.rooms[0].id_text, false), 3);
    assert_int_equal(means(w, w->names.rooms[0].id_text, true), -1);
}

static void an_invitation_takes_no_name_from_anybody(void **state)
{
    struct world *w = *state;
    fake_friend(w->node, 2, "", "bob");
    fake_room(w->node, 3, "bob")->state = YR_ROOM_INVITED;
    fake_room(w->node, 4, "garden")->state = YR_ROOM_INVITED;
    fake_room(w->node, 5, "garden");
    assert_int_equal(means(w, "bob", false), 2);
    assert_int_equal(means(w, "+bob", false), 3);
    assert_string_equal(room_name(w, 1), "garden~2");
    assert_string_equal(room_name(w, 2), "garden");
    assert_int_equal(means(w, "garden", false), 5);
    assert_int_equal(means(w, "garden~2", false), 4);
}

static void who_renames_a_room_catches_nothing_meant_for_another(void **state)
{
    struct world *w = *state;
    fake_room(w->node, 3, "flowers");
    fake_room(w->node, 4, "garden");
    assert_string_equal(room_name(w, 0), "flowers");
    strcpy(w->node->rooms[0].name, "garden");
    w->node->rooms_version++;
    assert_string_equal(room_name(w, 0), "garden~2");
    assert_int_equal(means(w, "+garden", false), 4);
    strcpy(w->node->rooms[1].name, "roof");
    w->node->rooms_version++;
    assert_string_equal(room_name(w, 0), "garden~2");
    assert_string_equal(room_name(w, 1), "roof");
}

static void hostile_room_names_are_made_safe(void **state)
{
    struct world *w = *state;
    fake_room(w->node, 3, "+#@~gar\x1b[31mden\n\xe2\x80\xae");
    fake_room(w->node, 4, "\xe2\x80\x8b\xff");
    fake_room(w->node, 5, "\xe2\x80\x8b");
    fake_room(w->node, 6, "self");
    assert_string_equal(room_name(w, 0), "gar[31mden");
    assert_int_equal(strlen(room_name(w, 2)), 8);
    assert_string_equal(room_name(w, 3), "self~2");
    for (size_t i = 0; i < 4; i++)
        assert_true(room_name(w, i)[0] != '\0');
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_petname_comes_before_a_nick),
        T(names_that_look_alike_are_told_apart),
        T(nobody_can_take_the_suffix_or_the_words_for_myself),
        T(a_name_without_a_visible_character_is_the_short_id),
        T(hostile_nicks_are_made_safe),
        T(a_prefix_of_six_characters_means_its_friend),
        T(a_nick_that_looks_like_an_id_is_ambiguous_but_a_whole_id_is_not),
        T(an_at_sign_and_a_tilde_may_be_written),
        T(friends_are_read_once_until_something_changes),
        T(two_hundred_and_fifty_six_of_one_name_all_differ),
        T(a_plus_and_a_hash_mean_rooms),
        T(an_id_means_a_room_too),
        T(an_invitation_takes_no_name_from_anybody),
        T(who_renames_a_room_catches_nothing_meant_for_another),
        T(hostile_room_names_are_made_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
