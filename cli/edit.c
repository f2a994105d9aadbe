#include "cli/edit.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "cli/common/columns.h"
#include "cli/common/text_safe.h"
#include "cli/common/utf8.h"
#include "cli/edit_keys.h"
#include "cli/edit_row.h"

#define QUERY_MAX 256 /* bytes searched for */

struct yr_edit {
    struct yr_edit_opts opts;
    struct yr_edit_keys keys;
    struct yr_edit_row row;
    struct yr_buf prompt;
    struct yr_buf text;
    size_t cursor; // a cluster's start in `text`, or its end
    struct yr_buf line, killed;
    bool showing, killing; // the last key killed too: its piece joins
    unsigned interrupts;   // Ctrl-C on an empty line, one after the other

    const struct yr_edit_history *history;
    size_t history_at;   // == count: not in the history
    struct yr_buf saved; // what was typed before going there or searching

    bool searching;
    struct yr_buf query;

    size_t saved_cursor; // of `saved`, when searching

    bool pasted; // Esc takes the last paste back
    struct yr_buf before_paste;
    size_t before_cursor;
    bool skipping; // plain mode: the rest of a line that was too long

    bool cycling; // Tab again takes the next word
    struct yr_edit_words words;
    size_t word; // == count: what was typed
    struct yr_buf typed;
};

/* ---- history and words ---- */

void yr_edit_history_add(struct yr_edit_history *history, const char *line)
{
    if (history->count > 0 && strcmp(history->lines[history->count - 1], line) == 0)
        return;
    if (history->count == YR_EDIT_HISTORY_MAX) {
        free(history->lines[0]);
        history->count--;
        memmove(history->lines, history->lines + 1, history->count * sizeof *history->lines);
    }
    history->lines = yr_xrealloc(history->lines, (history->count + 1) * sizeof *history->lines);
    history->lines[history->count++] = yr_strdup(line);
}

void yr_edit_history_clear(struct yr_edit_history *history)
{
    for (size_t i = 0; i < history->count; i++)
        free(history->lines[i]);
    free(history->lines);
    *history = (struct yr_edit_history){0};
}

void yr_edit_words_add(struct yr_edit_words *words, const char *word)
{
    struct yr_buf safe = {0};

    yr_safe_line(&safe, word, strlen(word)); // a name is what somebody else wrote
    words->words = yr_xrealloc(words->words, (words->count + 1) * sizeof *words->words);
    words->words[words->count++] = yr_buf_take(&safe);
}

static void words_clear(struct yr_edit_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->words[i]);
    free(words->words);
    *words = (struct yr_edit_words){0};
}

/* ---- life ---- */

struct yr_edit *yr_edit_new(const struct yr_edit_opts *opts)
{
    struct yr_edit *edit = yr_xrealloc(NULL, sizeof *edit);

    memset(edit, 0, sizeof *edit);
    edit->opts = *opts;
    edit->row.utf8 = opts->utf8;
    edit->row.columns = opts->columns > 0 ? opts->columns : 80;
    return edit;
}

void yr_edit_free(struct yr_edit *edit)
{
    if (edit == NULL)
        return;
    yr_edit_keys_clear(&edit->keys);
    yr_edit_row_clear(&edit->row);
    yr_buf_clear(&edit->prompt);
    yr_buf_clear(&edit->text);
    yr_buf_clear(&edit->line);
    yr_buf_clear(&edit->killed);
    yr_buf_clear(&edit->saved);
    yr_buf_clear(&edit->query);
    yr_buf_clear(&edit->before_paste);
    yr_buf_clear(&edit->typed);
    words_clear(&edit->words);
    free(edit);
}

/* ---- the screen ---- */

static void set(struct yr_buf *buf, const char *text, size_t len)
{
    yr_buf_cut(buf, 0);
    yr_buf_add(buf, text, len);
}

/** Append safe text as this terminal can show it. */
static void add_shown(const struct yr_edit *edit, struct yr_buf *out, const char *text)
{
    if (edit->opts.utf8)
        yr_buf_adds(out, text);
    else
        yr_safe_ascii(out, text, strlen(text));
}

static void draw(struct yr_edit *edit, struct yr_buf *out)
{
    struct yr_buf prompt = {0};

    if (!edit->showing)
        return;
    if (edit->searching) {
        yr_buf_adds(&prompt, "search '");
        yr_safe_line(&prompt, yr_buf_str(&edit->query), edit->query.len);
        yr_buf_adds(&prompt, "': ");
    } else {
        yr_safe_line(&prompt, yr_buf_str(&edit->prompt), edit->prompt.len);
    }
    yr_buf_cut(&edit->row.prompt, 0);
    add_shown(edit, &edit->row.prompt, yr_buf_str(&prompt));
    yr_buf_clear(&prompt);
    yr_edit_row_draw(&edit->row, yr_buf_str(&edit->text), edit->text.len, edit->cursor, out);
}

void yr_edit_prompt(struct yr_edit *edit, const char *prompt, struct yr_buf *out)
{
    set(&edit->prompt, prompt, strlen(prompt));
    draw(edit, out);
}

void yr_edit_use_history(struct yr_edit *edit, const struct yr_edit_history *history)
{
    edit->history = history;
    edit->history_at = history != NULL ? history->count : 0;
}

void yr_edit_show(struct yr_edit *edit, struct yr_buf *out)
{
    if (edit->opts.plain || edit->showing)
        return;
    edit->showing = true;
    yr_buf_adds(out, "\x1b[?2004h");
    draw(edit, out);
}

void yr_edit_hide(struct yr_edit *edit, struct yr_buf *out)
{
    if (!edit->showing)
        return;
    yr_edit_row_erase(&edit->row, out);
    yr_buf_adds(out, "\x1b[?2004l");
    edit->showing = false;
}

void yr_edit_print(struct yr_edit *edit, const char *text, struct yr_buf *out)
{
    struct yr_buf shown = {0};

    add_shown(edit, &shown, text);
    text = yr_buf_str(&shown);
    yr_edit_row_erase(&edit->row, out);
    for (const char *end; *text != '\0'; text = *end != '\0' ? end + 1 : end) {
        end = strchrnul(text, '\n');
        yr_buf_add(out, text, (size_t)(end - text));
        yr_buf_adds(out, edit->opts.plain ? "\n" : "\r\n");
    }
    yr_buf_clear(&shown);
    draw(edit, out);
}

void yr_edit_resize(struct yr_edit *edit, size_t columns, struct yr_buf *out)
{
    if (columns == 0 || columns == edit->row.columns)
        return;
    yr_edit_row_erase(&edit->row, out);
    edit->row.columns = columns;
    draw(edit, out);
}

/* ---- the text ---- */

/** After a change two clusters may have become one: the cursor never stands inside. */
static void settle(struct yr_edit *edit)
{
    size_t at;

    if (edit->cursor == 0 || edit->cursor >= edit->text.len)
        return;
    at = yr_cluster_start(edit->text.at, edit->text.len, edit->cursor);
    edit->cursor = yr_cluster_end(edit->text.at, edit->text.len, at);
}

static void replace(struct yr_edit *edit, size_t from, size_t to, const char *text, size_t len)
{
    if (edit->text.len == 0 && len == 0)
        return;
    yr_buf_splice(&edit->text, from, to - from, text, len);
    edit->cursor = from + len;
    settle(edit);
}

static bool insert(struct yr_edit *edit, const char *text, size_t len)
{
    if (edit->text.len + len > YR_EDIT_TEXT_MAX)
        return false;
    replace(edit, edit->cursor, edit->cursor, text, len);
    return true;
}

static bool typable(uint32_t cp)
{
    return cp >= 0x20 && !(cp >= 0x7F && cp <= 0x9F) && !(cp >= 0x202A && cp <= 0x202E) &&
           cp != 0x2028 && cp != 0x2029 && (cp & 0xFFFE) != 0xFFFE &&
           !(cp >= 0xFDD0 && cp <= 0xFDEF);
}

static bool insert_char(struct yr_edit *edit, uint32_t cp)
{
    struct yr_buf bytes = {0};
    bool good;

    if (!typable(cp))
        return true;
    yr_buf_addu(&bytes, cp);
    good = insert(edit, bytes.at, bytes.len);
    yr_buf_clear(&bytes);
    return good;
}

static size_t left_of(const struct yr_edit *edit)
{
    return edit->cursor > 0 ? yr_cluster_start(edit->text.at, edit->text.len, edit->cursor) : 0;
}

static size_t right_of(const struct yr_edit *edit)
{
    return edit->cursor < edit->text.len
               ? yr_cluster_end(edit->text.at, edit->text.len, edit->cursor)
               : edit->text.len;
}

static bool word_at(const struct yr_edit *edit, size_t at)
{
    size_t used;
    const uint32_t cp = yr_utf8_next(edit->text.at + at, edit->text.len - at, &used);
    utf8proc_category_t category;

    if (cp == YR_UTF8_BAD)
        return false;
    category = utf8proc_category((utf8proc_int32_t)cp);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO; // L, M, N
}

static bool blank_at(const struct yr_edit *edit, size_t at)
{
    return strchr(" \t\n", edit->text.at[at]) != NULL;
}

/** Where a word to the left starts: of letters and digits, or up to a blank. */
static size_t word_left(struct yr_edit *edit, bool blanks)
{
    const size_t was = edit->cursor;
    bool inside = false;
    size_t at;

    while (edit->cursor > 0) {
        bool word;

        at = left_of(edit);
        word = blanks ? !blank_at(edit, at) : word_at(edit, at);
        if (inside && !word)
            break;
        inside = inside || word;
        edit->cursor = at;
    }
    at = edit->cursor;
    edit->cursor = was;
    return at;
}

static size_t word_right(struct yr_edit *edit)
{
    const size_t was = edit->cursor;
    bool inside = false;
    size_t at;

    while (edit->cursor < edit->text.len) {
        const bool word = word_at(edit, edit->cursor);

        if (inside && !word)
            break;
        inside = inside || word;
        edit->cursor = right_of(edit);
    }
    at = edit->cursor;
    edit->cursor = was;
    return at;
}

/** Delete from..to and keep it for Ctrl-Y; what is killed in a row is kept as one piece. */
static void kill_range(struct yr_edit *edit, size_t from, size_t to, bool was_killing)
{
    edit->killing = true;
    if (from == to)
        return;
    if (!was_killing)
        yr_buf_cut(&edit->killed, 0);
    if (from < edit->cursor)
        yr_buf_splice(&edit->killed, 0, 0, edit->text.at + from, to - from);
    else
        yr_buf_add(&edit->killed, edit->text.at + from, to - from);
    replace(edit, from, to, NULL, 0);
}

/** Ctrl-T: the cluster before the cursor goes behind the one after it. */
static void transpose(struct yr_edit *edit)
{
    const size_t was = edit->cursor;
    struct yr_buf swapped = {0};
    size_t from, middle, to;

    if (edit->cursor == edit->text.len)
        edit->cursor = left_of(edit);
    from = left_of(edit);
    middle = edit->cursor;
    to = right_of(edit);
    if (from == middle || middle == to) {
        edit->cursor = was;
        return;
    }
    yr_buf_add(&swapped, edit->text.at + middle, to - middle);
    yr_buf_add(&swapped, edit->text.at + from, middle - from);
    replace(edit, from, to, swapped.at, swapped.len);
    yr_buf_clear(&swapped);
}

static void put_text(struct yr_edit *edit, const char *text, size_t len)
{
    set(&edit->text, text, len);
    edit->cursor = len;
    edit->row.offset = 0;
}

void yr_edit_set_text(struct yr_edit *edit, const char *text, struct yr_buf *out)
{
    struct yr_buf safe = {0};

    yr_safe_body(&safe, text, strlen(text));
    if (safe.len > YR_EDIT_TEXT_MAX)
        yr_buf_cut(&safe, 0);
    put_text(edit, yr_buf_str(&safe), safe.len);
    yr_buf_clear(&safe);
    edit->pasted = edit->cycling = edit->searching = false;
    edit->history_at = edit->history != NULL ? edit->history->count : 0;
    draw(edit, out);
}

/* ---- history ---- */

static void go_history(struct yr_edit *edit, bool older)
{
    const size_t count = edit->history != NULL ? edit->history->count : 0;

    if (edit->history_at > count)
        edit->history_at = count;
    if (older ? edit->history_at == 0 : edit->history_at == count)
        return;
    if (edit->history_at == count)
        set(&edit->saved, yr_buf_str(&edit->text), edit->text.len);
    edit->history_at = older ? edit->history_at - 1 : edit->history_at + 1;
    if (edit->history_at == count)
        put_text(edit, yr_buf_str(&edit->saved), edit->saved.len);
    else
        put_text(edit, edit->history->lines[edit->history_at],
                 strlen(edit->history->lines[edit->history_at]));
}

/** The newest line older than `before` that holds the query; put_text it. */
static bool search_before(struct yr_edit *edit, size_t before)
{
    for (size_t i = before; i > 0; i--) {
        const char *line = edit->history->lines[i - 1];
        const char *found = strstr(line, yr_buf_str(&edit->query));

        if (found == NULL)
            continue;
        edit->history_at = i - 1;
        put_text(edit, line, strlen(line));
        edit->cursor = (size_t)(found - line) + edit->query.len;
        settle(edit);
        return true;
    }
    return false;
}

static void start_search(struct yr_edit *edit)
{
    if (edit->history == NULL || edit->history->count == 0)
        return;
    edit->searching = true;
    set(&edit->saved, yr_buf_str(&edit->text), edit->text.len);
    edit->saved_cursor = edit->cursor;
    edit->history_at = edit->history->count;
    yr_buf_cut(&edit->query, 0);
}

/** A key while searching.  false: the search is over and the key has its usual meaning. */
static bool search_key(struct yr_edit *edit, struct yr_edit_key key)
{
    const size_t count = edit->history->count;
    struct yr_buf bytes = {0};

    if (key.kind == YR_EDIT_KEY_CHAR && typable(key.cp)) {
        yr_buf_addu(&bytes, key.cp);
        if (edit->query.len + bytes.len <= QUERY_MAX) {
            yr_buf_add(&edit->query, bytes.at, bytes.len);
            // the line shown may go on matching
            if (!search_before(edit, edit->history_at < count ? edit->history_at + 1 : count))
                yr_buf_cut(&edit->query, edit->query.len - bytes.len);
        }
        yr_buf_clear(&bytes);
    } else if (key.kind == YR_EDIT_KEY_BACKSPACE) {
        if (edit->query.len > 0)
            yr_buf_cut(&edit->query,
                       yr_cluster_start(edit->query.at, edit->query.len, edit->query.len));
    } else if (key.kind == YR_EDIT_KEY_CTRL && key.cp == 'R') {
        if (edit->query.len > 0)
            (void)search_before(edit, edit->history_at);
    } else if (key.kind == YR_EDIT_KEY_ESCAPE ||
               (key.kind == YR_EDIT_KEY_CTRL && (key.cp == 'G' || key.cp == 'C'))) {
        edit->searching = false;
        put_text(edit, yr_buf_str(&edit->saved), edit->saved.len);
        edit->cursor = edit->saved_cursor;
        edit->history_at = count;
    } else if (key.kind != YR_EDIT_KEY_IGNORED) {
        edit->searching = false;
        return key.kind == YR_EDIT_KEY_ENTER; // takes the line, to be looked at before it is sent
    }
    return true;
}

/* ---- completion ---- */

static void put_word(struct yr_edit *edit)
{
    const struct yr_buf *typed = &edit->typed;
    const char *word =
        edit->word < edit->words.count ? edit->words.words[edit->word] : yr_buf_str(typed);

    if (edit->text.len + strlen(word) <= YR_EDIT_TEXT_MAX)
        replace(edit, edit->words.start, edit->cursor, word, strlen(word));
}

static void complete(struct yr_edit *edit, bool forwards)
{
    if (!edit->cycling) {
        if (edit->opts.complete == NULL)
            return;
        words_clear(&edit->words);
        edit->words.start = edit->cursor;
        edit->opts.complete(edit->opts.ctx, yr_buf_str(&edit->text), edit->cursor, &edit->words);
        if (edit->words.count == 0 || edit->words.start > edit->cursor)
            return;
        set(&edit->typed, yr_buf_str(&edit->text) + edit->words.start,
            edit->cursor - edit->words.start);
        edit->word = forwards ? 0 : edit->words.count - 1;
        edit->cycling = edit->words.count > 1;
    } else {
        const size_t turns = edit->words.count + 1; // the last turn is what was typed

        edit->word = (edit->word + (forwards ? 1 : turns - 1)) % turns;
    }
    put_word(edit);
}

/* ---- pastes ---- */

static bool paste(struct yr_edit *edit, struct yr_buf *out)
{
    struct yr_buf safe = {0};
    size_t lines = 1;
    bool good;

    yr_safe_body(&safe, yr_buf_str(&edit->keys.paste), edit->keys.paste.len);
    yr_buf_cut(&edit->keys.paste, 0);
    while (safe.len > 0 && safe.at[safe.len - 1] == '\n')
        yr_buf_cut(&safe, safe.len - 1); // a line copied whole: its end is no second line
    for (size_t i = 0; i < safe.len; i++)
        lines += safe.at[i] == '\n' ? 1 : 0;
    set(&edit->before_paste, yr_buf_str(&edit->text), edit->text.len);
    edit->before_cursor = edit->cursor;
    good = insert(edit, yr_buf_str(&safe), safe.len);
    edit->pasted = good && safe.len > 0;
    yr_buf_clear(&safe);
    if (good && lines > 1) {
        struct yr_buf hint = {0};

        yr_buf_addf(&hint, "Paste %zu lines? Enter send %s Esc drop", lines,
                    edit->opts.utf8 ? "\u00B7" : "-");
        yr_edit_print(edit, hint.at, out);
        yr_buf_clear(&hint);
    }
    return good;
}

/* ---- keys ---- */

static enum yr_edit_event enter(struct yr_edit *edit, struct yr_buf *out)
{
    set(&edit->line, yr_buf_str(&edit->text), edit->text.len);
    put_text(edit, "", 0);
    edit->history_at = edit->history != NULL ? edit->history->count : 0;
    draw(edit, out);
    return YR_EDIT_LINE;
}

static enum yr_edit_event interrupt(struct yr_edit *edit, struct yr_buf *out)
{
    if (edit->text.len > 0) {
        put_text(edit, "", 0);
        edit->history_at = edit->history != NULL ? edit->history->count : 0;
        edit->interrupts = 0;
        return YR_EDIT_MORE;
    }
    if (++edit->interrupts >= 2)
        return YR_EDIT_LEAVE;
    yr_edit_print(edit, "Ctrl-C again leaves", out);
    return YR_EDIT_MORE;
}

static enum yr_edit_event control_key(struct yr_edit *edit, uint32_t cp, bool was_killing,
                                      struct yr_buf *out)
{
    switch (cp) {
    case 'A': edit->cursor = 0; break;
    case 'B': edit->cursor = left_of(edit); break;
    case 'C': return interrupt(edit, out);
    case 'D':
        if (edit->text.len == 0)
            return YR_EDIT_LEAVE;
        replace(edit, edit->cursor, right_of(edit), NULL, 0);
        break;
    case 'E': edit->cursor = edit->text.len; break;
    case 'F': edit->cursor = right_of(edit); break;
    case 'K': kill_range(edit, edit->cursor, edit->text.len, was_killing); break;
    case 'L':
        if (edit->showing)
            yr_buf_adds(out, "\x1b[H\x1b[2J");
        edit->row.visible = false;
        break;
    case 'N': go_history(edit, false); break;
    case 'P': go_history(edit, true); break;
    case 'R': start_search(edit); break;
    case 'T': transpose(edit); break;
    case 'U': kill_range(edit, 0, edit->cursor, was_killing); break;
    case 'W': kill_range(edit, word_left(edit, true), edit->cursor, was_killing); break;
    case 'Y':
        if (!insert(edit, yr_buf_str(&edit->killed), edit->killed.len))
            return YR_EDIT_TOO_LONG;
        break;
    case 'Z': return YR_EDIT_SUSPEND;
    default: break;
    }
    return YR_EDIT_MORE;
}

static enum yr_edit_event alt_key(struct yr_edit *edit, uint32_t cp, bool was_killing)
{
    switch (cp) {
    case 'a': return YR_EDIT_UNREAD;
    case 'b': edit->cursor = word_left(edit, false); break;
    case 'd': kill_range(edit, edit->cursor, word_right(edit), was_killing); break;
    case 'f': edit->cursor = word_right(edit); break;
    default: break;
    }
    return YR_EDIT_MORE;
}

static void escape(struct yr_edit *edit, bool was_pasted, bool was_cycling)
{
    if (was_pasted) {
        put_text(edit, yr_buf_str(&edit->before_paste), edit->before_paste.len);
        edit->cursor = edit->before_cursor;
    } else if (was_cycling) {
        edit->word = edit->words.count;
        put_word(edit);
    }
}

static enum yr_edit_event handle(struct yr_edit *edit, struct yr_edit_key key, struct yr_buf *out)
{
    const bool was_killing = edit->killing, was_pasted = edit->pasted, was_cycling = edit->cycling;

    if (edit->searching && search_key(edit, key))
        return YR_EDIT_MORE;
    edit->killing = edit->pasted = false;
    edit->cycling = was_cycling && (key.kind == YR_EDIT_KEY_TAB || key.kind == YR_EDIT_KEY_BACKTAB);
    if (key.kind != YR_EDIT_KEY_CTRL || key.cp != 'C')
        edit->interrupts = 0;
    switch (key.kind) {
    case YR_EDIT_KEY_NONE:
    case YR_EDIT_KEY_IGNORED: break;
    case YR_EDIT_KEY_CHAR: return insert_char(edit, key.cp) ? YR_EDIT_MORE : YR_EDIT_TOO_LONG;
    case YR_EDIT_KEY_CTRL: return control_key(edit, key.cp, was_killing, out);
    case YR_EDIT_KEY_ALT: return alt_key(edit, key.cp, was_killing);
    case YR_EDIT_KEY_ALT_BACKSPACE:
        kill_range(edit, word_left(edit, false), edit->cursor, was_killing);
        break;
    case YR_EDIT_KEY_ENTER: return enter(edit, out);
    case YR_EDIT_KEY_NEWLINE: return insert(edit, "\n", 1) ? YR_EDIT_MORE : YR_EDIT_TOO_LONG;
    case YR_EDIT_KEY_TAB: complete(edit, true); break;
    case YR_EDIT_KEY_BACKTAB: complete(edit, false); break;
    case YR_EDIT_KEY_BACKSPACE: replace(edit, left_of(edit), edit->cursor, NULL, 0); break;
    case YR_EDIT_KEY_DELETE: replace(edit, edit->cursor, right_of(edit), NULL, 0); break;
    case YR_EDIT_KEY_UP: go_history(edit, true); break;
    case YR_EDIT_KEY_DOWN: go_history(edit, false); break;
    case YR_EDIT_KEY_LEFT: edit->cursor = left_of(edit); break;
    case YR_EDIT_KEY_RIGHT: edit->cursor = right_of(edit); break;
    case YR_EDIT_KEY_WORD_LEFT: edit->cursor = word_left(edit, false); break;
    case YR_EDIT_KEY_WORD_RIGHT: edit->cursor = word_right(edit); break;
    case YR_EDIT_KEY_HOME: edit->cursor = 0; break;
    case YR_EDIT_KEY_END: edit->cursor = edit->text.len; break;
    case YR_EDIT_KEY_PAGE_UP: return YR_EDIT_EARLIER;
    case YR_EDIT_KEY_ESCAPE: escape(edit, was_pasted, was_cycling); break;
    case YR_EDIT_KEY_PASTE: return paste(edit, out) ? YR_EDIT_MORE : YR_EDIT_TOO_LONG;
    case YR_EDIT_KEY_TOO_LONG: return YR_EDIT_TOO_LONG;
    }
    return YR_EDIT_MORE;
}

/* ---- plain mode: lines as they come ---- */

static enum yr_edit_event next_line(struct yr_edit *edit)
{
    struct yr_edit_keys *keys = &edit->keys;
    const char *start = yr_buf_str(&keys->queue) + keys->at;
    const size_t len = keys->queue.len - keys->at;
    const char *end = len > 0 ? memchr(start, '\n', len) : NULL;
    size_t line_len = end != NULL ? (size_t)(end - start) : len;
    const bool skipped = edit->skipping;

    if (end == NULL && len <= YR_EDIT_TEXT_MAX && !skipped)
        return YR_EDIT_MORE;
    keys->at += line_len + (end != NULL ? 1 : 0);
    edit->skipping = end == NULL;
    if (skipped)
        return end != NULL ? next_line(edit) : YR_EDIT_MORE;
    if (line_len > YR_EDIT_TEXT_MAX)
        return YR_EDIT_TOO_LONG;
    if (line_len > 0 && start[line_len - 1] == '\r')
        line_len--;
    yr_buf_cut(&edit->line, 0);
    yr_safe_body(&edit->line, start, line_len);
    return YR_EDIT_LINE;
}

/* ---- the interface ---- */

void yr_edit_feed(struct yr_edit *edit, const void *bytes, size_t len)
{
    yr_edit_keys_feed(&edit->keys, bytes, len);
}

void yr_edit_idle(struct yr_edit *edit)
{
    yr_edit_keys_idle(&edit->keys);
}

void yr_edit_end(struct yr_edit *edit)
{
    if (edit->opts.plain && yr_edit_keys_waiting(&edit->keys))
        yr_edit_keys_feed(&edit->keys, "\n", 1);
    else
        yr_edit_keys_idle(&edit->keys);
}

bool yr_edit_waiting(const struct yr_edit *edit)
{
    return !edit->opts.plain && yr_edit_keys_waiting(&edit->keys);
}

enum yr_edit_event yr_edit_next(struct yr_edit *edit, struct yr_buf *out)
{
    enum yr_edit_event event = YR_EDIT_MORE;

    if (edit->opts.plain)
        return next_line(edit);
    while (event == YR_EDIT_MORE) {
        const struct yr_edit_key key = yr_edit_keys_next(&edit->keys);

        if (key.kind == YR_EDIT_KEY_NONE)
            break;
        event = handle(edit, key, out);
    }
    draw(edit, out);
    return event;
}

const char *yr_edit_line(const struct yr_edit *edit)
{
    return yr_buf_str(&edit->line);
}

const char *yr_edit_text(const struct yr_edit *edit)
{
    return yr_buf_str(&edit->text);
}

size_t yr_edit_cursor(const struct yr_edit *edit)
{
    return edit->cursor;
}
