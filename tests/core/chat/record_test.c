/* Records and the operations that change them. */
#include "core/chat/record.h"

#include "tests/support/seeded.h"
#include "tests/support/test.h"

static uint8_t alice[YR_ID_LEN], bob[YR_ID_LEN], conv[YR_ID_LEN];
static struct yr_record record, again;
static struct yr_message shown, shown_first;
static uint8_t row[YR_RECORD_MAX], row_again[YR_RECORD_MAX], long_text[YR_TEXT_MAX];

static int fill(void **state)
{
    memset(alice, 'a', sizeof alice);
    memset(bob, 'b', sizeof bob);
    memset(conv, 'c', sizeof conv);
    memset(long_text, 'x', sizeof long_text);
    return 0;
}

static void fresh(struct yr_record *r, const char *text)
{
    yr_record_clear(r);
    memset(r->id, 1, sizeof r->id);
    memcpy(r->author, alice, YR_ID_LEN);
    memset(r->incarnation, 2, sizeof r->incarnation);
    r->state = YR_STATE_DELIVERED;
    r->hlc = (uint64_t)1790000000000 << 16;
    r->seq = 5;
    r->cursor = 6;
    r->received_ms = 1790000000500;
    r->parent_count = 2;
    memset(r->parents, 3, sizeof r->parents);
    r->text = (const uint8_t *)text;
    r->text_len = strlen(text);
}

static struct yr_change change(enum yr_plain_type type, const uint8_t *author, uint64_t hlc,
                               uint64_t seq, const char *text, bool on)
{
    struct yr_change c = {.type = type, .hlc = hlc, .seq = seq, .on = on};

    memcpy(c.author, author, YR_ID_LEN);
    memset(c.id, (int)(hlc + 100), sizeof c.id);
    memset(c.target, 1, sizeof c.target);
    c.text = (const uint8_t *)text;
    c.text_len = strlen(text);
    return c;
}

static enum yr_err apply(struct yr_record *r, struct yr_change c)
{
    bool visible, stored;

    return yr_record_apply(r, &c, &visible, &stored);
}

static void fullest(struct yr_record *r)
{
    fresh(r, "");
    r->text = long_text;
    r->text_len = YR_TEXT_MAX;
    r->own = true;
    r->seen = true;
    r->parent_count = YR_PARENTS_MAX;
    memset(r->reply_to, 4, sizeof r->reply_to);
    r->delivered_ms = 7;
    r->read_ms = -8;
    for (int i = 0; i < YR_REACTIONS_MAX; i++) {
        char emoji[YR_EMOJI_MAX + 1];

        memset(emoji, 'A' + i / 2, YR_EMOJI_MAX);
        emoji[YR_EMOJI_MAX] = '\0';
        assert_int_equal(
            apply(r, change(YR_PLAIN_REACTION, i % 2 == 0 ? alice : bob, 9, 9, emoji, i % 3 != 0)),
            YR_OK);
    }
    assert_int_equal(apply(r, change(YR_PLAIN_EDIT, alice, 10, 11, "new", false)), YR_OK);
    r->text = long_text;
    r->text_len = YR_TEXT_MAX;
}

static void a_record_comes_back_from_its_row(void **state)
{
    size_t len, len_again;

    for (int full = 0; full < 2; full++) {
        if (full == 1)
            fullest(&record);
        else
            fresh(&record, "short");
        yr_record_encode(&record, row, &len);
        assert_true(len <= YR_RECORD_MAX);
        assert_int_equal(yr_record_decode(&again, row, len), YR_OK);
        yr_record_encode(&again, row_again, &len_again);
        assert_int_equal(len, len_again);
        assert_memory_equal(row, row_again, len);
        yr_record_show(&record, conv, true, &shown_first);
        yr_record_show(&again, conv, true, &shown);
        assert_memory_equal(&shown, &shown_first, sizeof shown);
    }
}

static void any_bytes_decode_or_are_corrupt(void **state)
{
    size_t len;

    fullest(&record);
    record.text_len = 3;
    yr_record_encode(&record, row, &len);
    for (size_t cut = 0; cut < len - 3; cut++) {
        uint8_t *exact = malloc(cut > 0 ? cut : 1);

        assert_non_null(exact);
        memcpy(exact, row, cut);
        assert_int_equal(yr_record_decode(&again, exact, cut), YR_ECORRUPT);
        free(exact);
    }
    for (size_t at = 0; at < len; at++)
        for (int bit = 0; bit < 8; bit++) {
            size_t unused;

            row[at] = (uint8_t)(row[at] ^ 1 << bit);
            if (yr_record_decode(&again, row, len) == YR_OK) {
                yr_record_encode(&again, row_again, &unused);
                yr_record_show(&again, conv, false, &shown);
            }
            row[at] = (uint8_t)(row[at] ^ 1 << bit);
        }
}

static void a_change_comes_back_from_its_row(void **state)
{
    static uint8_t bytes[YR_CHANGE_MAX];
    struct yr_change in = change(YR_PLAIN_EDIT, alice, 5, 6, "", false), out = {0};
    size_t len;

    in.text = long_text;
    in.text_len = YR_TEXT_MAX;
    yr_change_encode(&in, bytes, &len);
    assert_int_equal(yr_change_decode(&out, bytes, len), YR_OK);
    assert_int_equal(out.type, YR_PLAIN_EDIT);
    assert_memory_equal(out.author, alice, YR_ID_LEN);
    assert_true(out.hlc == 5 && out.seq == 6 && !out.on);
    assert_int_equal(out.text_len, YR_TEXT_MAX);
    for (size_t cut = 0; cut < 51; cut++)
        assert_int_equal(yr_change_decode(&out, bytes, cut), YR_ECORRUPT);
    bytes[1] = YR_PLAIN_TEXT;
    assert_int_equal(yr_change_decode(&out, bytes, len), YR_ECORRUPT);
    bytes[1] = YR_PLAIN_REACTION; // an emoji of 16 KiB
    assert_int_equal(yr_change_decode(&out, bytes, len), YR_ECORRUPT);
}

// Every order of `count` changes; each must end in the same message and the same row.
static size_t permute(const struct yr_change *changes, size_t count)
{
    size_t order[8], orders = 0, first_len = 0;

    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (;;) {
        size_t i, j, len;

        fresh(&record, "original");
        for (i = 0; i < count; i++)
            (void)apply(&record, changes[order[i]]);
        yr_record_show(&record, conv, false, &shown);
        yr_record_encode(&record, row, &len);
        if (orders++ == 0) {
            shown_first = shown;
            memcpy(row_again, row, len);
            first_len = len;
        }
        assert_memory_equal(&shown, &shown_first, sizeof shown);
        assert_int_equal(len, first_len);
        assert_memory_equal(row, row_again, len);

        for (i = count - 1; i > 0 && order[i - 1] > order[i]; i--)
            ;
        if (i == 0)
            return orders;
        for (j = count - 1; order[j] < order[i - 1]; j--)
            ;
        const size_t swap = order[j];
        order[j] = order[i - 1];
        order[i - 1] = swap;
        for (j = count - 1; i < j; i++, j--) {
            const size_t other = order[i];

            order[i] = order[j];
            order[j] = other;
        }
    }
}

static void edits_and_reactions_in_all_720_orders_end_the_same(void **state)
{
    const struct yr_change changes[] = {
        change(YR_PLAIN_EDIT, alice, 10, 6, "second", false),
        change(YR_PLAIN_EDIT, alice, 11, 7, "third", false),
        change(YR_PLAIN_REACTION, bob, 12, 3, "+1", true),
        change(YR_PLAIN_REACTION, bob, 13, 4, "+1", false),
        change(YR_PLAIN_REACTION, alice, 13, 8, "+1", true),
        change(YR_PLAIN_EDIT, bob, 99, 9, "forged", false),
    };

    assert_int_equal(permute(changes, YR_COUNT(changes)), 720);
    assert_string_equal(shown.text, "third");
    assert_true(shown.edited);
    assert_int_equal(shown.reaction_count, 1);
    assert_memory_equal(shown.reactions[0].author, alice, YR_ID_LEN);
}

static void a_deletion_wins_in_all_720_orders(void **state)
{
    const struct yr_change changes[] = {
        change(YR_PLAIN_EDIT, alice, 10, 6, "second", false),
        change(YR_PLAIN_DELETE, alice, 1, 1, "", false), // older than the edits, and final
        change(YR_PLAIN_EDIT, alice, 12, 7, "third", false),
        change(YR_PLAIN_REACTION, bob, 13, 4, "+1", true),
        change(YR_PLAIN_DELETE, alice, 14, 8, "", false),
        change(YR_PLAIN_REACTION, alice, 15, 9, "-1", true),
    };

    assert_int_equal(permute(changes, YR_COUNT(changes)), 720);
    assert_true(shown.deleted);
    assert_false(shown.edited);
    assert_int_equal(shown.text_len, 0);
    assert_int_equal(shown.reaction_count, 0);
}

static void a_liar_who_numbers_two_things_alike_is_believed_alike_everywhere(void **state)
{
    const struct yr_change changes[] = {
        change(YR_PLAIN_EDIT, alice, 10, 6, "one", false),
        change(YR_PLAIN_EDIT, alice, 10, 6, "two", false),
        change(YR_PLAIN_EDIT, alice, 10, 6, "twofold", false),
        change(YR_PLAIN_REACTION, bob, 12, 3, "+1", true),
        change(YR_PLAIN_REACTION, bob, 12, 3, "+1", false),
        change(YR_PLAIN_EDIT, alice, 10, 5, "zero", false),
    };

    // edit_id differs only with hlc here, so rows can be compared too
    assert_int_equal(permute(changes, YR_COUNT(changes)), 720);
    assert_string_equal(shown.text, "twofold");
    assert_int_equal(shown.reaction_count, 1);
}

static void only_the_author_edits_and_deletes_and_nobody_a_system_line(void **state)
{
    fresh(&record, "mine");
    assert_int_equal(apply(&record, change(YR_PLAIN_EDIT, bob, 9, 9, "his", false)), YR_EDENIED);
    assert_int_equal(apply(&record, change(YR_PLAIN_DELETE, bob, 9, 9, "", false)), YR_EDENIED);
    assert_int_equal(record.text_len, 4);
    assert_false(record.edited || record.deleted);
    record.kind = YR_MSG_SYSTEM;
    assert_int_equal(apply(&record, change(YR_PLAIN_EDIT, alice, 9, 9, "no", false)), YR_EDENIED);
    assert_int_equal(apply(&record, change(YR_PLAIN_REACTION, bob, 9, 9, "+1", true)), YR_EDENIED);
}

// The i-th of many different reactions.
static const char *nth_emoji(int i)
{
    static char emoji[3];

    emoji[0] = (char)('0' + i / 8);
    emoji[1] = (char)('0' + i % 8);
    return emoji;
}

static void reactions_end_at_their_bound(void **state)
{
    fresh(&record, "popular");
    for (int i = 0; i < YR_REACTION_EACH; i++)
        assert_int_equal(apply(&record, change(YR_PLAIN_REACTION, bob, 9, 9, nth_emoji(i), true)),
                         YR_OK);
    assert_int_equal(apply(&record, change(YR_PLAIN_REACTION, bob, 9, 9, "z", true)), YR_EFULL);
    assert_int_equal(apply(&record, change(YR_PLAIN_REACTION, bob, 10, 9, nth_emoji(3), false)),
                     YR_OK);
    yr_record_show(&record, conv, false, &shown);
    assert_int_equal(shown.reaction_count, YR_REACTION_EACH - 1);
    assert_int_equal(apply(&record, change(YR_PLAIN_REACTION, alice, 9, 9, "z", true)), YR_OK);
}

// More reactions than are kept, each set and some taken back: what stays does not depend on order.
static void reactions_beyond_the_bound_end_the_same_in_every_order(void **state)
{
    enum { MANY = YR_REACTION_EACH + 20, OPS = 2 * MANY };
    size_t order[OPS], first_len, len;
    struct seeded rng;

    seeded_init(&rng, 5);
    for (size_t i = 0; i < OPS; i++)
        order[i] = i;
    for (int round = 0; round < 50; round++) {
        for (size_t i = OPS; i > 1; i--) {
            const size_t j = seeded_below(&rng, i), swap = order[j];

            order[j] = order[i - 1];
            order[i - 1] = swap;
        }
        fresh(&record, "popular");
        for (size_t i = 0; i < OPS; i++) {
            const int k = (int)(order[i] / 2);
            const bool second = order[i] % 2 == 1;

            (void)!apply(&record, change(YR_PLAIN_REACTION, bob, second ? 10 : 9, 9, nth_emoji(k),
                                         !second || k % 3 != 0));
        }
        assert_int_equal(record.mark_count, YR_REACTION_EACH);
        yr_record_encode(&record, round == 0 ? row : row_again, round == 0 ? &first_len : &len);
        if (round > 0) {
            assert_int_equal(len, first_len);
            assert_memory_equal(row_again, row, len);
        }
    }
}

static void a_text_is_known_again_after_edit_and_deletion(void **state)
{
    struct yr_plain plain = {.type = YR_PLAIN_TEXT, .known = true, .text_len = 8};

    fresh(&record, "original");
    plain.id = record.id;
    plain.hlc = record.hlc;
    plain.seq = record.seq;
    plain.incarnation = record.incarnation;
    plain.parents[0] = plain.parents[1] = record.parents[0];
    plain.parent_count = 2;
    plain.text = (const uint8_t *)"original";
    for (int step = 0; step < 3; step++) {
        plain.text = (const uint8_t *)"original";
        assert_true(yr_record_same(&record, &plain));
        plain.text = (const uint8_t *)"another!";
        assert_false(yr_record_same(&record, &plain));
        plain.text = (const uint8_t *)"original";
        plain.seq++;
        assert_false(yr_record_same(&record, &plain));
        plain.seq--;
        if (step == 0)
            (void)apply(&record, change(YR_PLAIN_EDIT, alice, 9, 9, "another!", false));
        else
            (void)apply(&record, change(YR_PLAIN_DELETE, alice, 9, 9, "", false));
    }
    plain.flags = YR_PLAIN_ACTION;
    assert_false(yr_record_same(&record, &plain));
    plain.flags = 0;
    plain.parent_count = 1;
    assert_false(yr_record_same(&record, &plain));
}

static void late_is_what_arrived_two_minutes_after_it_was_said(void **state)
{
    fresh(&record, "x");
    record.received_ms = 1790000000000 + 120000;
    yr_record_show(&record, conv, false, &shown);
    assert_false(shown.late);
    record.received_ms++;
    yr_record_show(&record, conv, false, &shown);
    assert_true(shown.late);
    record.own = true;
    yr_record_show(&record, conv, false, &shown);
    assert_false(shown.late);
    record.own = false;
    record.hlc = UINT64_MAX; // a clock from the far future is shown, and is not late
    record.received_ms = INT64_MAX;
    yr_record_show(&record, conv, false, &shown);
    assert_true(shown.late);
    record.received_ms = INT64_MIN;
    yr_record_show(&record, conv, false, &shown);
    assert_false(shown.late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_from_its_row),
        cmocka_unit_test(any_bytes_decode_or_are_corrupt),
        cmocka_unit_test(a_change_comes_back_from_its_row),
        cmocka_unit_test(edits_and_reactions_in_all_720_orders_end_the_same),
        cmocka_unit_test(a_deletion_wins_in_all_720_orders),
        cmocka_unit_test(a_liar_who_numbers_two_things_alike_is_believed_alike_everywhere),
        cmocka_unit_test(only_the_author_edits_and_deletes_and_nobody_a_system_line),
        cmocka_unit_test(reactions_end_at_their_bound),
        cmocka_unit_test(reactions_beyond_the_bound_end_the_same_in_every_order),
        cmocka_unit_test(a_text_is_known_again_after_edit_and_deletion),
        cmocka_unit_test(late_is_what_arrived_two_minutes_after_it_was_said),
    };

    return cmocka_run_group_tests(tests, fill, NULL);
}
