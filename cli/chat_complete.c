/* chat_complete.c: Tab: commands, names, settings, :emoji:. */
#include <stdio.h>
#include <string.h>

#include "cli/chat_int.h"

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

/** quote: where a name is one word of several. */
static void offer_friends(const struct yr_talk *chat, struct yr_edit_words *words,
                          const char *typed, size_t len, const char *behind, bool quote)
{
    for (size_t i = 0; i <= chat->conv_count; i++) { // whom one talks to comes first
        const struct yr_talk_conv *conv = i == 0 ? chat->current : chat->convs[i - 1];
        const bool quoted = conv != NULL && quote && strchr(conv->name, ' ') != NULL;
        char end[8];

        if (conv == NULL || conv->self || conv->gone || (i > 0 && conv == chat->current))
            continue;
        snprintf(end, sizeof end, "%s%s", quoted ? "\"" : "", behind);
        offer(words, typed, len, quoted ? "\"" : "", conv->name, end);
    }
}

static void offer_first(struct yr_edit_words *words, enum yr_talk_words kind, const char *typed,
                        size_t len, const struct yr_talk *chat)
{
    switch (kind) {
    case YR_TALK_NO_WORDS: break;
    case YR_TALK_FRIENDS: offer_friends(chat, words, typed, len, " ", true); break;
    case YR_TALK_KEYS:
        for (size_t i = 0; i < YR_CFG_COUNT; i++)
            offer(words, typed, len, "", yr_config_descs[i].name, " ");
        break;
    case YR_TALK_TOPICS:
        for (size_t i = 0; i < YR_TALK_GROUPS; i++)
            offer(words, typed, len, "", yr_talk_topics[i], " ");
        for (size_t i = 0; i < yr_talk_command_count; i++)
            offer(words, typed, len, "", yr_talk_commands[i].name, " ");
        break;
    }
}

/** The command a line starts with, if the word at `start` is its first operand. */
static enum yr_talk_words operand_of(const char *text, size_t start)
{
    size_t len, at;

    if (text[0] != '/')
        return YR_TALK_NO_WORDS;
    len = strcspn(text + 1, " ");
    at = 1 + len;
    at += strspn(text + at, " ");
    for (size_t i = 0; at == start && i < yr_talk_command_count; i++)
        if (strlen(yr_talk_commands[i].name) == len &&
            strncmp(yr_talk_commands[i].name, text + 1, len) == 0)
            return yr_talk_commands[i].words;
    return YR_TALK_NO_WORDS;
}

void yr_talk_complete(void *ctx, const char *text, size_t cursor, struct yr_edit_words *words)
{
    const struct yr_talk *chat = ctx;
    const char *word;
    size_t len;

    while (words->start > 0 && strchr(" \n\t", text[words->start - 1]) == NULL)
        words->start--;
    word = text + words->start;
    len = cursor - words->start;
    if (words->start == 0 && word[0] == '/' && len > 0) {
        for (size_t i = 0; i < yr_talk_command_count; i++)
            offer(words, word + 1, len - 1, "/", yr_talk_commands[i].name, " ");
    } else if (word[0] == ':' && len >= 2) {
        for (size_t i = 0; i < sizeof emojis / sizeof emojis[0]; i++)
            if (strncmp(emojis[i].name, word + 1, len - 1) == 0 ||
                (len == strlen(emojis[i].name) + 2 && word[len - 1] == ':' &&
                 strncmp(emojis[i].name, word + 1, len - 2) == 0))
                yr_edit_words_add(words, emojis[i].emoji);
    } else if (operand_of(text, words->start) != YR_TALK_NO_WORDS) {
        offer_first(words, operand_of(text, words->start), word, len, chat);
    } else if (len > 0 && text[0] != '/') {
        offer_friends(chat, words, word, len, words->start == 0 ? ": " : " ", false);
    }
}
