/* chat_complete.c: Tab: commands, names, settings, :emoji:. */
#include <stdio.h>
#include <string.h>

#include "cli/chat_int.h"

#define SPOKE_LATELY 64 /* messages whose authors come first */

static const struct {
    const char *name, *emoji;
} emojis[] = {
    {"+1", "👍"},         {"-1", "👎"},         {"100", "💯"},          {"beer", "🍺"},
    {"blush", "😊"},      {"bug", "🐛"},        {"bulb", "💡"},         {"cake", "🎂"},
    {"cat", "🐱"},        {"check", "✅"},      {"clap", "👏"},         {"coffee", "☕"},
    {"cry", "😢"},        {"dog", "🐶"},        {"eyes", "👀"},         {"fire", "🔥"},
    {"grin", "😀"},       {"heart", "❤️"}, {"hug", "🤗"},       {"joy", "😂"},
    {"key", "🔑"},        {"laugh", "😆"},      {"lock", "🔒"},         {"moon", "🌙"},
    {"ok", "👌"},         {"party", "🎉"},      {"pray", "🙏"},         {"question", "❓"},
    {"rain", "🌧️"}, {"rocket", "🚀"},     {"sad", "😞"},          {"scream", "😱"},
    {"shrug", "🤷"},   {"sleep", "😴"},      {"smile", "😄"},        {"star", "⭐"},
    {"sun", "☀️"},   {"sweat", "😅"},      {"tada", "🎉"},         {"think", "🤔"},
    {"thumbsdown", "👎"}, {"thumbsup", "👍"},   {"warning", "⚠️"}, {"wave", "👋"},
    {"wink", "😉"},       {"x", "❌"},
};

/** Adds `word` if the typed bytes start it, ASCII case ignored. */
static void offer(struct yr_edit_words *words, const char *typed, size_t len, const char *before,
                  const char *word, const char *behind)
{
    struct yr_buf whole = {0};

    if (strncasecmp(word, typed, len) != 0)
        return;
    yr_buf_addf(&whole, "%s%s%s", before, word, behind);
    yr_edit_words_add(words, yr_buf_str(&whole));
    yr_buf_clear(&whole);
}

/** A name as one word, with quotes if it needs some; mark: "#", "~" or "". */
static void offer_name(struct yr_edit_words *words, const char *typed, size_t len, const char *mark,
                       const char *name, const char *behind, bool quote)
{
    const bool quoted = quote && strchr(name, ' ') != NULL;
    const size_t skip = len > 0 && mark[0] != '\0' && typed[0] == mark[0]; // the mark may be typed
    char before[4], end[8];

    snprintf(before, sizeof before, "%s%s", quoted ? "\"" : "", mark);
    snprintf(end, sizeof end, "%s%s", quoted ? "\"" : "", behind);
    offer(words, typed + skip, len - skip, before, name, end);
}

/** quote: where a name is one word of several. */
static void offer_friends(const struct yr_talk *chat, struct yr_edit_words *words,
                          const char *typed, size_t len, const char *behind, bool quote)
{
    for (size_t i = 0; i <= chat->conv_count; i++) { // whom one talks to comes first
        const struct yr_talk_conv *conv = i == 0 ? chat->current : chat->convs[i - 1];

        if (conv == NULL || conv->self || conv->gone || conv->room != NULL ||
            (i > 0 && conv == chat->current))
            continue;
        offer_name(words, typed, len, "", conv->name, behind, quote);
    }
}

static void offer_rooms(const struct yr_talk *chat, struct yr_edit_words *words, const char *typed,
                        size_t len)
{
    const char *mark = len > 0 && typed[0] == '+' ? "+" : "#";

    for (size_t i = 0; i < chat->conv_count; i++)
        if (chat->convs[i]->room != NULL && !chat->convs[i]->gone)
            offer_name(words, typed, len, mark, chat->convs[i]->name, " ", true);
}

/* ---- members ---- */

/** How a member is written: as the node finds him, or as he is to read it. */
enum spelling { BY_NAME, BY_NICK };

static void offer_member(struct yr_edit_words *words, const char *typed, size_t len,
                         const json_t *member, enum spelling how, const char *mark,
                         const char *behind)
{
    const bool friend = yr_json_bool(member, "friend", false);

    if (yr_json_bool(member, "self", false))
        return;
    if (how == BY_NAME)
        offer_name(words, typed, len, friend ? "" : "~", yr_json_str(member, "name", "?"), behind,
                   true);
    else
        offer_name(words, typed, len, mark, yr_json_str(member, "nick", ""), behind, false);
}

static const json_t *member_by_id(const struct yr_talk_room *room, const char *id)
{
    const json_t *member;
    size_t i;

    json_array_foreach(room->people, i, member)
    {
        if (strcmp(yr_json_str(member, "id", ""), id) == 0)
            return member;
    }
    return NULL;
}

/** The author of the message that is the i-th from the end; "": nobody. */
static const char *speaker(const struct yr_talk_conv *conv, size_t i)
{
    const size_t count = json_array_size(conv->recent);
    const json_t *message = i < count ? json_array_get(conv->recent, count - 1 - i) : NULL;

    return yr_json_str(json_object_get(message, "from"), "id", "");
}

/** Is it the author of one of the last `count` messages? */
static bool spoke(const struct yr_talk_conv *conv, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(speaker(conv, i), id) == 0)
            return true;
    return false;
}

/** Who spoke last comes first. */
static void offer_members(const struct yr_talk_conv *conv, struct yr_edit_words *words,
                          const char *typed, size_t len, enum spelling how, const char *mark,
                          const char *behind)
{
    const json_t *member;
    size_t i;

    for (i = 0; i < SPOKE_LATELY; i++) {
        member =
            spoke(conv, i, speaker(conv, i)) ? NULL : member_by_id(conv->room, speaker(conv, i));
        if (member != NULL)
            offer_member(words, typed, len, member, how, mark, behind);
    }
    json_array_foreach(conv->room->people, i, member)
    {
        if (!spoke(conv, SPOKE_LATELY, yr_json_str(member, "id", "")))
            offer_member(words, typed, len, member, how, mark, behind);
    }
}

/* ---- operands ---- */

static bool in_room(const struct yr_talk *chat)
{
    return chat->current != NULL && chat->current->room != NULL;
}

static void offer_operand(struct yr_edit_words *words, enum yr_talk_words kind, const char *typed,
                          size_t len, const struct yr_talk *chat)
{
    switch (kind) {
    case YR_TALK_NO_WORDS: break;
    case YR_TALK_TARGETS:
        if (len == 0 || strchr("#+", typed[0]) == NULL)
            offer_friends(chat, words, typed, len, " ", true);
        offer_rooms(chat, words, typed, len);
        break;
    case YR_TALK_FRIENDS: offer_friends(chat, words, typed, len, " ", true); break;
    case YR_TALK_ROOM_NAMES: offer_rooms(chat, words, typed, len); break;
    case YR_TALK_GUESTS:
        if (in_room(chat))
            offer_friends(chat, words, typed, len, " ", true);
        break;
    case YR_TALK_MEMBERS:
    case YR_TALK_MEMBER_ROLE:
        if (in_room(chat))
            offer_members(chat->current, words, typed, len, BY_NAME, "", " ");
        else
            offer_friends(chat, words, typed, len, " ", true);
        break;
    case YR_TALK_KEYS:
        for (size_t i = 0; i < YR_CFG_COUNT; i++)
            offer(words, typed, len, "", yr_config_descs[i].name, " ");
        break;
    case YR_TALK_TOPIC_NAMES:
        for (size_t i = 0; i < YR_TALK_GROUPS; i++)
            offer(words, typed, len, "", yr_talk_topics[i], " ");
        for (size_t i = 0; i < yr_talk_command_count; i++)
            offer(words, typed, len, "", yr_talk_commands[i].name, " ");
        break;
    }
}

static void offer_roles(struct yr_edit_words *words, const char *typed, size_t len)
{
    static const char *const roles[] = {"admin", "mod", "member"};

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        offer(words, typed, len, "", roles[i], " ");
}

/** What the operands of the command are that a line starts with; first: the word at `start` is the
 *  first of them. */
static enum yr_talk_words operand_of(const char *text, size_t start, bool *first)
{
    size_t len, at;

    if (text[0] != '/')
        return YR_TALK_NO_WORDS;
    len = strcspn(text + 1, " ");
    at = 1 + len;
    at += strspn(text + at, " ");
    *first = at == start;
    for (size_t i = 0; at <= start && i < yr_talk_command_count; i++)
        if (strlen(yr_talk_commands[i].name) == len &&
            strncmp(yr_talk_commands[i].name, text + 1, len) == 0)
            return yr_talk_commands[i].words;
    return YR_TALK_NO_WORDS;
}

/** In a text: the emoji, or who is spoken to. */
static void offer_in_text(const struct yr_talk *chat, struct yr_edit_words *words, const char *word,
                          size_t len)
{
    const char *behind = words->start == 0 ? ": " : " ";

    if (!in_room(chat))
        offer_friends(chat, words, word, len, behind, false);
    else if (word[0] == '@')
        offer_members(chat->current, words, word, len, BY_NICK, "@", behind);
    else
        offer_members(chat->current, words, word, len, BY_NICK, "", behind);
}

void yr_talk_complete(void *ctx, const char *text, size_t cursor, struct yr_edit_words *words)
{
    const struct yr_talk *chat = ctx;
    enum yr_talk_words kind;
    bool first = false;
    const char *word;
    size_t len;

    while (words->start > 0 && strchr(" \n\t", text[words->start - 1]) == NULL)
        words->start--;
    word = text + words->start;
    len = cursor - words->start;
    kind = operand_of(text, words->start, &first);
    if (words->start == 0 && word[0] == '/' && len > 0) {
        for (size_t i = 0; i < yr_talk_command_count; i++)
            offer(words, word + 1, len - 1, "/", yr_talk_commands[i].name, " ");
    } else if (word[0] == ':' && len >= 2) {
        for (size_t i = 0; i < sizeof emojis / sizeof emojis[0]; i++)
            if (strncmp(emojis[i].name, word + 1, len - 1) == 0 ||
                (len == strlen(emojis[i].name) + 2 && word[len - 1] == ':' &&
                 strncmp(emojis[i].name, word + 1, len - 2) == 0))
                yr_edit_words_add(words, emojis[i].emoji);
    } else if (kind == YR_TALK_MEMBER_ROLE && !first) {
        offer_roles(words, word, len);
    } else if (kind != YR_TALK_NO_WORDS && (first || kind == YR_TALK_GUESTS)) {
        offer_operand(words, kind, word, len, chat);
    } else if (len > 0 && text[0] != '/') {
        offer_in_text(chat, words, word, len);
    }
}
