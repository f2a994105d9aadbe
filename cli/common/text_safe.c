#include "cli/common/text_safe.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "cli/common/columns.h"
#include "cli/common/utf8.h"

#define BODY_MARKS_MAX 8
#define NAME_MARKS_MAX 3
#define ISOLATES_MAX   16 /* nested; terminals and browsers know more, people do not */
#define TAGS_MAX       16 /* in one flag; the longest in use has 5 */

enum {
    ZWNJ = 0x200C,
    ZWJ = 0x200D,
    LRI = 0x2066,
    FSI = 0x2068,
    PDI = 0x2069,
    BLACK_FLAG = 0x1F3F4,
    TAG_END = 0xE007F,
    REPLACEMENT = 0xFFFD
};

static bool noncharacter(uint32_t cp)
{
    return (cp & 0xFFFE) == 0xFFFE || (cp >= 0xFDD0 && cp <= 0xFDEF);
}

static bool control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7F && cp <= 0x9F);
}

static bool override(uint32_t cp)
{
    return cp >= 0x202A && cp <= 0x202E;
}

static bool invisible(uint32_t cp)
{
    switch (cp) {
    case 0x00AD: // soft hyphen
    case 0x034F: // combining grapheme joiner
    case 0x115F: // Hangul fillers
    case 0x1160:
    case 0x180E: // Mongolian vowel separator
    case 0x200B: // zero width space
    case 0x2060: // word joiner
    case 0x3164: // Hangul fillers
    case 0xFFA0:
    case 0xFEFF: return true; // byte order mark
    default: return false;
    }
}

static bool tag(uint32_t cp)
{
    return cp >= 0xE0000 && cp <= 0xE007F;
}

static utf8proc_category_t category(uint32_t cp)
{
    return utf8proc_category((utf8proc_int32_t)cp);
}

static bool is_mark(uint32_t cp)
{
    const utf8proc_category_t c = category(cp);

    return c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_MC || c == UTF8PROC_CATEGORY_ME;
}

static bool is_letter(uint32_t cp)
{
    const utf8proc_category_t c = category(cp);

    return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT ||
           c == UTF8PROC_CATEGORY_LM || c == UTF8PROC_CATEGORY_LO;
}

static bool plain(char c)
{
    return (c >= 0x20 && c < 0x7F) || c == '\n' || c == '\t';
}

/* ---- bodies ---- */

struct body {
    struct yr_buf *out;
    unsigned marks;    /* on the present base */
    unsigned isolates; /* open on this line, and written */
    unsigned dropped;  /* opened inside of those, but one too many */
};

static void end_line(struct body *body)
{
    for (; body->isolates > 0; body->isolates--)
        yr_buf_addu(body->out, PDI);
    body->dropped = 0;
}

static void add_base(struct body *body, uint32_t cp)
{
    body->marks = 0;
    yr_buf_addu(body->out, cp);
}

static void add_isolate(struct body *body, uint32_t cp)
{
    if (cp != PDI) {
        if (body->isolates == ISOLATES_MAX) {
            body->dropped++;
            return;
        }
        body->isolates++;
    } else if (body->dropped > 0) {
        body->dropped--;
        return;
    } else if (body->isolates == 0) {
        return;
    } else {
        body->isolates--;
    }
    add_base(body, cp);
}

/** The bytes of the tags behind a flag up to their end mark; 0 when they are not a whole set. */
static size_t flag_tags(const char *text, size_t len)
{
    size_t at = 0, used;

    for (unsigned count = 0; at < len && count <= TAGS_MAX; count++) {
        const uint32_t cp = yr_utf8_next(text + at, len - at, &used);

        at += used;
        if (cp == TAG_END)
            return count > 0 ? at : 0;
        if (cp < 0xE0020 || cp > TAG_END)
            return 0;
    }
    return 0;
}

static void add_body(struct body *body, uint32_t cp)
{
    if (cp == YR_UTF8_BAD || noncharacter(cp) || (cp >= 0x80 && cp <= 0x9F)) {
        add_base(body, REPLACEMENT);
    } else if (cp == '\n' || cp == 0x2028 || cp == 0x2029) {
        end_line(body);
        add_base(body, '\n');
    } else if (control(cp) && cp != '\t') {
        add_base(body, cp == 0x7F ? 0x2421 : 0x2400 + cp);
    } else if (override(cp) || invisible(cp) || tag(cp)) {
        return;
    } else if (cp >= LRI && cp <= PDI) {
        add_isolate(body, cp);
    } else if (cp == ZWJ || cp == ZWNJ || is_mark(cp)) {
        if (++body->marks <= BODY_MARKS_MAX)
            yr_buf_addu(body->out, cp);
    } else {
        add_base(body, cp);
    }
}

void yr_safe_body(struct yr_buf *out, const char *text, size_t len)
{
    struct body body = {.out = out};
    size_t used, run;

    for (size_t i = 0; i < len; i += used) {
        uint32_t cp;

        for (run = 0; i + run < len && plain(text[i + run]) && text[i + run] != '\n';)
            run++;
        if (run > 0) {
            yr_buf_add(out, text + i, run);
            body.marks = 0;
            used = run;
            continue;
        }
        cp = yr_utf8_next(text + i, len - i, &used);
        add_body(&body, cp);
        if (cp == BLACK_FLAG) {
            run = flag_tags(text + i + used, len - i - used);
            yr_buf_add(out, text + i + used, run);
            used += run;
        }
    }
    end_line(&body);
}

void yr_safe_line(struct yr_buf *out, const char *text, size_t len)
{
    const size_t start = out->len;

    yr_safe_body(out, text, len);
    for (size_t i = start; i < out->len; i++)
        if (out->at[i] == '\n' || out->at[i] == '\t')
            out->at[i] = ' ';
}

/* ---- names ---- */

static bool white(uint32_t cp)
{
    return (cp >= 0x09 && cp <= 0x0D) || cp == 0x2028 || cp == 0x2029 ||
           category(cp) == UTF8PROC_CATEGORY_ZS;
}

/** Does the text start with a letter that will be kept? */
static bool letter_follows(const char *text, size_t len)
{
    size_t used;
    const uint32_t cp = len > 0 ? yr_utf8_next(text, len, &used) : YR_UTF8_BAD;

    return cp != YR_UTF8_BAD && is_letter(cp) && !invisible(cp);
}

/** First pass: what has no place in a name goes, white space becomes single spaces. */
static void filter_name(struct yr_buf *out, const char *text, size_t len)
{
    bool letter = false, space = false; // the base last written is a letter; a space waits
    size_t used;

    for (size_t i = 0; i < len; i += used) {
        uint32_t cp = yr_utf8_next(text + i, len - i, &used);

        if (cp == YR_UTF8_BAD || noncharacter(cp))
            cp = REPLACEMENT;
        if (white(cp)) {
            space = out->len > 0;
            letter = false;
            continue;
        }
        if (cp == ZWJ || cp == ZWNJ) {
            if (letter && letter_follows(text + i + used, len - i - used))
                yr_buf_addu(out, cp);
            continue;
        }
        if (control(cp) || invisible(cp) || tag(cp) || category(cp) == UTF8PROC_CATEGORY_CF)
            continue;
        if (is_mark(cp)) {
            if (out->len == 0 || space)
                continue; // nothing to stand on
        } else {
            letter = is_letter(cp);
        }
        if (space)
            yr_buf_addc(out, ' ');
        space = false;
        yr_buf_addu(out, cp);
    }
}

/** Second pass, on NFC: at most 3 marks on a base, at most 64 bytes, nothing loose at the end. */
static void limit_name(struct yr_buf *out, const char *text, size_t len)
{
    struct yr_buf kept = {0};
    unsigned marks = 0;
    size_t used, end = 0;

    for (size_t i = 0; i < len; i += used) {
        const uint32_t cp = yr_utf8_next(text + i, len - i, &used);

        marks = cp == ZWJ || cp == ZWNJ || is_mark(cp) ? marks + 1 : 0;
        if (marks <= NAME_MARKS_MAX)
            yr_buf_add(&kept, text + i, used);
    }
    while (end < kept.len) {
        const size_t next = yr_cluster_end(kept.at, kept.len, end);

        if (next > YR_SAFE_NAME_MAX)
            break;
        end = next;
    }
    for (bool loose = true; loose;) {
        loose = true;
        if (end >= 1 && kept.at[end - 1] == ' ')
            end -= 1;
        else if (end >= 3 && (memcmp(kept.at + end - 3, "\xE2\x80\x8C", 3) == 0 ||
                              memcmp(kept.at + end - 3, "\xE2\x80\x8D", 3) == 0))
            end -= 3;
        else
            loose = false;
    }
    yr_buf_add(out, yr_buf_str(&kept), end);
    yr_buf_clear(&kept);
}

/** utf8proc's answer, or a copy of the text when it has none. */
static char *mapped(const char *text, size_t len, utf8proc_option_t options)
{
    utf8proc_uint8_t *out = NULL;
    const utf8proc_ssize_t got =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &out, options);

    return got >= 0 ? (char *)out : yr_strndup(text, len);
}

void yr_safe_name(struct yr_buf *out, const char *text, size_t len)
{
    struct yr_buf kept = {0};
    char *nfc;

    if (len > 4096) // far more than any name; no work for a liar
        len = 4096;
    filter_name(&kept, text, len);
    nfc = mapped(yr_buf_str(&kept), kept.len, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    limit_name(out, nfc, strlen(nfc));
    free(nfc);
    yr_buf_clear(&kept);
}

/* ---- look-alikes ---- */

static const struct {
    uint32_t from;
    char to;
} look_alikes[] = {
    {'0', 'o'},     {'1', 'l'},    {'i', 'l'},    {'|', 'l'},     {'!', 'l'},
    {'5', 's'},     {'$', 's'},    {'8', 'b'},    {0x0131, 'l'},  {0x0142, 'l'},
    {0x00F8, 'o'},  {0x0111, 'd'}, {0x0250, 'a'}, {0x0251, 'a'},  {0x0261, 'g'},
    {0x026A, 'l'},  {0x028F, 'y'}, // Latin
    {0x03B1, 'a'},  {0x03B2, 'b'}, {0x03B3, 'y'}, {0x03B5, 'e'},  {0x03B7, 'n'},
    {0x03B9, 'l'},  {0x03BA, 'k'}, {0x03BC, 'u'}, {0x03BD, 'v'},  {0x03BF, 'o'},
    {0x03C1, 'p'},  {0x03C3, 'o'}, {0x03C4, 't'}, {0x03C5, 'u'},  {0x03C7, 'x'},
    {0x03C9, 'w'},  {0x03F2, 'c'}, {0x03F3, 'j'}, // Greek
    {0x0430, 'a'},  {0x0432, 'b'}, {0x0435, 'e'}, {0x043A, 'k'},  {0x043C, 'm'},
    {0x043D, 'h'},  {0x043E, 'o'}, {0x0440, 'p'}, {0x0441, 'c'},  {0x0442, 't'},
    {0x0443, 'y'},  {0x0445, 'x'}, {0x0455, 's'}, {0x0456, 'l'},  {0x0458, 'j'},
    {0x044C, 'b'},  {0x0501, 'd'}, {0x051B, 'q'}, {0x051D, 'w'},  {0x04AF, 'y'},
    {0x04BB, 'h'},  {0x04CF, 'l'}, {0x0475, 'v'}, // Cyrillic
    {0x0561, 'w'},  {0x0563, 'q'}, {0x0570, 'h'}, {0x0578, 'n'},  {0x057D, 'u'},
    {0x0585, 'o'},  {0x0581, 'g'}, {0x0566, 'q'}, // Armenian
    {0x05D5, 'l'},  {0x05DF, 'l'}, {0x05E1, 'o'}, {0x0665, 'o'},  {0x06F5, 'o'},
    {0x0627, 'l'},  {0x0661, 'l'}, {0x06F1, 'l'}, {0x0966, 'o'},  {0x09E6, 'o'},
    {0x0D20, 'o'},  {0x0E50, 'o'}, {0x2010, '-'}, {0x2011, '-'},  {0x2012, '-'},
    {0x2013, '-'},  {0x2014, '-'}, {0x2212, '-'}, {0x2019, '\''}, {0x2018, '\''},
    {0x02BC, '\''}, {0x2223, 'l'}, {0x01C0, 'l'},
};

static uint32_t look_alike(uint32_t cp)
{
    for (size_t i = 0; i < sizeof look_alikes / sizeof look_alikes[0]; i++)
        if (look_alikes[i].from == cp)
            return (uint32_t)look_alikes[i].to;
    return cp;
}

/** Accents and other general marks; vowel signs of Indic and other scripts are letters to a reader.
 */
static bool accent(uint32_t cp)
{
    return (cp >= 0x0300 && cp <= 0x036F) || (cp >= 0x1AB0 && cp <= 0x1AFF) ||
           (cp >= 0x1DC0 && cp <= 0x1DFF) || (cp >= 0x20D0 && cp <= 0x20FF) ||
           (cp >= 0xFE00 && cp <= 0xFE0F) || (cp >= 0xFE20 && cp <= 0xFE2F);
}

void yr_name_skeleton(struct yr_buf *out, const char *name, size_t len)
{
    struct yr_buf safe = {0};
    const size_t start = out->len;
    char *folded;
    size_t used, folded_len;

    yr_safe_name(&safe, name, len);
    folded = mapped(yr_buf_str(&safe), safe.len,
                    UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                        UTF8PROC_IGNORE);
    folded_len = strlen(folded);
    for (size_t i = 0; i < folded_len; i += used) {
        const uint32_t cp = look_alike(yr_utf8_next(folded + i, folded_len - i, &used));

        if (accent(cp))
            continue;
        if (cp == 'n' && out->len > start && out->at[out->len - 1] == 'r')
            out->at[out->len - 1] = 'm'; // rn
        else if (cp == 'v' && out->len > start && out->at[out->len - 1] == 'v')
            out->at[out->len - 1] = 'w'; // vv
        else
            yr_buf_addu(out, cp == YR_UTF8_BAD ? REPLACEMENT : cp);
    }
    free(folded);
    yr_buf_clear(&safe);
}

void yr_shell_word(struct yr_buf *out, const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "@%+_.,:/-";
    bool quote = name[0] == '\0';

    for (const char *at = name; *at != '\0'; at++) // '~' stands for homes at the start only
        quote = quote || ((unsigned char)*at < 0x80 && strchr(plain, *at) == NULL &&
                          (*at != '~' || at == name));
    if (name[0] == '-')
        yr_buf_addc(out, '@');
    if (!quote) {
        yr_buf_adds(out, name);
        return;
    }
    yr_buf_addc(out, '\'');
    for (; *name != '\0'; name++)
        if (*name == '\'')
            yr_buf_adds(out, "'\\''");
        else
            yr_buf_addc(out, *name);
    yr_buf_addc(out, '\'');
}

void yr_safe_ascii(struct yr_buf *out, const char *text, size_t len)
{
    size_t end;

    for (size_t i = 0; i < len; i = end) {
        end = yr_cluster_end(text, len, i);
        if (end == i + 1 && (unsigned char)text[i] < 0x80)
            yr_buf_addc(out, text[i]);
        else
            yr_buf_addc(out, '?');
    }
}
