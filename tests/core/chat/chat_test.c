#include "tests/support/chats.h"
#include "tests/support/test.h"
#include <stdio.h>

static void smoke(void **state)
{
    struct talker a, b;
    size_t ab = 0, ba = 0;
    struct yr_message *m = malloc(sizeof *m);
    struct yr_place at = {{0}};
    uint8_t id[16];
    talker_init(&a, 'a', 1);
    talker_init(&b, 'b', 1);
    talker_befriend(&a, &b);
    talker_befriend(&b, &a);
    talker_say(&a, &b, "hello", id);
    talker_say(&a, &b, "there", NULL);
    talker_commit(&a);
    talker_hand_over(&a, &b, &ab);
    talker_commit(&b);
    talker_hand_over(&b, &a, &ba);
    talker_commit(&a);
    for (enum yr_seek how = YR_SEEK_GE; yr_chat_history(b.chats, a.id, how, &at, m) == YR_OK;
         how = YR_SEEK_GT)
        printf("%s %d %d\n", m->text, m->state, m->unread);
    assert_int_equal(yr_chat_message(a.chats, id, m), YR_OK);
    assert_int_equal(m->state, YR_STATE_DELIVERED);
    free(m);
    talker_clear(&a);
    talker_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(smoke)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
